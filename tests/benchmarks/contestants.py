"""The local stage with both functions on it, and what is measured of one rotation."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.aws import AwsStage
from local.invocation import Invocation
from local.lambda_runtime import LambdaFunction
from local.postgres import PostgresServer
from local.secrets_manager_rotation import RotationService
from local.xray import XRayDaemon
from tests.benchmarks.deployments import Deployment, Deployments

LATENCY_SECONDS = {"secretsmanager": 0.010, "dynamodb": 0.004}
_TABLE = "idempotency"
_FIRST_PASSWORD = "benchmark-initial-1"
_RULES = {"AutomaticallyAfterDays": 30}
_MEMORY_MB = 512


@dataclass(frozen=True)
class Rotation:
    """What one rotation took; times in milliseconds.

    `calls` by service; one that a busy machine answered too late, and that was sent again, is one call.
    `phases_ms` are the product's own figures from its log lines: what it spent in calls, by the service it called.
    """

    invocations: tuple[Invocation, ...]
    calls: Counter[str]
    cpu_ms: float
    trace_bytes: int

    @property
    def wall_ms(self) -> float:
        """Sum of the four invocations."""
        return sum(invocation.duration_ms for invocation in self.invocations)

    @property
    def cold_start_ms(self) -> float:
        """From the start of the process to the end of the first step."""
        first = self.invocations[0]
        if first.init_duration_ms is None:
            raise ValueError("the environment was a warm one")
        return first.init_duration_ms + first.duration_ms

    @property
    def memory_mb(self) -> int:
        return self.invocations[-1].max_memory_mb

    @property
    def log_bytes(self) -> int:
        return sum(len(line.encode()) + 1 for invocation in self.invocations for line in invocation.log_lines)

    @property
    def phases_ms(self) -> Counter[str]:
        lines = [json.loads(line) for invocation in self.invocations for line in invocation.log_lines]
        return sum((Counter(line["phases_ms"]) for line in lines if "phases_ms" in line), Counter())


class Contestant:
    """One of the two functions with a secret of its own."""

    def __init__(self, stage: AwsStage, daemon: XRayDaemon, function: LambdaFunction, secret_id: str) -> None:
        self._stage = stage
        self._daemon = daemon
        self._function = function
        self._secret_id = secret_id
        self._service = RotationService(stage, function, self._before_step)
        self._every_step_cold = False

    def rotate(self, *, cold: bool = False, every_step_cold: bool = False) -> Rotation:
        """Rotate the secret once; `cold` gives it a new environment, `every_step_cold` each step one of its own."""
        if cold:
            self._function.recycle()
        self._every_step_cold = every_step_cold
        calls_before, trace_before = len(self._stage.calls), self._trace_bytes()
        cpu_before = _cpu_seconds()
        report = self._service.rotate(self._secret_id, rotation_rules=_RULES)
        cpu_after = _cpu_seconds()
        if report.failure:
            raise RuntimeError(f"{report.failed_step} failed: {report.failure}")
        return Rotation(
            invocations=tuple(report.invocations.values()),
            calls=Counter(call.service for call in self._stage.calls[calls_before:] if not call.is_repeated),
            cpu_ms=sum(after - cpu_before.get(process, 0.0) for process, after in cpu_after.items()) * 1000,
            trace_bytes=self._trace_bytes() - trace_before,
        )

    def _before_step(self, _step: str, ended: Invocation | None) -> None:
        if ended is None and self._every_step_cold:
            self._function.recycle()

    def _trace_bytes(self) -> int:
        return sum(map(len, self._daemon.datagrams))


@dataclass(frozen=True)
class Field:
    """Both contestants on the same servers, the runtime alone, and the environment variables that all of them have."""

    product: Contestant
    baseline: Contestant
    runtime_alone: LambdaFunction
    variables: dict[str, str]

    def runtime_alone_ms(self) -> float:
        """How long the runtime takes with an empty handler, from the start of its process to the first answer."""
        self.runtime_alone.recycle()
        invocation = self.runtime_alone.invoke({})
        return (invocation.init_duration_ms or 0.0) + invocation.duration_ms


@contextmanager
def field(deployed: Deployments) -> Iterator[Field]:
    """Start the servers, with the latency of the real services put in, and both functions."""
    with (
        AwsStage(latency=dict(LATENCY_SECONDS)) as stage,
        PostgresServer() as postgres,
        XRayDaemon() as daemon,
        ExitStack() as functions,
    ):
        stage.client("dynamodb").create_table(
            TableName=_TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        variables = {
            **stage.environment,
            **daemon.environment,
            "IDEMPOTENCY_TABLE": _TABLE,
            # Free to write bytecode, so that a lack of it shows: see deployments.py.
            "PYTHONDONTWRITEBYTECODE": "",
        }

        def function(deployment: Deployment) -> LambdaFunction:
            return functions.enter_context(
                LambdaFunction(
                    deployment.handler,
                    task_root=deployment.folder,
                    libraries=(),
                    environment=variables,
                    memory_mb=_MEMORY_MB,
                    function_name=deployment.name,
                )
            )

        def contestant(deployment: Deployment) -> Contestant:
            secret_id = _secret(stage, postgres, user=f"{deployment.name}_user")
            return Contestant(stage, daemon, function(deployment), secret_id)

        yield Field(contestant(deployed.product), contestant(deployed.baseline), function(deployed.runtime_alone), variables)


def _secret(stage: AwsStage, postgres: PostgresServer, *, user: str) -> str:
    with postgres.admin_connection() as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{_FIRST_PASSWORD}'")
    document = {
        "engine": "postgres",
        "host": postgres.host,
        "port": postgres.port,
        "username": user,
        "password": _FIRST_PASSWORD,
        "dbname": "postgres",
        "ssl": False,
    }
    return stage.client("secretsmanager").create_secret(Name=f"benchmark/{user}", SecretString=json.dumps(document))["ARN"]


def _cpu_seconds() -> dict[int, float]:
    """CPU time of every function's process so far, by process id; only the one that rotates works in between.

    Linux numbers the CPU clock of process p as clock_getcpuclockid(3) does: the complement of p, then binary 010.
    """
    # Invoked by the main thread, so its children; the number of a process's main thread is its own.
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    functions = [int(child) for child in children if b"awslambdaric" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return {process: time.clock_gettime((~process << 3) | 0b010) for process in functions}
