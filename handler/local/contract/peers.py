"""What a network can put in the place of a database."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

LOOPBACK = "127.0.0.1"
_FIRST_WORD_SECONDS = 0.3
Answer = Callable[[socket.socket], None]
"""What a peer does with a connection before it is closed."""


@contextmanager
def listener(backlog: int = 8) -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen(backlog)
        yield listening


def port_of(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else listens on it, and refuses connections."""
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        yield port_of(bound)


@contextmanager
def silent_port() -> Iterator[int]:
    """The kernel completes the handshake, and nobody ever answers."""
    with listener() as listening:
        yield port_of(listening)


@contextmanager
def packets_swallowed() -> Iterator[int]:
    """The queue of connections is full, so the kernel drops further packets as a firewall does."""
    with listener(backlog=0) as listening, ExitStack() as waiting:
        for _ in range(4):
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listening.getsockname())
        yield port_of(listening)


@contextmanager
def answering(answer: Answer) -> Iterator[int]:
    """A peer that does this with every connection, and closes it."""
    with listener() as listening:

        def serve() -> None:
            with suppress(OSError):  # the listener was closed: the end
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port_of(listening)
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def reset(connection: socket.socket) -> None:
    _hear(connection, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    _hear(connection, 1024)


def ask_for_a_redshift_digest(connection: socket.socket) -> None:
    """What Redshift asks a user for whose password it keeps as SHA-256."""
    connection.recv(4096)
    request = struct.pack("!iii4si4s", 13, 0, 4, b"salt", 4, b"once")
    connection.sendall(b"R" + struct.pack("!i", 4 + len(request)) + request)
    _hear(connection, 4096)


def _hear(connection: socket.socket, count: int) -> None:
    """What the client says first; nothing where the server has to begin."""
    connection.settimeout(_FIRST_WORD_SECONDS)
    with suppress(TimeoutError):
        connection.recv(count)


def hang_up_after_accepting_tls(connection: socket.socket) -> None:
    connection.recv(8)
    connection.sendall(b"S")
    connection.recv(65536)


def reset_after_accepting_tls(connection: socket.socket) -> None:
    connection.recv(8)
    connection.sendall(b"S")
    reset(connection)


def speak_garbage_after_accepting_tls(connection: socket.socket) -> None:
    connection.recv(8)
    connection.sendall(b"S")
    connection.recv(1024)
    connection.sendall(b"no TLS record starts like this")


@dataclass
class Wiretap:
    """A relay in front of a server, and what its clients sent, by connection.

    Attributes:
        cue: When a client sends this, `before` is done before the server hears it; once.
        cut: When a client sends this, the server hears it and the client gets no answer.
    """

    port: int = 0
    sent: list[bytearray] = field(default_factory=list)
    cue: bytes | None = None
    before: Callable[[], object] = lambda: None
    cut: bytes | None = None
    is_cut: bool = False

    @property
    def everything_sent(self) -> bytes:
        return b"".join(map(bytes, self.sent))

    def relay(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what one client sends."""
        heard = bytearray()
        self.sent.append(heard)
        while chunk := client.recv(65536):
            heard += chunk
            if self.cue is not None and self.cue in heard:
                self.cue = None
                self.before()
            self.is_cut = self.cut is not None and self.cut in heard
            server.sendall(chunk)


@contextmanager
def wiretap(server_port: int, **plans: Any) -> Iterator[Wiretap]:
    tap = Wiretap(**plans)

    def serve(client: socket.socket) -> None:
        with socket.create_connection((LOOPBACK, server_port)) as server:
            back = threading.Thread(target=_pass_back, args=(server, client, tap))
            back.start()
            with suppress(OSError):
                tap.relay(client, server)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join()

    with answering(serve) as tap.port:
        yield tap


def _pass_back(server: socket.socket, client: socket.socket, tap: Wiretap) -> None:
    with suppress(OSError):
        while (chunk := server.recv(65536)) and not tap.is_cut:
            client.sendall(chunk)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
