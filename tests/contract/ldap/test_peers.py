"""What stands in the place of a directory and is none, or one that looks at no password."""

import socket
from collections.abc import Callable

import pytest

from local.contract import peers
from local.contract.rotating import document, new_password, refused_login
from rotation.errors import (
    AuthenticationUnsafeError,
    ConnectionLostError,
    RotationError,
    StatementRejectedError,
    TargetNotReadyError,
)
from rotation.models import SecretDocument

BIND, SEARCH_DONE, EXTENDED = 0x61, 0x65, 0x78
_SUCCESS, _BUSY_OR_GONE, _PROTOCOL_ERROR = 0, 52, 2


def answer(request: bytes, kind: int, code: int = _SUCCESS) -> bytes:
    """An answer without text to a request: its number comes first, after a length of one byte or, as it says, more."""
    begin = 2 + (request[1] & 0x7F if request[1] & 0x80 else 0)
    number = request[begin : begin + 2 + request[begin + 1]]
    return bytes([0x30, len(number) + 9, *number, kind, 7, 10, 1, code, 4, 0, 4, 0])


def replying(*replies: Callable[[bytes], bytes]) -> peers.Answer:
    """A stub of a directory that says this to one request after the other."""

    def serve(connection: socket.socket) -> None:
        for reply in replies:
            connection.sendall(reply(connection.recv(4096)))

    return serve


def secret_at(port: int, engine: str = "ldap") -> SecretDocument:
    return document(
        {"host": peers.LOOPBACK, "port": port, "ssl": False},
        engine=engine,
        username="uid=app,dc=example",
        password=new_password(),
    )


STUBS: dict[str, tuple[peers.Answer, type[RotationError]]] = {
    "a session of nobody's": (
        replying(lambda r: answer(r, BIND), lambda r: answer(r, EXTENDED)),
        AuthenticationUnsafeError,
    ),
    "who-am-I is not known": (
        replying(lambda r: answer(r, BIND), lambda r: answer(r, EXTENDED, _PROTOCOL_ERROR)),
        StatementRejectedError,
    ),
    "not available": (replying(lambda r: answer(r, BIND, _BUSY_OR_GONE)), TargetNotReadyError),
    "a code that is not known": (replying(lambda r: answer(r, BIND, 99)), StatementRejectedError),
    "another protocol": (replying(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10), StatementRejectedError),
    "gone after the login": (replying(lambda r: answer(r, BIND)), ConnectionLostError),
}


@pytest.mark.parametrize("name", STUBS)
def test_what_is_no_login_is_not_taken_for_one(name: str) -> None:
    stub, kind = STUBS[name]
    with peers.answering(stub) as port:
        refused_login(kind, secret_at(port))
