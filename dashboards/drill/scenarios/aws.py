"""AWS denies, throttles, or does not answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dashboards.drill.scenario import Cause, Scenario
from dashboards.drill.scenarios.spoiling import obstacle, spoilt
from dashboards.drill.stage import Stage
from dashboards.drill.victim import Victim
from local.aws import AwsStage
from local.aws_faults import Disturbance

_STORE_LOST = frozenset({"idempotency-store-lost"})


def _spoilt_by(name: str, title: str, reason: str, explained_by: str, fault: Callable[[AwsStage], None]) -> Scenario:
    """A scenario in which calls to AWS go wrong."""

    @contextmanager
    def calls_go_wrong(stage: Stage, _victim: Victim) -> Iterator[None]:
        fault(stage.aws)
        yield
        stage.aws.clear_faults()

    return spoilt(name, title, obstacle(calls_go_wrong), reason, explained_by)


def _denied(aws: AwsStage) -> None:
    action = "secretsmanager:PutSecretValue"
    text = f"User: arn:aws:sts::{aws.account_id}:assumed-role/rotation is not authorized to perform: {action}"
    aws.fail("secretsmanager", "PutSecretValue", code="AccessDeniedException", message=text)


@contextmanager
def _table_gone(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    stage.aws.client("dynamodb").delete_table(TableName=stage.deployment.table)
    victim.rotate()
    yield
    stage.create_table()
    victim.succeed()
    victim.forget()


def _table_throttled(operation: str) -> Cause:
    """The table throttles an operation. finishSecret reads it only if another environment ran setSecret."""

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        victim = stage.victim()
        text = "The level of configured provisioned throughput for the table was exceeded."
        stage.aws.fail("dynamodb", operation, code="ProvisionedThroughputExceededException", message=text)
        stage.before_step["finishSecret"] = stage.rotation.recycle
        victim.rotate()
        yield
        stage.aws.clear_faults()
        victim.succeed()
        victim.forget()

    return cause


AWS = (
    _spoilt_by("access-denied", "The role loses its right to store values", "access_denied", "permission", _denied),
    _spoilt_by(
        "kms-denied",
        "The role loses its right to the secret's key",
        "kms_denied",
        "permission",
        lambda aws: aws.fail(
            "secretsmanager", "GetSecretValue", code="AccessDeniedException", message="Access to KMS is not allowed"
        ),
    ),
    _spoilt_by(
        "aws-throttled",
        "Secrets Manager throttles",
        "throttled",
        "aws",
        lambda aws: aws.fail("secretsmanager", "DescribeSecret", code="ThrottlingException", message="Rate exceeded"),
    ),
    _spoilt_by(
        "aws-unavailable",
        "Secrets Manager drops the connections",
        "aws_unavailable",
        "aws",
        lambda aws: aws.disturb("secretsmanager", "GetSecretValue", by=Disturbance.DROP),
    ),
    _spoilt_by(
        "aws-rejects",
        "Secrets Manager rejects the new value",
        "aws_rejected",
        "aws",
        lambda aws: aws.fail(
            "secretsmanager", "PutSecretValue", code="InvalidParameterException", message="The value is not valid"
        ),
    ),
    Scenario("table-gone", "The idempotency table is deleted", _table_gone, _STORE_LOST),
    Scenario(
        "table-writes-throttled",
        "The idempotency table throttles writes",
        _table_throttled("PutItem"),
        _STORE_LOST | {"table-throttled"},
    ),
    Scenario(
        "table-reads-throttled",
        "The idempotency table throttles reads",
        _table_throttled("GetItem"),
        _STORE_LOST | {"table-throttled"},
    ),
)
