"""Every metric, declared once. What is not in this table is not emitted, drawn or alarmed on.

The number of billed metrics is fixed by the dimensions below and never grows with the number of secrets: secret and token
travel as EMF properties, which Logs Insights can search and CloudWatch does not bill as metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit


class Metric(StrEnum):
    """Names of all metrics."""

    STEP_DURATION = "StepDuration"
    STEP_SUCCEEDED = "StepSucceeded"
    STEP_FAILED = "StepFailed"
    REMAINING_TIME = "RemainingTime"
    ROTATION_SUCCEEDED = "RotationSucceeded"
    ROTATION_FAILED = "RotationFailed"
    ROTATION_DURATION = "RotationDuration"
    CREDENTIAL_GAP = "CredentialGap"
    TEST_RUN_SUCCEEDED = "TestRunSucceeded"
    TEST_RUN_FAILED = "TestRunFailed"
    COLD_START = "ColdStart"
    INVOCATION_FAILED = "InvocationFailed"
    STEP_REPLAYED = "StepReplayed"
    DUPLICATE_IN_FLIGHT = "DuplicateInFlight"
    IDEMPOTENCY_STORE_LOST = "IdempotencyStoreLost"
    FAILURES = "Failures"
    SERVICE_ROTATION_SUCCEEDED = "ServiceRotationSucceeded"
    SERVICE_ROTATION_FAILED = "ServiceRotationFailed"
    SERVICE_ROTATION_ABANDONED = "ServiceRotationAbandoned"
    SERVICE_TEST_SUCCEEDED = "ServiceTestRotationSucceeded"
    SERVICE_TEST_FAILED = "ServiceTestRotationFailed"
    PROBE_SUCCEEDED = "ProbeSucceeded"
    SECRETS_WATCHED = "SecretsWatched"
    SECRETS_OVERDUE = "SecretsOverdue"
    SECRETS_UNFINISHED = "SecretsUnfinished"
    SECRETS_STUCK = "SecretsStuck"
    SECRETS_SWITCHED_OFF = "SecretsSwitchedOff"
    OLDEST_PENDING_AGE = "OldestPendingAge"
    OLDEST_CREDENTIAL_AGE = "OldestCredentialAge"


SERVICE_SET = ("service",)
STEP_SETS = (("service", "step"), ("service", "step", "engine"))
REASON_SETS = (("service", "reason"),)


@dataclass(frozen=True)
class Declaration:
    """Unit, dimension sets and meaning of one metric."""

    unit: MetricUnit
    dimension_sets: tuple[tuple[str, ...], ...]
    meaning: str


DECLARATIONS: Mapping[Metric, Declaration] = {
    Metric.STEP_DURATION: Declaration(MetricUnit.Milliseconds, STEP_SETS, "Wall time of one step."),
    Metric.STEP_SUCCEEDED: Declaration(MetricUnit.Count, STEP_SETS, "1 for a step that ended well, else 0."),
    Metric.STEP_FAILED: Declaration(MetricUnit.Count, STEP_SETS, "1 for a step that failed, else 0."),
    Metric.REMAINING_TIME: Declaration(
        MetricUnit.Milliseconds, STEP_SETS, "Time the invocation had left when the step ended."
    ),
    Metric.ROTATION_SUCCEEDED: Declaration(MetricUnit.Count, (SERVICE_SET,), "1 when AWSCURRENT was moved."),
    Metric.ROTATION_FAILED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for each attempt at a rotation that a failed step ended, 0 at a success."
    ),
    Metric.ROTATION_DURATION: Declaration(
        MetricUnit.Milliseconds, (SERVICE_SET,), "From the new version's creation until it is AWSCURRENT."
    ),
    Metric.CREDENTIAL_GAP: Declaration(
        MetricUnit.Milliseconds,
        (SERVICE_SET,),
        "How long AWSCURRENT did not open the target: from the change in the target until AWSCURRENT moved; "
        "0 for alternating users.",
    ),
    Metric.TEST_RUN_SUCCEEDED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for a run with RotateImmediately=false that ended well."
    ),
    Metric.TEST_RUN_FAILED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for a run with RotateImmediately=false that failed."
    ),
    Metric.COLD_START: Declaration(MetricUnit.Count, (SERVICE_SET,), "1 for an environment's first invocation, else 0."),
    Metric.INVOCATION_FAILED: Declaration(
        MetricUnit.Count,
        (SERVICE_SET,),
        "1 for an invocation the handler ended with an error on purpose (a failure or a duplicate in flight), else 0; "
        "AWS/Lambda Errors beyond it mean that the handler never ran or was killed.",
    ),
    Metric.STEP_REPLAYED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for a repeated step that was found to be done, else 0."
    ),
    Metric.DUPLICATE_IN_FLIGHT: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for a step that another invocation was running, else 0."
    ),
    Metric.IDEMPOTENCY_STORE_LOST: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for a step that ran without lock and memory, else 0."
    ),
    Metric.FAILURES: Declaration(MetricUnit.Count, REASON_SETS, "1 for each failed invocation, by reason."),
    Metric.SERVICE_ROTATION_SUCCEEDED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for each RotationSucceeded event of Secrets Manager."
    ),
    Metric.SERVICE_ROTATION_FAILED: Declaration(
        MetricUnit.Count,
        (SERVICE_SET,),
        "1 for each RotationFailed event, also where the function was never reached; 0 at a success.",
    ),
    Metric.SERVICE_ROTATION_ABANDONED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "1 for each RotationAbandoned event: Secrets Manager has given up."
    ),
    Metric.SERVICE_TEST_SUCCEEDED: Declaration(MetricUnit.Count, (SERVICE_SET,), "1 for each TestRotationSucceeded event."),
    Metric.SERVICE_TEST_FAILED: Declaration(MetricUnit.Count, (SERVICE_SET,), "1 for each TestRotationFailed event."),
    Metric.PROBE_SUCCEEDED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "The probe's heartbeat: 1 for each look at all secrets that was completed."
    ),
    Metric.SECRETS_WATCHED: Declaration(MetricUnit.Count, (SERVICE_SET,), "Secrets that name the rotation function."),
    Metric.SECRETS_OVERDUE: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "Secrets whose NextRotationDate has passed by more than the grace."
    ),
    Metric.SECRETS_UNFINISHED: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "Secrets with a rotation begun and not finished: AWSPENDING without AWSCURRENT."
    ),
    Metric.SECRETS_STUCK: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "Unfinished secrets whose AWSPENDING is older than the limit."
    ),
    Metric.SECRETS_SWITCHED_OFF: Declaration(
        MetricUnit.Count, (SERVICE_SET,), "Secrets that name the rotation function but have rotation switched off."
    ),
    Metric.OLDEST_PENDING_AGE: Declaration(
        MetricUnit.Seconds, (SERVICE_SET,), "Age of the oldest unfinished AWSPENDING; 0 if there is none."
    ),
    Metric.OLDEST_CREDENTIAL_AGE: Declaration(
        MetricUnit.Seconds, (SERVICE_SET,), "Age of the oldest AWSCURRENT; 0 if there is none."
    ),
}


def emit(
    namespace: str,
    values: Mapping[Metric, float],
    dimensions: Mapping[str, str],
    properties: Mapping[str, Any],
    *,
    at_ms: int,
) -> None:
    """Write one embedded-metric-format line per group of metrics that share their dimension sets.

    Args:
        namespace: CloudWatch namespace.
        values: What was measured, in the declared units.
        dimensions: A value for each dimension the given metrics use.
        properties: Searchable detail of any cardinality; nothing secret.
        at_ms: When the invocation began, milliseconds since the epoch. Lambda's own metrics carry the beginning too, and
            an alarm that compares the two must find them in the same period.
    """
    groups: dict[tuple[tuple[str, ...], ...], list[Metric]] = {}
    for metric in values:
        groups.setdefault(DECLARATIONS[metric].dimension_sets, []).append(metric)
    for sets, metrics in groups.items():
        record = EphemeralMetrics(namespace=namespace)
        first, *others = sets
        for name in first:
            record.add_dimension(name, dimensions[name])
        for other in others:
            record.add_dimensions(**{name: dimensions[name] for name in other})
        for metric in metrics:
            record.add_metric(metric.value, DECLARATIONS[metric].unit, values[metric])
        for key, value in properties.items():
            record.add_metadata(key, value)
        record.set_timestamp(at_ms)
        record.flush_metrics()
