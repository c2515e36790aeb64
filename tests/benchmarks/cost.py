"""`python -m tests.benchmarks.cost`: what the stack costs a month, from the template and a measured rotation.

List prices of us-east-1 without any free tier, US dollars, as AWS published them in 2025 (aws.amazon.com/cloudwatch/pricing
and the like). Not counted, because they are there without the function: the secrets, the database, data transfer.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.alarms import CompositeAlarm
from dashboards.preview.emf import extract, read_events
from dashboards.preview.template import Stack
from local.invocation import Invocation
from rotation.errors import error_classes
from rotation.metrics import DECLARATIONS, REASON_SETS, SERVICE_SET, STEP_SETS
from rotation.models import Step
from rotation.probe import PAGE_SIZE
from tests.benchmarks.contestants import Rotation, field
from tests.benchmarks.deployments import deployments
from tests.benchmarks.figures import measure

FLEETS = (10, 1_000, 10_000)
DAYS = 30.4
_LOOKS_A_DAY = 96
_GB = 1e9
_PROBE_SECONDS_A_PAGE = 0.1

_METRIC, _ALARM_METRIC, _COMPOSITE, _DASHBOARD, _KEY = 0.30, 0.10, 0.50, 3.00, 1.00
_LOG_GB, _TRACE, _SECRETS_CALL, _TABLE_WRITE = 0.50 + 0.03, 5e-6, 0.05 / 10_000, 0.625e-6
_LAMBDA_REQUEST, _LAMBDA_GB_SECOND = 0.20e-6, 0.0000133334


@dataclass(frozen=True)
class Measured:
    """What one warm rotation of one secret uses."""

    invocations: int
    billed_ms: float
    log_bytes: int
    secrets_manager_calls: int
    table_calls: int

    @classmethod
    def of(cls, rotation: Rotation) -> "Measured":
        """Read it off a measured rotation."""
        return cls(
            invocations=len(rotation.invocations),
            billed_ms=rotation.wall_ms,
            log_bytes=rotation.log_bytes,
            secrets_manager_calls=rotation.calls["secretsmanager"],
            table_calls=rotation.calls["dynamodb"],
        )


@dataclass(frozen=True)
class Fixed:
    """What the template deploys, whatever the number of secrets."""

    metrics: int
    alarm_metrics: int
    composites: int
    dashboards: int
    memory_gb: float

    @classmethod
    def of(cls, template: Path) -> "Fixed":
        """Count what the template deploys; a metric counts once for each combination of dimension values."""
        stack = Stack.load(template, {"SecretNamePrefix": "prod/"})
        alarms = read_alarms(stack).alarms
        plain = [alarm for alarm in alarms if not isinstance(alarm, CompositeAlarm)]
        return cls(
            metrics=billed_metrics(engines=1),
            alarm_metrics=sum(max(1, sum(query.key is not None for query in alarm.queries)) for alarm in plain),
            composites=len(alarms) - len(plain),
            dashboards=sum(1 for _ in stack.resources("AWS::CloudWatch::Dashboard")),
            memory_gb=float(stack.parameters["MemorySize"]) / 1024,  # type: ignore[arg-type]
        )


def billed_metrics(*, engines: int) -> int:
    """The most metrics that can ever exist: no secret, no rotation and no time is among the dimensions."""
    reasons = sum(1 for _ in error_classes())
    values = {SERVICE_SET: 1, STEP_SETS[0]: len(Step), STEP_SETS[1]: len(Step) * engines, REASON_SETS[0]: reasons}
    return sum(values[dimensions] for declared in DECLARATIONS.values() for dimensions in declared.dimension_sets)


def emitted_metrics(invocations: Sequence[Invocation]) -> set[object]:
    """The metrics that a run really brought forth, for comparison."""
    lines = (event for invocation in invocations for event in read_events(invocation.log_lines, "log"))
    return {point.key for event in lines for point in extract(event).points}


def monthly(fixed: Fixed, measured: Measured, secrets: int) -> dict[str, float]:
    """Dollars a month by item for secrets that rotate daily."""
    rotations = secrets * DAYS
    looks = _LOOKS_A_DAY * DAYS
    pages = math.ceil(secrets / PAGE_SIZE)
    seconds = rotations * measured.billed_ms / 1000 + looks * pages * _PROBE_SECONDS_A_PAGE
    requests = rotations * measured.invocations + looks
    return {
        "custom metrics": fixed.metrics * _METRIC,
        "alarms": fixed.alarm_metrics * _ALARM_METRIC + fixed.composites * _COMPOSITE,
        "dashboards": fixed.dashboards * _DASHBOARD,
        "key of the topics": _KEY,
        "logs": rotations * measured.log_bytes / _GB * _LOG_GB,
        "traces": requests * _TRACE,
        "Secrets Manager calls of rotations": rotations * measured.secrets_manager_calls * _SECRETS_CALL,
        "Secrets Manager calls of the probe": looks * pages * _SECRETS_CALL,
        "idempotency table": rotations * measured.table_calls * _TABLE_WRITE,
        "Lambda": requests * _LAMBDA_REQUEST + seconds * fixed.memory_gb * _LAMBDA_GB_SECOND,
    }


def table(fixed: Fixed, measured: Measured) -> Iterator[str]:
    """The rows of the README's table."""
    costs = [monthly(fixed, measured, secrets) for secrets in FLEETS]
    headings = (f"{secrets:,} secrets" for secrets in FLEETS)
    yield f"| dollars a month, each secret rotating daily | {' | '.join(headings)} |"
    yield "| --- |" + " ---: |" * len(FLEETS)
    yield f"| billed custom metrics (number) | {' | '.join(str(fixed.metrics) for _ in FLEETS)} |"
    for item in costs[0]:
        yield f"| {item} | {' | '.join(f'{cost[item]:,.2f}' for cost in costs)} |"
    yield f"| **together** | {' | '.join(f'**{sum(cost.values()):,.2f}**' for cost in costs)} |"


def main() -> None:
    """Measure a warm rotation, and print the table."""
    with deployments() as deployed, field(deployed) as stage:
        figures = measure(deployed, stage, rotations=5, cold_starts=1)
    measured = Measured.of(figures.warm[-1].product)
    Console(soft_wrap=True).print("\n".join(table(Fixed.of(Path(__file__).parents[2] / "template.yaml"), measured)))


if __name__ == "__main__":
    main()
