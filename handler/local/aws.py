"""AWS on this machine: the services that the rotation function calls, for as long as a `with` block lasts.

Nothing in the function knows of it: it is reached by the standard `AWS_ENDPOINT_URL` and keys that open nothing.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import boto3
from botocore.config import Config

from local.account import ACCOUNT_ID, REGION
from local.aws_faults import EVERY_OPERATION, Disturbance, Fault
from local.aws_server import SERVICES, AwsServer, Call, nothing
from local.fake_cache_users import FakeCacheUsers, Service, fake_cache_users
from local.fake_directories import FakeDirectories, fake_directories
from local.strict_responses import strict_backends
from local.strict_secrets_manager import StrictSecretsManagerBackend
from local.termination import orderly_termination

if TYPE_CHECKING:
    from mypy_boto3_ds import DirectoryServiceClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_elasticache import ElastiCacheClient
    from mypy_boto3_memorydb import MemoryDBClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

_KEY = "local"


class AwsStage:
    """One account in one region, empty at first and forgotten at the end.

    `latency` is how long a call takes in the service, in seconds per service: `{"secretsmanager": 0.010}`; it may be
    changed at any time. `calls` is what reached the services so far, in order.
    """

    _accounts_in_use: ClassVar[set[str]] = set()

    def __init__(
        self,
        *,
        region: str = REGION,
        account_id: str = ACCOUNT_ID,
        latency: dict[str, float] | None = None,
    ) -> None:
        self.region = region
        self.account_id = account_id
        self.latency = latency or {}
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        if self.account_id in self._accounts_in_use:
            raise ValueError(f"account_id {self.account_id} has a stage already: give this one another twelve digits")
        with ExitStack() as resources:
            resources.enter_context(orderly_termination())
            self._accounts_in_use.add(self.account_id)
            resources.callback(self._accounts_in_use.discard, self.account_id)
            resources.callback(self._forget)
            self._server = AwsServer(self.account_id, self.latency)
            resources.callback(self._server.close)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def endpoint_url(self) -> str:
        return f"http://{self._server.address}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a process comes here instead of to AWS."""
        return {
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_SESSION_TOKEN": _KEY,
        }

    @property
    def calls(self) -> list[Call]:
        return self._server.calls

    @contextmanager
    def secrets_manager(self) -> Iterator[StrictSecretsManagerBackend]:
        """Secrets Manager from the inside, with nobody else in it: for what the service itself does, and for time travel.

        Neither latency nor faults apply, and nothing of it is in `calls`.
        """
        with self._server.moto_lock:
            yield strict_backends[self.account_id][self.region]

    @contextmanager
    def cache_users(self, service: Service) -> Iterator[FakeCacheUsers]:
        """The fake of a service's users from the inside, in the same way."""
        with self._server.moto_lock:
            yield fake_cache_users[service][self.account_id][self.region]

    @contextmanager
    def directories(self) -> Iterator[FakeDirectories]:
        """The fake of Directory Service from the inside, in the same way."""
        with self._server.moto_lock:
            yield fake_directories[self.account_id][self.region]

    @overload
    def client(self, service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
    @overload
    def client(self, service: Literal["ds"]) -> "DirectoryServiceClient": ...
    @overload
    def client(self, service: Literal["dynamodb"]) -> "DynamoDBClient": ...
    @overload
    def client(self, service: Literal["elasticache"]) -> "ElastiCacheClient": ...
    @overload
    def client(self, service: Literal["memorydb"]) -> "MemoryDBClient": ...
    @overload
    def client(self, service: Literal["rds"]) -> "RDSClient": ...
    def client(self, service: Any) -> Any:
        """Return a new client for the stage; it does not retry, so every fault is seen."""
        return boto3.session.Session(aws_access_key_id=_KEY, aws_secret_access_key=_KEY, region_name=self.region).client(
            service, endpoint_url=self.endpoint_url, config=Config(retries={"total_max_attempts": 1})
        )

    def fail(
        self,
        service: str,
        operation: str = EVERY_OPERATION,
        *,
        code: str,
        message: str,
        status: int = 400,
        times: int | None = None,
    ) -> None:
        """Answer the next `times` calls (None: all) of an operation with an error."""
        self._server.faults.add(Fault(service, operation, Disturbance.ERROR, code, message, status, times))

    def disturb(self, service: str, operation: str = EVERY_OPERATION, *, by: Disturbance, times: int | None = None) -> None:
        """Let the next `times` calls (None: all) of an operation hang, or lose their connection."""
        self._server.faults.add(Fault(service, operation, by, times=times))

    def watch(self, *, on_arrival: Callable[[], None] = nothing, on_effect: Callable[[], None] = nothing) -> None:
        """Be told from now on of each request before anything comes of it, and of each answer before it leaves.

        A fault that `on_arrival` adds meets the very request. Answers that a fault keeps back are not told of.
        """
        self._server.on_arrival, self._server.on_effect = on_arrival, on_effect

    def clear_faults(self) -> None:
        self._server.faults.clear()

    def _forget(self) -> None:
        for backends in (strict_backends, fake_directories, *fake_cache_users.values()):
            backends.pop(self.account_id, None)
        for service in SERVICES:
            if models := sys.modules.get(f"moto.{service}.models"):
                getattr(models, f"{service}_backends").pop(self.account_id, None)
