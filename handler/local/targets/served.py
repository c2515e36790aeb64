"""What is the same for every target that is one server process."""

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from local.server_process import ServerProcess, TlsFiles


class ServedTarget[Server: ServerProcess]:
    """Begins and ends with its server."""

    def __init__(self, server: Server, tls: TlsFiles | None) -> None:
        self.server = server
        self._tls = tls
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(self.server)
            self._prepare()
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def _prepare(self) -> None:
        """Do what has to be done once the server runs; if it fails, the server ends."""

    @property
    def keys(self) -> Mapping[str, Any]:
        """Where the server is, and that it speaks plaintext if it does."""
        return {"host": self.server.host, "port": self.server.port, **({} if self._tls else {"ssl": False})}

    def start(self) -> None:
        """Start the server again."""
        self.server.start()

    def stop(self) -> None:
        """Stop the server; its data stay."""
        self.server.stop()

    def freeze(self) -> None:
        """Let the server answer nobody."""
        self.server.freeze()

    def thaw(self) -> None:
        """Let it answer again."""
        self.server.thaw()
