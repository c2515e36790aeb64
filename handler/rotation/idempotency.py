"""A lock against concurrent duplicates, and a short memory that is only ever a hint.

Built on Powertools' idempotency, with three differences that a rotation needs:

* A remembered success is no answer. The step runs again with the memory as a hint, checks the labels and the target, and
  finds nothing to do if they agree. So a database restored from backup, or a retry after a failed testSecret, is seen.
* A store that fails is no obstacle. The step runs without lock and memory, and the loss is counted.
* A duplicate in flight is told to come back; it is neither done nor failed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from botocore.exceptions import ClientError

from rotation.aws import code_of
from rotation.errors import DuplicateInFlightError
from rotation.models import Progress, RotationEvent, Step
from rotation.observability import LambdaContext
from rotation.step_record import StepRecord
from rotation.steps import StepResult

MEMORY_SECONDS = 86_400
_REMEMBERED_ROTATIONS = 256
_PHASE = "dynamodb"

Run = Callable[[Progress | None], StepResult]


class StepTable(DynamoDBPersistenceLayer):
    """Powertools' DynamoDB store whose outage is a loss and not an error."""

    _record: StepRecord

    def __init__(self, table: str, client: Any) -> None:
        super().__init__(table_name=table, boto3_client=client)
        self._lost = False

    def begin(self, record: StepRecord) -> None:
        """Start counting for a step."""
        self._record, self._lost = record, False

    @contextmanager
    def _tolerant(self, operation: str) -> Iterator[None]:
        try:
            with self._record.call(_PHASE, operation):
                yield
        except Exception as error:  # noqa: BLE001 - an answer or an item that is none fails with anything
            # One loss is enough to know: further calls of this step would only wait for the same timeout.
            self._lost = True
            self._record.note(store_lost=code_of(error) if isinstance(error, ClientError) else type(error).__name__)

    def _item_to_data_record(self, data: dict[str, Any]) -> DataRecord:
        data_record = super()._item_to_data_record(data)
        # Read here, where it may fail.
        data_record.response_json_as_dict()
        return data_record

    def _put_record(self, data_record: DataRecord) -> None:
        existing = None
        with self._tolerant("put_item"):
            try:
                super()._put_record(data_record)
            except IdempotencyItemAlreadyExistsError as error:
                existing = error  # an answer, not a failed call
        if existing is not None and not _is_our_own(existing, data_record):
            raise existing

    def _update_record(self, data_record: DataRecord) -> None:
        if not self._lost:
            with self._tolerant("update_item"):
                super()._update_record(data_record)

    def _delete_record(self, data_record: DataRecord) -> None:
        if not self._lost:
            with self._tolerant("delete_item"):
                super()._delete_record(data_record)

    def _get_record(self, idempotency_key: str) -> DataRecord:
        found = None
        if not self._lost:
            with self._tolerant("get_item"), suppress(IdempotencyItemNotFoundError):
                found = super()._get_record(idempotency_key)
        if found is None:
            raise IdempotencyItemNotFoundError
        return found


class StepLock:
    """Runs a step unless the same one is running elsewhere, and passes hints from run to run."""

    def __init__(self, table: StepTable) -> None:
        self._table = table
        self._here: dict[str, Progress] = {}

    def run_once(self, event: RotationEvent, context: LambdaContext, record: StepRecord, run: Run) -> StepResult:
        """Run the step, giving it what an earlier run of it left behind.

        Raises:
            DuplicateInFlightError: another invocation runs the same step of the same rotation.
        """
        results: list[StepResult] = []

        def first(*, key: dict[str, str]) -> dict[str, Any]:  # noqa: ARG001 - Powertools reads it
            results.append(run(None))
            return _stored(results[-1])

        def again(response: dict[str, Any] | None, idempotent_data: DataRecord) -> dict[str, Any]:  # noqa: ARG001
            key = _key(event, event.step)
            try:
                results.append(run(_progress(response)))
            except Exception as error:
                # The world has changed: forget.
                self._table.delete_record(key, error)
                raise
            stored = _stored(results[-1])
            self._table.save_success(key, stored)
            return stored

        config = IdempotencyConfig(expires_after_seconds=MEMORY_SECONDS, response_hook=again, hash_function="sha256")
        config.register_lambda_context(context)  # type: ignore[arg-type]
        self._table.begin(record)
        guarded = idempotent_function(
            first, data_keyword_argument="key", persistence_store=self._table, config=config, key_prefix="step"
        )
        try:
            guarded(key=_key(event, event.step))
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
            raise DuplicateInFlightError("the same step of this rotation is running in another invocation") from None
        self._remember(event, results[-1])
        return results[-1]

    def set_here(self, event: RotationEvent) -> bool:
        """Whether this environment ran setSecret for the event's token."""
        return event.client_request_token in self._here

    def progress(self, event: RotationEvent) -> Progress | None:
        """What setSecret left behind for the event's token, from this environment or from the table."""
        if (here := self._here.get(event.client_request_token)) is not None:
            return here
        try:
            stored = self._table.get_record(_key(event, Step.SET))
        except IdempotencyItemNotFoundError:
            return None
        return _progress(stored.response_json_as_dict()) if stored else None

    def _remember(self, event: RotationEvent, result: StepResult) -> None:
        if event.step is Step.SET and result.progress is not None:
            if len(self._here) >= _REMEMBERED_ROTATIONS:
                self._here.pop(next(iter(self._here)))
            self._here[event.client_request_token] = result.progress


def _is_our_own(existing: IdempotencyItemAlreadyExistsError, data_record: DataRecord) -> bool:
    """Whether the lock in the way is this invocation's: its first attempt took effect, but the answer was lost."""
    refusal, lock = existing.__cause__, existing.old_data_record
    was_retried = isinstance(refusal, ClientError) and refusal.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
    return was_retried and lock is not None and lock.in_progress_expiry_timestamp == data_record.in_progress_expiry_timestamp


def _key(event: RotationEvent, step: Step) -> dict[str, str]:
    return {"secret": event.secret_id, "token": event.client_request_token, "step": step.value}


def _stored(result: StepResult) -> dict[str, Any]:
    """What is written to the table: times and names, nothing of the secret's value."""
    return {"outcome": result.outcome.value, "progress": asdict(result.progress) if result.progress else None}


def _progress(stored: Any) -> Progress | None:
    try:
        progress = Progress(**stored["progress"])
    except (KeyError, TypeError):
        return None  # left behind by another version of this function, or by somebody else
    times = (progress.started_at_ms, progress.changed_at_ms or 0)
    names = (progress.engine or "", progress.strategy or "")
    is_ours = all(isinstance(time, int) for time in times) and all(isinstance(name, str) for name in names)
    return progress if is_ours else None
