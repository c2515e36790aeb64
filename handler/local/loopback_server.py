"""A small HTTP/1.1 server on 127.0.0.1.

Connections stay open between requests, so a request costs well under a millisecond, and closing the server ends every
connection at once, answered or not.
"""

import socket
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override


class LoopbackServer(ThreadingHTTPServer):
    """Serves from construction until `close()`, one thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, connection_class: type["LoopbackConnection"]) -> None:
        super().__init__(("127.0.0.1", 0), connection_class)
        self._is_open = True
        self._connections: set[socket.socket] = set()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self._is_open = False
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for connections
        self._acceptor.join()
        self.server_close()
        for connection in list(self._connections):
            with suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that went away; anything else is a defect and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def _accept(self) -> None:
        while self._is_open:
            self.handle_request()


class LoopbackConnection(BaseHTTPRequestHandler):
    """One connection; subclasses replace `do_GET` or `do_POST` and answer by `reply`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet

    def do_GET(self) -> None:
        self.reply(HTTPStatus.NOT_FOUND, {}, b"")

    def do_POST(self) -> None:
        self.reply(HTTPStatus.NOT_FOUND, {}, b"")

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keep no access log."""
