"""Stands between the function and the database, sees every message that leaves the function, and may interfere."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

_CHUNK = 65536


class Interference(Enum):
    """What happens to a message of the client."""

    FORWARD = "it arrives"
    DROP = "the connection is closed before it arrives"
    HANG = "it never arrives, and no answer comes"
    LOSE_ANSWER = "it arrives and takes effect, but the connection is closed before the answer is back"
    KEEP_ANSWER = "it arrives and takes effect, but no answer comes"


OnMessage = Callable[[bytes], Interference | bytes]
"""Decides about a message; bytes are sent to the client in the server's place."""


class DatabaseProxy:
    """A TCP proxy on a fresh port of 127.0.0.1; `on_message` may be exchanged at any time, `heard` is all that clients sent.

    libpq waits for an answer after each message it flushes, so one read is one message (or one flushed group of them).
    `on_lost_answer` is called when an answer is lost: what was asked has taken effect, and the connection is still open.
    """

    host = "127.0.0.1"

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self.on_message: OnMessage = lambda _message: Interference.FORWARD
        self.heard = bytearray()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self.on_lost_answer: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for connection in list(self._connections):
            _close(connection)

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._upstream)
            self._connections |= {client, server}
            _Session(client, server, self._decide, self._tell_of_lost_answer).start()

    def _decide(self, message: bytes) -> Interference | bytes:
        self.heard += message
        return self.on_message(message)

    def _tell_of_lost_answer(self) -> None:
        self.on_lost_answer()


class _Session:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(
        self, client: socket.socket, server: socket.socket, on_message: OnMessage, on_lost_answer: Callable[[], None]
    ) -> None:
        self._client = client
        self._server = server
        self._on_message = on_message
        self._on_lost_answer = on_lost_answer
        self._last = Interference.FORWARD

    def start(self) -> None:
        threading.Thread(target=self._upwards, daemon=True).start()
        threading.Thread(target=self._downwards, daemon=True).start()

    def _upwards(self) -> None:
        with suppress(OSError):
            while message := self._client.recv(_CHUNK):
                decision = self._on_message(message)
                if isinstance(decision, bytes):
                    self._client.sendall(decision)
                elif decision is Interference.DROP:
                    break
                elif decision is not Interference.HANG:
                    self._last = decision
                    self._server.sendall(message)
        self._close()

    def _downwards(self) -> None:
        with suppress(OSError):
            while answer := self._server.recv(_CHUNK):
                if self._last is Interference.LOSE_ANSWER:
                    self._on_lost_answer()
                    break
                if self._last is not Interference.KEEP_ANSWER:
                    self._client.sendall(answer)
        self._close()

    def _close(self) -> None:
        _close(self._client)
        _close(self._server)


def error_response(sqlstate: str, message: str, severity: str = "ERROR") -> bytes:
    """PostgreSQL's ErrorResponse; unless it is fatal, the server is ready for the next query in a failed transaction."""
    fields = f"S{severity}\0V{severity}\0C{sqlstate}\0M{message}\0\0".encode()
    response = b"E" + (len(fields) + 4).to_bytes(4) + fields
    return response if severity == "FATAL" else response + b"Z\0\0\0\x05E"


CLEAR_PASSWORD_REQUEST = b"R\0\0\0\x08\0\0\0\x03"
"""PostgreSQL's AuthenticationCleartextPassword."""


def _close(connection: socket.socket) -> None:
    with suppress(OSError):  # the other side was quicker
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
