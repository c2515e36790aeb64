"""What a demonstration saw, as data: the screen shows it and `--json` prints it. Nothing in it is secret."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class MetricSeen(_Record):
    """One value in a line of CloudWatch's embedded metric format, under each of its dimension sets."""

    name: str
    value: float
    unit: str
    dimensions: tuple[dict[str, str], ...]


class SpanSeen(_Record):
    """One part of a trace; `start_ms` counts from the start of the attempt's first part."""

    name: str
    start_ms: float
    duration_ms: float
    remote: bool
    fault: bool
    annotations: dict[str, Any]
    children: tuple["SpanSeen", ...]


class StepSeen(_Record):
    """One step; `log` is the one line it wrote, and None when the function did not come to write it.

    `duration_ms` is what Lambda bills; a cold start comes before it, `init_duration_ms`.
    """

    step: str
    duration_ms: float
    init_duration_ms: float | None
    log: dict[str, Any] | None
    metrics: tuple[MetricSeen, ...]

    @property
    def outcome(self) -> str:
        return str(self.log["outcome"]) if self.log else "lost"

    @property
    def reason(self) -> str | None:
        return self.log.get("reason") if self.log else None


class AttemptSeen(_Record):
    """Secrets Manager's way through the steps, to the last or to the one that failed.

    `failure` is what the function answered to Secrets Manager, `events` what EventBridge delivers.
    """

    secret: str
    version_id: str
    steps: tuple[StepSeen, ...]
    failed_step: str | None
    failure: str | None
    events: tuple[dict[str, Any], ...]
    trace: tuple[SpanSeen, ...]

    @property
    def event_names(self) -> tuple[str, ...]:
        return tuple(event["detail"]["eventName"] for event in self.events)

    @property
    def metrics(self) -> tuple[MetricSeen, ...]:
        return tuple(metric for step in self.steps for metric in step.metrics)


class LoginSeen(_Record):
    """A login that was tried with one version of the secret.

    `answer` is the server's or the network's word. The fingerprint tells passwords of this run apart, and nothing else.
    """

    label: str
    version_id: str
    user: str
    fingerprint: str
    accepted: bool
    answer: str


class Check(_Record):
    """Something that was promised, and whether it was seen."""

    claim: str
    holds: bool


class FailureSeen(_Record):
    """What was broken on purpose, what it led to, and how it was repaired."""

    step: str
    cause: str
    expected_reason: str
    attempt: AttemptSeen
    labels: dict[str, str]
    login: LoginSeen
    repair: str


class StepStatistics(_Record):
    """Durations of one step over all rotations, in milliseconds, cold start excluded."""

    step: str
    median_ms: float
    p95_ms: float
    max_ms: float


class Statistics(_Record):
    """Many rotations, one after the other; the logins that prove them are not in the time."""

    rotations: int
    seconds: float
    per_second: float
    steps: tuple[StepStatistics, ...]


class Demonstration(_Record):
    """All of it. `labels` holds the version id of each staging label at the end; `rotation` is the last one.

    `ok` is whether all checks hold. `seconds` is the whole run's time, the stage's included.
    """

    engine: str
    target: str
    strategy: str
    secret: str
    failure: FailureSeen | None
    rotation: AttemptSeen
    statistics: Statistics | None
    labels: dict[str, str]
    logins: tuple[LoginSeen, ...]
    checks: tuple[Check, ...]
    ok: bool
    seconds: float = 0.0
