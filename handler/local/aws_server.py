"""AWS's HTTP endpoints on 127.0.0.1: moto's services behind latency, faults and a log of the calls.

Requests go straight to moto's service classes. moto's own server would do, but takes a new connection and a Flask
application for every call: 4 ms instead of 1.
"""

import json
import re
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast, override
from urllib.parse import parse_qs, parse_qsl

from moto.core.request import Request
from moto.core.responses import BaseResponse
from werkzeug.exceptions import HTTPException

from local.aws_answers import Answer, error_answer, to_answer
from local.aws_faults import Disturbance, Fault, FaultPlan
from local.loopback_server import LoopbackConnection, LoopbackServer

SERVICES = {
    "ds": "local.fake_directories:FakeDirectoryResponse",
    "dynamodb": "moto.dynamodb.responses:DynamoHandler",
    "elasticache": "local.fake_cache_users:FakeElastiCacheResponse",
    "memorydb": "local.fake_cache_users:FakeMemoryDbResponse",
    "rds": "moto.rds.responses:RDSResponse",
    "secretsmanager": "local.strict_responses:StrictSecretsManagerResponse",
    "sts": "moto.sts.responses:TokenResponse",
}
_NAMING = (
    "SecretId",
    "TableName",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "DirectoryId",
    "UserId",
    "UserName",
)
"""Parameters that name the resource of a call."""
_CREDENTIAL_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_ATTEMPT = re.compile(r"\battempt=(\d+)")
# The kernel wakes a sleeper a little late; the rest of the time is spent looking at the clock.
_SPIN_SECONDS = 0.0003


@dataclass(frozen=True)
class Call:
    """One request that reached the local AWS.

    `error` is the error code it was answered with, or what a fault did to it instead of an answer; `resource` is the
    existing secret, table, database server, directory or user that it names. `is_repeated` if the client had sent it before,
    and got no answer in time or one that made it try again.
    """

    service: str
    operation: str
    error: str | None
    resource: str | None = None
    is_repeated: bool = False


def nothing() -> None:
    """What is done when nobody wants to be told."""


class AwsServer(LoopbackServer):
    """Serves the services of one account; `latency` is in seconds per service, moto's own work included."""

    def __init__(self, account_id: str, latency: dict[str, float]) -> None:
        self.account_id = account_id
        self.latency = latency
        self.faults = FaultPlan()
        self.calls: list[Call] = []
        self.on_arrival: Callable[[], None] = nothing
        self.on_effect: Callable[[], None] = nothing
        # AWS's conditional writes are atomic; moto is not made for concurrent calls.
        self.moto_lock = threading.Lock()
        super().__init__(_AwsConnection)


class _AwsConnection(LoopbackConnection):
    @override
    def do_POST(self) -> None:
        arrival = time.perf_counter()
        body = self.body()
        service, operation = self._service(), self._operation(body)
        self._aws.on_arrival()
        fault = self._aws.faults.next_for(service, operation)
        match fault:
            case Fault(disturbance=Disturbance.HANG | Disturbance.DROP as disturbance):
                return self._abandon(service, operation, body, disturbance)
            case Fault(disturbance=Disturbance.ERROR):
                answer = error_answer(fault.status, fault.code, fault.message, is_json=self._is_json)
            case _:
                answer = self._ask_moto(service, operation, body)
        _wait_until(arrival + self._aws.latency.get(service, 0.0))
        if fault and fault.disturbance in {Disturbance.LOSE_ANSWER, Disturbance.KEEP_ANSWER}:
            return self._abandon(service, operation, body, fault.disturbance)
        self._record(service, operation, answer.error_code, body)
        self._aws.on_effect()
        return self.reply(answer.status, answer.headers, answer.body)

    @property
    def _aws(self) -> AwsServer:
        return cast("AwsServer", self.server)

    @property
    def _is_json(self) -> bool:
        return "json" in self.headers.get("Content-Type", "")

    def _service(self) -> str:
        scope = _CREDENTIAL_SCOPE.search(self.headers.get("Authorization", ""))
        return scope[1] if scope else "unsigned"

    def _operation(self, body: bytes) -> str:
        target = self.headers.get("X-Amz-Target")
        return target.rpartition(".")[2] if target else parse_qs(body.decode()).get("Action", ["unknown"])[0]

    def _record(self, service: str, operation: str, error: str | None, body: bytes) -> None:
        attempt = _ATTEMPT.search(self.headers.get("amz-sdk-request", ""))
        is_repeated = attempt is not None and int(attempt[1]) > 1
        self._aws.calls.append(Call(service, operation, error, self._resource(body), is_repeated))

    def _resource(self, body: bytes) -> str | None:
        """Nothing else that the call carries is looked at, or kept."""
        carried = json.loads(body) if self._is_json else dict(parse_qsl(body.decode()))
        return next((carried[name] for name in _NAMING if name in carried), None)

    def _ask_moto(self, service: str, operation: str, body: bytes) -> Answer:
        if service not in SERVICES:
            return error_answer(400, "UnknownOperationException", f"no {service} in the local AWS", is_json=self._is_json)
        headers = {**dict(self.headers.items()), "x-moto-account-id": self._aws.account_id}
        request = Request.from_primitives("POST", f"http://{self._aws.address}/", headers, body)
        try:
            with self._aws.moto_lock:
                return to_answer(_response_class(service).dispatch(request))
        except HTTPException as error:
            return to_answer((error.code, dict(error.get_headers()), error.get_body()))
        except NotImplementedError:
            text = f"{operation} is not implemented by the local AWS"
            return error_answer(501, "NotImplemented", text, is_json=self._is_json)

    def _abandon(self, service: str, operation: str, body: bytes, disturbance: Disturbance) -> None:
        self._record(service, operation, disturbance.value, body)
        if disturbance in {Disturbance.HANG, Disturbance.KEEP_ANSWER}:
            # Readable means that the client gave up, or that the server closes.
            select.select([self.connection], [], [])
        self.close_connection = True


def _response_class(service: str) -> type[BaseResponse]:
    """Import a service on its first call: each takes its time, and few are needed."""
    module, _, name = SERVICES[service].partition(":")
    response_class: Any = getattr(import_module(module), name)
    return cast("type[BaseResponse]", response_class)


def _wait_until(moment: float) -> None:
    remaining = moment - time.perf_counter() - _SPIN_SECONDS
    if remaining > 0:
        time.sleep(remaining)
    while time.perf_counter() < moment:
        pass
