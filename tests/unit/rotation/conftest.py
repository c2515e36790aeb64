"""One rotation on fakes, ready for any of its steps."""

import io
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from pydantic import SecretStr

from local.aws import AwsStage
from rotation.aws import AwsClients
from rotation.models import PENDING, Progress, RotationEvent, Step
from rotation.protocols import EngineTraits
from rotation.settings import StrategyName
from rotation.step_record import StepRecord
from rotation.steps import Rotation, StepResult, run_step
from rotation.tracing import Tracing
from tests.unit.rotation.fakes import HOST, TOKEN, FakeEngine, FakeServer, FakeStore, FakeSuperusers

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CURRENT_KEYS = {"engine": "postgres", "host": HOST, "username": "app", "password": "old", "dbname": "orders"}


@dataclass
class Scene:
    """The world around a rotation, and the steps that can be run in it."""

    store: FakeStore
    server: FakeServer
    superusers: FakeSuperusers
    make_record: Callable[[], StepRecord]
    traits: dict[str, Any] = field(default_factory=dict)
    """Of the engine, where they are not the usual ones."""
    default_strategy: StrategyName = StrategyName.AUTO
    now_ms: int = 2_000_000
    pauses: list[float] = field(default_factory=list)
    passwords_made: list[int] = field(default_factory=list)
    """Longest permitted length of each password that was made."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the last step noted."""

    def run(
        self,
        step: Step,
        *,
        remembered: Progress | None = None,
        progress: Progress | None = None,
        set_here: bool = False,
    ) -> StepResult:
        """Run one step in an environment that remembers this much."""
        record = self.make_record()
        self.facts = record.facts
        event = RotationEvent(Step=step, SecretId="app/db", ClientRequestToken=self.store.token)
        return run_step(
            Rotation(
                event=event,
                store=self.store,
                engine_for=lambda _document: FakeEngine(self.server, **self.traits),
                superusers=self.superusers,
                new_password=self._new_password,
                default_strategy=self.default_strategy,
                record=record,
                remembered=remembered,
                progress=lambda: progress,
                set_here=set_here,
                now_ms=lambda: self.now_ms,
                pauses=self._pauses,
            )
        )

    def _pauses(self, at_most: float) -> Iterator[None]:
        """Ten pauses, unless there is nothing to wait for."""
        for _ in range(10 if at_most else 0):
            self.pauses.append(at_most / 10)
            yield

    def _new_password(self, traits: EngineTraits) -> SecretStr:
        self.passwords_made.append(traits.max_password_length)
        return SecretStr(f"generated-{len(self.passwords_made)}")

    @property
    def pending_value(self) -> dict[str, Any]:
        """The keys that were stored for the new version."""
        keys: dict[str, Any] = json.loads(self.store.values[self.store.token].document.to_json())
        return keys

    def hold_pending(self, **keys: Any) -> None:
        """Let the pending version hold the current keys with changes."""
        assert self.store.holder(PENDING) == self.store.token
        self.store.hold(self.store.token, {**CURRENT_KEYS, "password": "new", **keys})


@pytest.fixture
def record_log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def make_record(record_log: io.StringIO) -> Callable[[], StepRecord]:
    logger = Logger(service="unit-test", level="DEBUG", stream=record_log)
    tracing = Tracing("unit-test")
    return lambda: StepRecord(logger, tracing)


@pytest.fixture
def scene(make_record: Callable[[], StepRecord]) -> Scene:
    """A secret of the user `app` whose rotation has begun: AWSPENDING is empty, and the server knows the old password."""
    return Scene(
        store=FakeStore(CURRENT_KEYS, TOKEN),
        server=FakeServer({"app": "old", "root": "superuser's"}),
        superusers=FakeSuperusers("superuser's"),
        make_record=make_record,
    )


@pytest.fixture
def superuser_scene(scene: Scene) -> Scene:
    """The same with a superuser's secret named, so that users alternate unless a tag says otherwise."""
    keys = {**CURRENT_KEYS, "masterarn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:root-AbCdEf"}
    scene.store.hold(scene.store.holder("AWSCURRENT") or "", keys)
    return scene


@pytest.fixture(scope="session")
def aws() -> Iterator[AwsStage]:
    """An account of its own: other tests use the usual one."""
    with AwsStage(account_id="200000000001") as stage:
        yield stage


@pytest.fixture(scope="module")
def new_clients(aws: AwsStage) -> Iterator[Callable[[], AwsClients]]:
    """Makes clients as the function does; the standard variables lead them here, and nothing else does."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield AwsClients


@pytest.fixture(scope="module")
def clients(new_clients: Callable[[], AwsClients]) -> AwsClients:
    """Clients take a while to make, so a module's tests share them."""
    return new_clients()


@pytest.fixture(autouse=True)
def no_fault_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "aws" in request.fixturenames:
        request.getfixturevalue("aws").clear_faults()


@pytest.fixture(scope="session")
def secrets_manager(aws: AwsStage) -> "SecretsManagerClient":
    return aws.client("secretsmanager")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on 127.0.0.1 that is taken, so nobody else opens it, and that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
