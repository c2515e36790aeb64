"""Listens to what Secrets Manager itself says of rotations, by way of EventBridge.

These events also cover rotations that never reached the function: a missing invoke permission, throttling, a deleted
function. They are counted beside the function's own metrics, so that a difference between the two can be seen.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.utilities.parser import ValidationError, parse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rotation.errors import ConfigurationInvalidError, EventInvalidError, ServiceReportedError
from rotation.metrics import Metric
from rotation.observability import LambdaContext, Observability
from rotation.settings import ReportingSettings, describe_validation

VALUES_BY_EVENT: Mapping[str, Mapping[Metric, float]] = {
    # A success also counts as no failure, so that the average of the failures is the failure rate.
    "RotationSucceeded": {Metric.SERVICE_ROTATION_SUCCEEDED: 1.0, Metric.SERVICE_ROTATION_FAILED: 0.0},
    "RotationFailed": {Metric.SERVICE_ROTATION_FAILED: 1.0},
    "RotationAbandoned": {Metric.SERVICE_ROTATION_ABANDONED: 1.0},
    "TestRotationSucceeded": {Metric.SERVICE_TEST_SUCCEEDED: 1.0},
    "TestRotationFailed": {Metric.SERVICE_TEST_FAILED: 1.0},
}
_FAILURES = frozenset({"RotationFailed", "RotationAbandoned"})


class _Subject(BaseModel):
    secret_id: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = Field(alias="SecretId")


class _Detail(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    event_name: Annotated[str, StringConstraints(max_length=128)] = Field(alias="eventName")
    subject: _Subject = Field(alias="additionalEventData")


class ServiceEvent(BaseModel):
    """EventBridge's envelope around a service event of CloudTrail."""

    model_config = ConfigDict(hide_input_in_errors=True)

    detail: _Detail


class Listener:
    """Counts the service's events."""

    def __init__(self, settings: ReportingSettings) -> None:
        self._observability = Observability(settings)

    def hear(self, raw_event: Any, context: LambdaContext) -> dict[str, str]:
        """Count one event; one that is not known is ignored."""
        with self._observability.watch(context, "service_events") as report:
            try:
                detail = parse(event=raw_event, model=ServiceEvent).detail
            except ValidationError as error:
                raise EventInvalidError(describe_validation(error)) from None
            report.record.note(event=detail.event_name, secret_arn=detail.subject.secret_id)
            values = VALUES_BY_EVENT.get(detail.event_name, {})
            report.measure(values)
            if detail.event_name in _FAILURES:
                report.fault(ServiceReportedError(f"Secrets Manager reports {detail.event_name}"))
        return {"event": detail.event_name, "counted": str(bool(values)).lower()}


@cache
def listener() -> Listener:
    """The environment's listener."""
    return Listener(ReportingSettings.from_environment(os.environ))


def lambda_handler(event: Any, context: LambdaContext) -> dict[str, str]:
    """What EventBridge invokes."""
    try:
        ready = listener()
    except ConfigurationInvalidError as error:
        with Observability(ReportingSettings.for_reporting(os.environ)).watch(context, "service_events"):
            raise error from None
    return ready.hear(event, context)
