"""The stage: everything that the alarms watch, running, and the means to let time pass."""

import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from secrets import token_urlsafe
from types import TracebackType
from typing import Any, Self

from psycopg import sql

from dashboards.drill.ageing import grow_older
from dashboards.drill.cloudwatch import CloudWatch
from dashboards.drill.code_copies import sound_code
from dashboards.drill.deployment import PREFIX, Deployment, FunctionDefinition
from dashboards.drill.emulated_services import EmulatedQueue, EmulatedRule, EmulatedTableMetrics, EmulatedTopics
from dashboards.drill.network_path import NetworkPath, Passage
from dashboards.drill.simulated_clock import SimulatedClock
from dashboards.drill.victim import Victim
from dashboards.drill.watched_function import WatchedFunction
from dashboards.preview.alarm_board import Transition
from dashboards.preview.alarm_reading import read_alarms
from local.aws import AwsStage
from local.certificate_authority import CertificateAuthority
from local.invocation import Invocation
from local.postgres import PostgresServer
from local.secrets_manager_rotation import RotationService

_MINUTE = timedelta(minutes=1)
_FIRST_LOOK_MINUTES = 20
_SECOND_OF_MINUTE = 20
"""When in a simulated minute things happen: well inside of it."""


class Stage:
    """One deployed stack on this machine. Everything ends with the `with` block."""

    def __init__(self, deployment: Deployment, check_interruption: Callable[[], None] = lambda: None) -> None:
        self.deployment = deployment
        self.clock = SimulatedClock()
        self.transitions: list[Transition] = []
        self.before_step: dict[str, Callable[[], None]] = {}
        self._check_interruption = check_interruption
        self._numbers = itertools.count(1)
        self._victims: list[Victim] = []
        self._owed = timedelta()
        self._is_watched = True
        self._published = self._counted_calls = 0
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="drill-")))
            self.authority = CertificateAuthority(folder)
            self.aws = resources.enter_context(AwsStage())
            self.postgres = resources.enter_context(PostgresServer())
            self.network = resources.enter_context(NetworkPath(self.postgres.port))
            self.create_table()
            self._connect(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def _connect(self, resources: ExitStack) -> None:
        """Bring functions, rules, topics and alarms together."""
        deployed, clock = self.deployment, self.clock
        self.cloudwatch = CloudWatch(read_alarms(deployed.stack), clock)
        self.topics = EmulatedTopics(self.cloudwatch)
        self._table_metrics = EmulatedTableMetrics(deployed.table, self.cloudwatch)
        queue = EmulatedQueue(deployed.queue, self.cloudwatch)
        self.rotation, probe, events = (
            resources.enter_context(self._function(definition))
            for definition in (deployed.rotation, deployed.probe, deployed.events)
        )
        parts: dict[str, Any] = {"queue": queue, "cloudwatch": self.cloudwatch, "clock": clock}
        self.probe_rule = EmulatedRule(deployed.probe_rule, probe, retries=deployed.probe.retries, **parts)
        self.events_rule = EmulatedRule(deployed.events_rule, events, retries=deployed.events.retries, **parts)
        self.service = RotationService(self.aws, self.rotation, self._on_step)

    # ---- What is deployed ------------------------------------------------------------------------------------------------

    def _function(
        self,
        definition: FunctionDefinition,
        *,
        code: Path | None = None,
        memory_mb: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> WatchedFunction:
        return WatchedFunction(
            definition.handler,
            observe=self._observe,
            task_root=code or sound_code(),
            environment={**self.aws.environment, **definition.variables, **(variables or {})},
            timeout_seconds=definition.timeout_seconds,
            memory_mb=memory_mb or definition.memory_mb,
            function_name=definition.name,
        )

    @contextmanager
    def rotation_function(self, **changes: Any) -> Iterator[WatchedFunction]:
        """Deploy the rotation function otherwise for a while: with other `code`, `memory_mb` or `variables`."""
        sound = self.rotation
        with self._function(self.deployment.rotation, **changes) as changed:
            self.rotation = self.service.function = changed
            try:
                yield changed
            finally:
                self.rotation = self.service.function = sound

    @contextmanager
    def watcher_function(self, rule: EmulatedRule, **changes: Any) -> Iterator[WatchedFunction]:
        """Deploy the function that a rule invokes otherwise for a while."""
        sound = rule.target
        definition = self.deployment.probe if rule is self.probe_rule else self.deployment.events
        with self._function(definition, **changes) as changed:
            rule.target = changed
            try:
                yield changed
            finally:
                rule.target = sound

    def create_table(self) -> None:
        """Create the idempotency table."""
        self.aws.client("dynamodb").create_table(
            TableName=self.deployment.table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    # ---- Secrets ---------------------------------------------------------------------------------------------------------

    def victim(self, **changes: Any) -> Victim:
        """Create a database user and its secret; `changes` replace keys of the secret's document."""
        user, password = f"app_{next(self._numbers)}", token_urlsafe(24)
        with self.postgres.admin_connection() as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)))
        server = {"engine": "postgres", "host": self.postgres.host, "port": self.postgres.port, "dbname": "postgres"}
        document = {**server, "username": user, "password": password, "ssl": False}
        victim = Victim(self, user, self.secret(user, document | changes), document)
        victim.set_password(password)
        self._victims.append(victim)
        return victim

    def secret(self, name: str, document: Mapping[str, Any]) -> str:
        """Create a secret; returns its ARN."""
        client = self.aws.client("secretsmanager")
        return client.create_secret(Name=f"{PREFIX}{name}", SecretString=json.dumps(document))["ARN"]

    @property
    def superuser_document(self) -> dict[str, Any]:
        """What a right superuser's secret for the database holds."""
        server = self.postgres
        login = {"username": server.superuser, "password": server.superuser_password, "ssl": False}
        return {"engine": "postgres", "host": server.host, "port": server.port, **login}

    def deliver_events(self) -> None:
        """Deliver the events that Secrets Manager has published since the last time."""
        events = self.service.events[self._published :]
        self._published = len(self.service.events)
        for event in events:
            self.events_rule.deliver(event)

    # ---- Time ------------------------------------------------------------------------------------------------------------

    def run(self, minutes: int, until: Callable[[], bool] = lambda: False) -> None:
        """Let simulated minutes pass, or fewer, until something is so."""
        for _ in range(minutes):
            self._check_interruption()
            self.run_to_second(_SECOND_OF_MINUTE)
            if until():
                return

    def run_to_second(self, second: float) -> None:
        """Let time pass until that second of the next minute."""
        now = self.clock.now
        self._skip(now.replace(second=0, microsecond=0) + _MINUTE + timedelta(seconds=second) - now)
        self.probe_rule.tick()
        self.events_rule.tick()
        self.evaluate()

    def evaluate(self) -> None:
        """Evaluate the alarms up to now, and deliver what they have to say."""
        self.transitions += self.cloudwatch.evaluate()
        self.topics.deliver(self.cloudwatch.board.notifications)

    @contextmanager
    def nobody_looks(self) -> Iterator[None]:
        """Let secrets and table, at which nobody looks meanwhile, grow older in one go: weeks pass more quickly so."""
        self._is_watched = False
        try:
            yield
        finally:
            self._is_watched = True
            self._skip(timedelta())

    def restore(self) -> None:
        """Remove whatever cause may still be in force, and all victims."""
        self.aws.clear_faults()
        self.aws.latency.clear()
        self.postgres.thaw()
        self.postgres.start()
        self.network.passage, self.network.certificate = Passage.OPEN, None
        self.topics.broken.clear()
        self.before_step.clear()
        for rule in (self.probe_rule, self.events_rule):
            rule.is_enabled = rule.may_invoke = True
        for function in (self.rotation, self.probe_rule.target, self.events_rule.target):
            function.throttled, function.may_be_invoked = False, True
        for victim in self._victims:
            victim.forget()

    def start_afresh(self) -> None:
        """Forget all metrics and alarm states, and wait until the alarms have something to decide on again."""
        self.cloudwatch.start_afresh()
        self.topics.start_afresh()
        self.run(_FIRST_LOOK_MINUTES)

    def _skip(self, by: timedelta) -> None:
        self.clock.skip(by)
        # The services count in whole seconds; the rest is made up for later.
        self._owed += by
        if not self._is_watched:
            return
        whole = timedelta(seconds=int(self._owed.total_seconds()))
        self._owed -= whole
        grow_older(self.aws, self.deployment.table, whole)

    # ---- What it listens to ----------------------------------------------------------------------------------------------

    def _observe(self, invocation: Invocation) -> None:
        self.cloudwatch.take(invocation)
        calls = self.aws.calls
        self._table_metrics.count(calls[self._counted_calls :])
        self._counted_calls = len(calls)

    def _on_step(self, step: str, invocation: Invocation | None) -> None:
        if invocation is None and (action := self.before_step.pop(step, None)):
            action()
