"""Live mode: the page served on this machine, with news while rotations run.

The server knows nothing of rotations. A `Stage` says what can be switched and what there is to show; whoever drives
the stage calls `PreviewServer.publish` when something has changed, and every open page asks again.

It listens on the loopback address only. Requests must name that address as their host and, to switch anything, carry
the page's own token: a page from elsewhere that is open in the same browser can do neither.
"""

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, Self

from dashboards.preview.documents import Content
from dashboards.preview.http_server import EVENTS, FAULTS, LOOPBACK, MODEL, PreviewHTTPServer
from dashboards.preview.page import render_page

_HEARTBEAT = 15.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure that can be switched on and off from the page."""

    id: str
    label: str
    on: bool


class Stage(Protocol):
    """What is watched. All methods may be called from several threads at once."""

    def faults(self) -> Sequence[Fault]:
        """The switches, in the order in which the page shows them."""
        ...

    def switch(self, fault_id: str, *, on: bool) -> None:
        """Switches a failure.

        Raises:
            PreviewError: If there is no such failure.
        """
        ...

    def snapshot(self, choice: Mapping[str, str]) -> Content:
        """What to show now, as `Watch.page` returns it for these values of the dashboards' variables."""
        ...


class PreviewServer:
    """Serves one stage's page until it is closed."""

    def __init__(self, stage: Stage, port: int = 0) -> None:
        """Binds the port at once; 0 takes a free one."""
        self._stage = stage
        self.token = secrets.token_urlsafe(24)
        self._news = threading.Condition()
        self._version = 0
        self._closed = False
        self._http = PreviewHTTPServer((LOOPBACK, port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, name="preview", kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._http.server_port}/"

    def publish(self) -> None:
        """Tells every open page that there is something new."""
        with self._news:
            self._version += 1
            self._news.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the pages' streams and frees the port."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def page(self) -> str:
        live = {"model": MODEL, "events": EVENTS, "faults": FAULTS, "token": self.token, "now": self._faults()}
        return render_page(self._stage.snapshot({}), live=live)

    def model(self, choice: Mapping[str, str]) -> Content:
        return {"model": self._stage.snapshot(choice), "faults": self._faults()}

    def switch(self, fault_id: str, *, on: bool) -> None:
        self._stage.switch(fault_id, on=on)
        self.publish()

    def versions(self) -> Iterator[int | None]:
        """Yields a number with every change, None as a sign of life; ends when the server closes."""
        seen = self._version
        while not self._closed:
            with self._news:
                if not self._closed and self._version == seen:
                    self._news.wait(timeout=_HEARTBEAT)
                seen, before = self._version, seen
            if not self._closed:
                yield seen if seen != before else None

    def _faults(self) -> list[Content]:
        return [asdict(fault) for fault in self._stage.faults()]
