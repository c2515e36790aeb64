"""What Secrets Manager does around a rotation function: begin, invoke step by step, judge, and publish events."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.secretsmanager.exceptions import SecretsManagerClientError

from local.aws import AwsStage
from local.invocation import Invocation
from local.lambda_runtime import LambdaFunction
from local.rotation_events import RotationEvent, eventbridge_event

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
TEST_STEPS = ("testSecret",)

# Called with None when a step begins and with its invocation when it has ended.
StepListener = Callable[[str, Invocation | None], None]


class RotationRefusedError(Exception):
    """Secrets Manager did not begin: `code` and the message are those of the API's error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class RotationReport:
    """How one run went. `failed_step` and `failure` are None on success; `invocations` end with the failed one."""

    secret_arn: str
    version_id: str
    is_test: bool
    invocations: dict[str, Invocation]
    failed_step: str | None
    failure: str | None
    events: tuple[dict[str, Any], ...]

    @property
    def succeeded(self) -> bool:
        return self.failed_step is None

    @property
    def log_lines(self) -> tuple[str, ...]:
        return tuple(line for invocation in self.invocations.values() for line in invocation.log_lines)


@dataclass(frozen=True)
class _Run:
    secret_arn: str
    version_id: str
    rotation_token: str | None
    is_test: bool


class RotationService:
    """Rotates the secrets of a stage by a function.

    `events` collects what EventBridge would have delivered, in order, over all rotations.
    """

    def __init__(self, stage: AwsStage, function: LambdaFunction, on_step: StepListener | None = None) -> None:
        self.function = function
        self._stage = stage
        self._on_step = on_step or (lambda _step, _invocation: None)
        self._last_runs: dict[str, _Run] = {}
        self.events: list[dict[str, Any]] = []
        with stage.secrets_manager() as backend:
            backend.on_abandonment = self._note_abandonment

    def rotate(
        self,
        secret_id: str,
        *,
        rotation_token: str | None = None,
        rotate_immediately: bool = True,
        token: str | None = None,
        rotation_rules: dict[str, Any] | None = None,
    ) -> RotationReport:
        """Begin a rotation and drive it to its end, or run only the test when `rotate_immediately` is false.

        With a `rotation_token` the service is as strict as AWS is about other accounts and assumed roles: the function has
        to hand it on to `PutSecretValue`.

        Raises:
            RotationRefusedError: it may not begin, for example because an earlier one is stuck.
        """
        version_id = token or str(uuid.uuid4())
        try:
            with self._stage.secrets_manager() as backend:
                backend.rotate_secret(secret_id, version_id, self.function.arn, rotation_rules, rotate_immediately)
                arn = backend.secret(secret_id).arn
        except SecretsManagerClientError as error:
            raise RotationRefusedError(error.error_type, error.message) from None
        run = _Run(arn, version_id, rotation_token, is_test=not rotate_immediately)
        self._last_runs[arn] = run
        return self._drive(run)

    def retry(self, secret_id: str) -> RotationReport:
        """Run the whole sequence of the last rotation again with the same token, as the service does after a failure."""
        return self._drive(self._last_runs[self._arn(secret_id)])

    def _drive(self, run: _Run) -> RotationReport:
        started, succeeded, failed = (
            (RotationEvent.TEST_STARTED, RotationEvent.TEST_SUCCEEDED, RotationEvent.TEST_FAILED)
            if run.is_test
            else (RotationEvent.STARTED, RotationEvent.SUCCEEDED, RotationEvent.FAILED)
        )
        first_event = self._publish(started, run.secret_arn)
        invocations, failure = self._invoke_steps(run)
        self._tidy_up(run, has_succeeded=failure is None)
        last_event = self._publish(failed if failure else succeeded, run.secret_arn)
        return RotationReport(
            secret_arn=run.secret_arn,
            version_id=run.version_id,
            is_test=run.is_test,
            invocations=invocations,
            failed_step=list(invocations)[-1] if failure else None,
            failure=failure,
            events=(first_event, last_event),
        )

    def _invoke_steps(self, run: _Run) -> tuple[dict[str, Invocation], str | None]:
        invocations: dict[str, Invocation] = {}
        for step in TEST_STEPS if run.is_test else STEPS:
            self._on_step(step, None)
            invocation = invocations[step] = self.function.invoke(_event(run, step))
            self._on_step(step, invocation)
            if failure := _failure(invocation) or self._objection(run, step):
                return invocations, failure
        return invocations, None

    def _objection(self, run: _Run, step: str) -> str | None:
        """What Secrets Manager has against the outcome of a step that the function calls a success."""
        with self._stage.secrets_manager() as backend:
            if step == "createSecret":
                came_with = backend.rotation_token_of(run.secret_arn, run.version_id)
                is_ours = run.rotation_token is None or came_with == run.rotation_token
                if not is_ours or not backend.has_value(run.secret_arn, run.version_id):
                    return (
                        f"Pending secret version {run.version_id} for Secret {run.secret_arn} was not created by Lambda "
                        f"{self.function.arn}. Remove the AWSPENDING staging label and restart rotation."
                    )
            under_way = backend.version_under_way(run.secret_arn)
            if step == "finishSecret" and under_way:
                return f"AWSPENDING is still attached to version {under_way}, which is not AWSCURRENT."
        return None

    def _tidy_up(self, run: _Run, *, has_succeeded: bool) -> None:
        with self._stage.secrets_manager() as backend:
            if run.is_test:
                backend.end_test(run.secret_arn, run.version_id)
            elif has_succeeded:
                backend.secret(run.secret_arn).last_rotation_date = int(time.time())

    def _arn(self, secret_id: str) -> str:
        with self._stage.secrets_manager() as backend:
            return backend.secret(secret_id).arn

    def _note_abandonment(self, secret_arn: str) -> None:
        self._publish(RotationEvent.ABANDONED, secret_arn)

    def _publish(self, name: RotationEvent, secret_arn: str) -> dict[str, Any]:
        event = eventbridge_event(name, secret_arn=secret_arn, account_id=self._stage.account_id, region=self._stage.region)
        self.events.append(event)
        return event


def _event(run: _Run, step: str) -> dict[str, str]:
    event = {"Step": step, "SecretId": run.secret_arn, "ClientRequestToken": run.version_id}
    return event if run.rotation_token is None else {**event, "RotationToken": run.rotation_token}


def _failure(invocation: Invocation) -> str | None:
    if invocation.throttled:
        return "TooManyRequestsException: Rate Exceeded."
    return None if invocation.succeeded else f"{invocation.error_type}: {invocation.error_message}"
