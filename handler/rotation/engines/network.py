"""The way to a target: DNS and connections with a time limit, and an error that says where the way ends."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from rotation.engines.invocation import Invocation
from rotation.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    DnsFailedError,
    PortClosedError,
    TargetUnreachableError,
)
from rotation.models import Login

SHARE = 0.8
"""Of the time that is left: a wait's own error says more than the deadline's interruption, so it has to come first."""
_LEAST_CONNECT_SECONDS, _MOST_CONNECT_SECONDS = 2.0, 10.0
"""The least is libpq's own minimum."""
_LEAST_SECONDS_LEFT = _LEAST_CONNECT_SECONDS / SHARE
_MOST_ANSWER_SECONDS = 30.0


def seconds_to_answer(invocation: Invocation) -> float:
    """How long the target may take to answer one request."""
    return min(_MOST_ANSWER_SECONDS, SHARE * invocation.deadline.seconds_for("an answer of the target"))


def first_reachable[Connection](
    invocation: Invocation, login: Login, connect: Callable[[str, float], Connection]
) -> Connection:
    """Connect to the first of the host's addresses that can be reached; what that one answers is final.

    Args:
        invocation: Bounds the wait.
        login: Names host and port.
        connect: Given an address and seconds, connects or raises TargetUnreachableError.
    """
    with invocation.call("resolve"):
        addresses = _addresses_of(login, _seconds_to_connect(invocation), invocation)
    while True:
        seconds = _seconds_to_connect(invocation, len(addresses))
        try:
            with invocation.call("connect"):
                return connect(addresses.pop(0), seconds)
        except TargetUnreachableError:
            if not addresses or invocation.deadline.remaining() < _LEAST_SECONDS_LEFT:
                raise


def open_socket(invocation: Invocation, login: Login) -> socket.socket:
    """A TCP connection for drivers that take one; each wait on it ends after `seconds_to_answer`."""

    def connect(address: str, seconds: float) -> socket.socket:
        try:
            return socket.create_connection((address, login.port), seconds)
        except OSError as error:
            raise unreachable(error, login) from None

    connection = first_reachable(invocation, login, connect)
    connection.settimeout(seconds_to_answer(invocation))
    return connection


@contextmanager
def conversing(invocation: Invocation, login: Login, operation: str) -> Iterator[None]:
    """A call to the target on a connection that `open_socket` made: a silent or broken one is told as such."""
    with invocation.call(operation):
        try:
            yield
        except ConnectionError:
            raise ConnectionLostError(f"{login.host} closed the connection during {operation}") from None
        except OSError as error:
            raise unreachable(error, login) from None


def unreachable(error: OSError, login: Login) -> TargetUnreachableError:
    """The tree's error for what the operating system says of a connection."""
    match error:
        case ConnectionRefusedError():
            return PortClosedError(f"{login.host} refuses connections on port {login.port}")
        case TimeoutError():
            return ConnectTimeoutError(f"{login.host} does not answer on port {login.port}")
        case ConnectionError():
            return ConnectionLostError(f"{login.host} closed the connection during the login")
        case _:
            return TargetUnreachableError(f"{login.host} has no route from here")


def _seconds_to_connect(invocation: Invocation, addresses: int = 1) -> float:
    """How long one address may take, so that each of them gets its turn."""
    remaining = invocation.deadline.seconds_for("the connection to the target", at_least=_LEAST_SECONDS_LEFT)
    return max(_LEAST_CONNECT_SECONDS, min(_MOST_CONNECT_SECONDS, SHARE * remaining / addresses))


def _addresses_of(login: Login, seconds: float, invocation: Invocation) -> list[str]:
    """The addresses of a host in the order in which they should be tried.

    The C library's resolver takes no time limit, and no signal interrupts it: a resolver that swallows packets would
    outlast the invocation. So the question is asked in a thread that is left behind when the time is up.

    Raises:
        DnsFailedError: there are none, or no answer came in time.
    """
    answers: SimpleQueue[list[Any] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(invocation.resolver(login.host, login.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that is empty or too long
            answers.put(error)

    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise DnsFailedError(f"DNS did not answer for {login.host} in time") from None
    if isinstance(answer, Exception):
        raise DnsFailedError(f"{login.host} is not found by DNS") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in answer))
