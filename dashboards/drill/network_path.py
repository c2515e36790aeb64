"""The way from the function to the database: open, closed by a firewall, broken, or with TLS in front of the server.

A relay between sockets of this machine. With a certificate it ends TLS, as a proxy or a load balancer in front of a
database does; the embedded PostgreSQL has none built in.
"""

import select
import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from enum import Enum
from types import TracebackType
from typing import Self

from local.server_process import TlsFiles

_SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
_CHUNK = 65536


class Passage(Enum):
    """What becomes of a connection."""

    OPEN = "it is passed on"
    SWALLOWED = "it is accepted, and nothing ever comes back"
    CUT = "it is closed before the server has answered"


class NetworkPath:
    """Listens on a fresh port of 127.0.0.1 and passes connections on to `target_port`."""

    host = "127.0.0.1"

    def __init__(self, target_port: int) -> None:
        self.passage = Passage.OPEN
        self.certificate: TlsFiles | None = None
        self._target_port = target_port
        self._held: list[socket.socket] = []
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            self._listener = resources.enter_context(socket.create_server((self.host, 0)))
            self.port: int = self._listener.getsockname()[1]
            acceptor = threading.Thread(target=self._accept, daemon=True)
            acceptor.start()
            resources.callback(acceptor.join)
            resources.callback(self._listener.shutdown, socket.SHUT_RDWR)
            resources.callback(self._release)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was shut down
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.passage is Passage.SWALLOWED:
            self._held.append(client)
            return
        with suppress(OSError), ExitStack() as sockets:
            sockets.enter_context(client)
            if self.passage is Passage.CUT:
                client.recv(_CHUNK)
                return
            near = sockets.enter_context(self._secured(client)) if self.certificate else client
            _relay(near, sockets.enter_context(socket.create_connection((self.host, self._target_port))))

    def _secured(self, client: socket.socket) -> ssl.SSLSocket:
        """Answer PostgreSQL's request for TLS, and shake hands."""
        if self.certificate is None or client.recv(len(_SSL_REQUEST), socket.MSG_WAITALL) != _SSL_REQUEST:
            raise OSError("the client does not ask for TLS")
        client.sendall(b"S")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate.certificate, self.certificate.private_key)
        context.set_alpn_protocols(["postgresql"])
        return context.wrap_socket(client, server_side=True)

    def _release(self) -> None:
        for held in self._held:
            held.close()


def _relay(near: socket.socket, far: socket.socket) -> None:
    """Pass bytes on in both directions until either side ends. One thread, because a TLS socket is not made for two."""
    while True:
        is_decrypted = isinstance(near, ssl.SSLSocket) and near.pending() > 0
        readable = [near] if is_decrypted else select.select([near, far], [], [])[0]
        for source in readable:
            chunk = source.recv(_CHUNK)
            if not chunk:
                return
            (far if source is near else near).sendall(chunk)
