"""One real failure for each step: how it is caused, what the function has to make of it, and how it is repaired."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.demo_stage import DemoStage
from local.targets.target import Target
from rotation.errors import AccessDeniedError, KmsDeniedError, PortClosedError, RotationError
from rotation.models import PENDING, Step


@dataclass(frozen=True)
class Failure:
    """`break_it` is called when the step begins, `mend_it` before Secrets Manager tries again."""

    cause: str
    error: type[RotationError]
    repair: str
    break_it: Callable[[DemoStage], None]
    mend_it: Callable[[DemoStage], None]


def _deny_kms(stage: DemoStage) -> None:
    stage.aws.fail("secretsmanager", "GetSecretValue", code="AccessDeniedException", message="Access to KMS is not allowed")


def _deny_finish(stage: DemoStage) -> None:
    role = f"arn:aws:sts::{stage.aws.account_id}:assumed-role/rotation/demo"
    stage.aws.fail(
        "secretsmanager",
        "UpdateSecretVersionStage",
        code="AccessDeniedException",
        message=f"User: {role} is not authorized to perform: secretsmanager:UpdateSecretVersionStage",
    )


def _allow(stage: DemoStage) -> None:
    stage.aws.clear_faults()


def _pending_user(stage: DemoStage) -> str:
    _, document = stage.version(PENDING)
    return str(document["username"])


def failures_on(target: Target) -> Mapping[Step, Failure]:
    """The failures, in the words of the target."""
    return {
        Step.CREATE: Failure(
            cause="the role loses its right to the secret's KMS key",
            error=KmsDeniedError,
            repair="the role gets its right back",
            break_it=_deny_kms,
            mend_it=_allow,
        ),
        Step.SET: Failure(
            cause=f"{target.title} is stopped",
            error=PortClosedError,
            repair=f"{target.title} is started again",
            break_it=lambda stage: stage.target.stop(),
            mend_it=lambda stage: stage.target.start(),
        ),
        Step.TEST: Failure(
            cause=target.barring,
            error=target.barred_as,
            repair=target.unbarring,
            break_it=lambda stage: stage.target.bar(_pending_user(stage)),
            mend_it=lambda stage: stage.target.unbar(_pending_user(stage)),
        ),
        Step.FINISH: Failure(
            cause="the role loses its right to UpdateSecretVersionStage",
            error=AccessDeniedError,
            repair="the role gets its right back",
            break_it=_deny_finish,
            mend_it=_allow,
        ),
    }
