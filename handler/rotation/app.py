"""Lambda's entry point: parse the event, wire the collaborators, run one step, report one outcome."""

import gc

# To import makes many objects and no garbage: a cold start is shorter by an eighth if nobody looks for any meanwhile.
gc.disable()

import os
import time
from contextlib import suppress
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.parser import ValidationError, parse

from rotation.aws import IDEMPOTENCY_PATIENCE, AwsClients
from rotation.databases import RdsDirectory, SuperuserDirectory
from rotation.deadline import Deadline
from rotation.engines import engine_for
from rotation.engines.invocation import Invocation
from rotation.errors import ConfigurationInvalidError, EventInvalidError
from rotation.idempotency import StepLock, StepTable
from rotation.models import Progress, RotationEvent, RunKind
from rotation.observability import LambdaContext, Observability
from rotation.passwords import new_password
from rotation.secret_store import SecretsManagerStore
from rotation.settings import ReportingSettings, Settings, describe_validation
from rotation.step_record import StepRecord
from rotation.steps import Rotation, StepResult, run_step


class Application:
    """One execution environment's handler with everything that outlives an invocation."""

    def __init__(self, settings: Settings, clients: AwsClients) -> None:
        self._settings = settings
        self._clients = clients
        self._observability = Observability(settings)
        self._lock = StepLock(StepTable(settings.idempotency_table, clients.raw("dynamodb", IDEMPOTENCY_PATIENCE)))
        clients.raw("secretsmanager")  # made now rather than in the first step

    def handle(self, raw_event: Any, context: LambdaContext) -> dict[str, str]:
        """Run the step that the event asks for; the answer names the outcome and is not used by Secrets Manager.

        Raises:
            RotationError: the step failed, was refused or is running elsewhere.
        """
        with self._observability.step(context) as record:
            event = _parse(raw_event)
            record.note(
                step=event.step.value,
                secret_id=event.secret_id,
                rotation_id=event.client_request_token,
                run_kind=RunKind.ROTATION.value,
            )
            result = self._lock.run_once(event, context, record, lambda hint: self._run(event, context, record, hint))
            record.note(outcome=result.outcome.value, replayed=result.outcome.is_replay or None)
        return {"step": event.step.value, "outcome": result.outcome.value}

    def _run(self, event: RotationEvent, context: LambdaContext, record: StepRecord, hint: Progress | None) -> StepResult:
        deadline = Deadline(context.get_remaining_time_in_millis, self._settings.report_reserve_seconds)
        self._clients.deadline = deadline
        store = SecretsManagerStore(self._clients.calls("secretsmanager", record), event)
        engines = engine_for(
            Invocation(self._settings, deadline, record, aws=lambda service: self._clients.calls(service, record))
        )
        try:
            with deadline.enforced():
                return run_step(
                    Rotation(
                        event=event,
                        store=store,
                        engine_for=engines,
                        superusers=SuperuserDirectory(
                            store, RdsDirectory(lambda: self._clients.calls("rds", record)), engines
                        ),
                        new_password=partial(new_password, self._settings.password),
                        default_strategy=self._settings.strategy,
                        record=record,
                        remembered=hint,
                        progress=lambda: self._lock.progress(event),
                        set_here=self._lock.set_here(event),
                        now_ms=lambda: time.time_ns() // 1_000_000,
                        pauses=deadline.pauses,
                    )
                )
        finally:
            self._clients.deadline = None


@cache
def application() -> Application:
    """The environment's application; a failure to build it is not cached, so every invocation reports it."""
    return Application(Settings.from_environment(os.environ), AwsClients())


@cache
def _bare_observability() -> Observability:
    """Reports that the settings are wrong; made once, or every invocation would count as a cold start."""
    return Observability(ReportingSettings.for_reporting(os.environ))


def lambda_handler(event: Any, context: LambdaContext) -> dict[str, str]:
    """What Secrets Manager invokes, once per step."""
    try:
        handler = application()
    except ConfigurationInvalidError as error:
        with _bare_observability().step(context):
            raise error from None
    return handler.handle(event, context)


def _parse(raw_event: Any) -> RotationEvent:
    try:
        return parse(event=raw_event, model=RotationEvent)
    except ValidationError as error:
        raise EventInvalidError(describe_validation(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever is wrong with an event, the answer is the same
        raise EventInvalidError(f"the event is no JSON object ({type(error).__name__})") from None


# Lambda gives the initialisation a full CPU, so the clients are made there. A wrong setting is left to the first
# invocation, which can report it with its reason; an exception here would only be an anonymous import error.
with suppress(ConfigurationInvalidError):
    application()
gc.freeze()  # all this stays as long as the process
gc.enable()
