"""DNS with a time limit.

The C library's resolver takes none, and no signal interrupts it: a resolver that swallows packets would outlast the
invocation. So the question is asked in a thread that is left behind when the time is up.
"""

import socket
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from rotation.errors import DnsFailedError

Resolver = Callable[..., list[Any]]
"""Asks as `socket.getaddrinfo` does."""


def addresses_of(host: str, port: int, seconds: float, resolver: Resolver) -> list[str]:
    """The addresses of a host in the order in which they should be tried.

    Raises:
        DnsFailedError: there are none, or no answer came in time.
    """
    answers: SimpleQueue[list[Any] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that is empty or too long
            answers.put(error)

    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise DnsFailedError(f"DNS did not answer for {host} in time") from None
    if isinstance(answer, Exception):
        raise DnsFailedError(f"{host} is not found by DNS") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in answer))
