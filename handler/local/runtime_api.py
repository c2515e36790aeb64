"""AWS Lambda's Runtime API (version 2018-06-01) for one execution environment.

The runtime client asks for the next invocation (a request that blocks until there is one) and posts a response, an error or
an initialisation error. Every message that comes in becomes one item of `messages`.
"""

import json
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, cast, override

from local.loopback_server import LoopbackConnection, LoopbackServer

_PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True)
class Order:
    """An invocation as the runtime receives it: the event's JSON and the `Lambda-Runtime-*` headers."""

    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Ready:
    """The runtime asks for an invocation; the first time, its initialisation is over."""


@dataclass(frozen=True)
class Answer:
    """The runtime's response or error; `is_initialisation` when the handler could not even be imported."""

    payload: Any
    is_error: bool
    is_initialisation: bool = False


@dataclass(frozen=True)
class Exited:
    """The runtime's process ended; negative return codes are signals."""

    returncode: int


Message = Ready | Answer | Exited


class RuntimeApi(LoopbackServer):
    """The HTTP server; its `address` is what the runtime expects in `AWS_LAMBDA_RUNTIME_API`."""

    def __init__(self) -> None:
        self.messages: SimpleQueue[Message] = SimpleQueue()
        self.orders: SimpleQueue[Order | None] = SimpleQueue()
        super().__init__(_RuntimeConnection)

    @override
    def close(self) -> None:
        self.orders.put(None)
        super().close()


class _RuntimeConnection(LoopbackConnection):
    @override
    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}/invocation/next":
            return self.reply(404, {}, b"")
        self._api.messages.put(Ready())
        order = self._api.orders.get()
        if order is None:
            self.close_connection = True
            return None
        return self.reply(200, order.headers, order.body)

    @override
    def do_POST(self) -> None:
        payload = json.loads(self.body() or b"null")
        self.reply(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')
        self._api.messages.put(
            Answer(
                payload,
                is_error=self.path.endswith("/error"),
                is_initialisation=self.path == f"{_PREFIX}/init/error",
            )
        )

    @property
    def _api(self) -> RuntimeApi:
        return cast("RuntimeApi", self.server)
