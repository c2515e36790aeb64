"""One request and its answer, bounded in time and size. Redirects are not followed: they would lead to another host."""

import io
import json
import socket
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import Any, cast

from rotation.engines.http_declaration import Filled, Request
from rotation.engines.invocation import Invocation
from rotation.engines.network import conversing, seconds_to_answer
from rotation.engines.tls import connected
from rotation.errors import (
    ConnectionLostError,
    PrivilegeMissingError,
    StatementRejectedError,
    TargetError,
    TargetNotReadyError,
    TargetSaturatedError,
)
from rotation.models import Login

_MOST_BYTES = 1_000_000

STATUSES: Mapping[int, tuple[type[TargetError], str]] = {
    # A key that passed the check is a valid one, so elsewhere this is not about the key.
    401: (PrivilegeMissingError, "the key may not do that"),
    403: (PrivilegeMissingError, "the key may not do that"),
    429: (TargetSaturatedError, "there were too many requests"),
}
"""Error class and meaning of a status that is neither success nor declared."""
CLASSES: Mapping[int, tuple[type[TargetError], str]] = {
    3: (StatementRejectedError, "redirects are not followed"),
    5: (TargetNotReadyError, "the service is out of order"),
}
"""The same for a status's first digit."""


Expected = Mapping[int, TargetError | None]
"""What a declared status means: an error, or None for success without an answer."""


def exchange(
    invocation: Invocation, login: Login, name: str, request: Request, *, filled: Filled, expected: Expected
) -> Any:
    """Send a request on a connection of its own; gives the answer's JSON, None where there is none.

    Args:
        invocation: Bounds the wait.
        login: Names the host, and how it is spoken to.
        name: What the declaration calls the request.
        request: The request with its placeholders.
        filled: The same with values in their place.
        expected: Statuses that are neither success nor failure in themselves.
    """
    with connected(invocation, login) as connection, conversing(invocation, login, f"{name}_key"):
        status, content = _sent(connection, login, filled, seconds_to_answer(invocation), name)
        if status in expected:
            if (error := expected[status]) is not None:
                raise error
            return None
        if not request.succeeded(status):
            raise _refusal(status, login, name)
        return _json(content, login, name)


class _Wire(io.RawIOBase):
    """A connection as http.client takes it, with one limit for all: with one for each wait, a trickle would never end."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._limit()
        return self._connection.recv_into(buffer)

    def sendall(self, content: Any) -> None:
        self._limit()
        self._connection.sendall(content)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """Left to whoever opened it: after an error http.client closes the connection first, and then flushes it."""

    def _limit(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


def _sent(connection: socket.socket, login: Login, filled: Filled, seconds: float, name: str) -> tuple[int, bytes]:
    """Status and content of the answer."""
    client = HTTPConnection(login.host, login.port)
    client.default_port = 443 if login.tls else 80  # is left out of the header Host
    client.sock = cast("socket.socket", _Wire(connection, seconds))
    try:
        client.request(filled.method, filled.path, filled.body, dict(filled.headers))
        answer = client.getresponse()
        content = answer.read(_MOST_BYTES + 1)
    except ConnectionError:
        raise  # one of them is an HTTPException as well
    except IncompleteRead:
        raise _broken_off(login, name) from None
    except HTTPException:
        raise StatementRejectedError(f"{login.host} answered {name} with something other than HTTP") from None
    if len(content) > _MOST_BYTES:
        raise StatementRejectedError(f"{login.host} answered {name} with more than {_MOST_BYTES} bytes")
    if answer.length:
        raise _broken_off(login, name)
    return answer.status, content


def _broken_off(login: Login, name: str) -> ConnectionLostError:
    return ConnectionLostError(f"{login.host} closed the connection in the middle of the answer to {name}")


def _refusal(status: int, login: Login, name: str) -> TargetError:
    kind, what = STATUSES.get(status) or CLASSES.get(status // 100) or (StatementRejectedError, "")
    return kind(f"{login.host} answered {name} with the status {status}" + (f": {what}" if what else ""))


def _json(content: bytes, login: Login, name: str) -> Any:
    """The content; a page meant for people is no proof of anything."""
    try:
        return json.loads(content) if content.strip() else None
    except (ValueError, RecursionError):
        raise StatementRejectedError(f"{login.host} answered {name} with something other than JSON") from None
