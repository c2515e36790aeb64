"""The HTTP side of live mode: which request is answered with what, and which is refused."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from dashboards.preview.documents import Content, PreviewError

LOOPBACK = "127.0.0.1"
MODEL, EVENTS, FAULTS = "/model.json", "/events", "/faults"
_TOKEN = "X-Preview-Token"  # noqa: S105 - the name of a header
_LARGEST_REQUEST = 1024


class Served(Protocol):
    """What the requests ask for."""

    @property
    def token(self) -> str:
        """What a page must show before it may switch anything."""
        ...

    def page(self) -> str: ...

    def model(self, choice: Mapping[str, str]) -> Content: ...

    def switch(self, fault_id: str, *, on: bool) -> None: ...

    def versions(self) -> Iterator[int | None]:
        """A number with every change, None as a sign of life; ends when the server closes."""
        ...


class PreviewHTTPServer(ThreadingHTTPServer):
    """Hands every request to what is being served."""

    daemon_threads = True
    # The streams end with the server; a browser that has stopped reading must not hold it up.
    block_on_close = False

    def __init__(self, address: tuple[str, int], preview: Served) -> None:
        self.preview = preview
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: PreviewHTTPServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if not self._welcome():
            return
        if path.path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.preview.page())
        elif path.path == MODEL:
            self._json(HTTPStatus.OK, self.server.preview.model(dict(parse_qsl(path.query))))
        elif path.path == EVENTS:
            self._stream()
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "there is no such page"})

    def do_POST(self) -> None:
        prefix, _, fault_id = urlsplit(self.path).path.rpartition("/")
        if not self._welcome():
            return
        if not secrets.compare_digest(self.headers.get(_TOKEN, ""), self.server.preview.token):
            self._json(HTTPStatus.FORBIDDEN, {"error": f"{_TOKEN} is missing or wrong; reload the page"})
            return
        try:
            on = self._wanted() if prefix == FAULTS else None
            if on is None:
                self._json(HTTPStatus.NOT_FOUND, {"error": "there is no such page"})
                return
            self.server.preview.switch(unquote(fault_id), on=on)
        except (PreviewError, ValueError) as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._json(HTTPStatus.OK, {"on": on})

    def log_message(self, *_: object) -> None:
        """The terminal belongs to who drives the stage."""

    def _wanted(self) -> bool:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(min(length, _LARGEST_REQUEST)) or b"null")
        if body not in ({"on": True}, {"on": False}):
            message = 'the request needs {"on": true} or {"on": false}'
            raise ValueError(message)
        return bool(body["on"])

    def _welcome(self) -> bool:
        """A name that was pointed at this machine from outside (DNS rebinding) is not served."""
        if self.headers.get("Host", "") in {f"{name}:{self.server.server_port}" for name in (LOOPBACK, "localhost")}:
            return True
        self._json(HTTPStatus.FORBIDDEN, {"error": "this server answers on the loopback address only"})
        return False

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with _ignore_closed():
            # A page that opens the stream late may have missed something.
            self._event("data: 0")
            for version in self.server.preview.versions():
                self._event(": alive" if version is None else f"data: {version}")

    def _event(self, line: str) -> None:
        self.wfile.write(f"{line}\n\n".encode())
        self.wfile.flush()

    def _json(self, status: HTTPStatus, value: Content) -> None:
        self._send(status, "application/json", json.dumps(value, ensure_ascii=False))

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        with _ignore_closed():
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)


@contextmanager
def _ignore_closed() -> Iterator[None]:
    """A browser may go away at any time."""
    try:
        yield
    except (BrokenPipeError, ConnectionResetError):
        return
