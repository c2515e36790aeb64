"""Lock and short memory: a hint that is checked, a duplicate that is told, and a store whose loss stops nothing."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from local.aws import AwsStage
from local.aws_faults import Disturbance
from local.contract.peers import answering
from rotation.aws import IDEMPOTENCY_PATIENCE, AwsClients
from rotation.errors import DuplicateInFlightError, LoginRefusedError
from rotation.idempotency import StepLock, StepTable
from rotation.models import Outcome, Progress, RotationEvent, Step
from rotation.step_record import StepRecord
from rotation.steps import StepResult

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "steps"
DONE = StepResult(Outcome.SUCCEEDED, Progress(1, 2, "postgres", "single-user"))


@dataclass
class Context:
    aws_request_id: str = "request"
    remaining_ms: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def event(step: Step = Step.SET, token: str = "t" * 32) -> RotationEvent:
    return RotationEvent(Step=step, SecretId="app/db", ClientRequestToken=token)


class Environment:
    """One execution environment: a lock of its own on the common table."""

    def __init__(self, client: Any, make_record: Callable[[], StepRecord]) -> None:
        self._lock = StepLock(StepTable(TABLE, client))
        self._make_record = make_record
        self.hints: list[Progress | None] = []
        self.facts: dict[str, Any] = {}

    def run(
        self,
        which: RotationEvent,
        work: Callable[[], StepResult] = lambda: DONE,
        context: Context | None = None,
    ) -> StepResult:
        record = self._make_record()
        self.facts = record.facts

        def noting_the_hint(hint: Progress | None) -> StepResult:
            self.hints.append(hint)
            return work()

        return self._lock.run_once(which, context or Context(), record, noting_the_hint)

    def remembers(self, which: RotationEvent) -> tuple[bool, Progress | None]:
        return self._lock.set_here(which), self._lock.progress(which)


@pytest.fixture(scope="module")
def dynamodb(aws: AwsStage) -> "DynamoDBClient":
    return aws.client("dynamodb")


@pytest.fixture
def environment(
    aws: AwsStage, dynamodb: "DynamoDBClient", clients: AwsClients, make_record: Callable[[], StepRecord]
) -> Iterator[Callable[[], Environment]]:
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client = clients.raw("dynamodb", IDEMPOTENCY_PATIENCE)
    yield lambda: Environment(client, make_record)
    aws.clear_faults()
    dynamodb.delete_table(TableName=TABLE)


Make = Callable[[], Environment]


def items(dynamodb: "DynamoDBClient") -> list[dict[str, Any]]:
    return list(dynamodb.scan(TableName=TABLE)["Items"])


def test_a_step_runs_without_a_hint_at_first_and_with_one_again(environment: Make) -> None:
    here = environment()
    here.run(event())
    here.run(event())
    assert here.hints == [None, DONE.progress]


def test_a_remembered_step_runs_again_and_its_new_result_counts(environment: Make) -> None:
    here, later = environment(), StepResult(Outcome.ALREADY_SET, Progress(1, 5, "postgres", "single-user"))
    here.run(event())
    assert here.run(event(), lambda: later) is later
    here.run(event())
    assert here.hints[-1] == later.progress


def test_the_hint_reaches_other_environments(environment: Make) -> None:
    environment().run(event())
    there = environment()
    there.run(event())
    assert there.hints == [DONE.progress]
    assert there.remembers(event()) == (True, DONE.progress)


@pytest.mark.parametrize("other", [event(Step.TEST), event(token="u" * 32)], ids=["step", "token"])
def test_other_steps_and_rotations_have_memories_of_their_own(environment: Make, other: RotationEvent) -> None:
    here = environment()
    here.run(event())
    here.run(other)
    assert here.hints == [None, None]


def test_a_failed_step_leaves_neither_lock_nor_memory(dynamodb: "DynamoDBClient", environment: Make) -> None:
    here = environment()

    def fail() -> StepResult:
        raise LoginRefusedError("refused")

    with pytest.raises(LoginRefusedError):
        here.run(event(), fail)
    assert items(dynamodb) == []
    here.run(event())
    assert here.hints == [None, None]


def test_a_repeated_step_that_fails_is_forgotten(environment: Make) -> None:
    here = environment()

    def fail() -> StepResult:
        raise LoginRefusedError("refused")

    here.run(event())
    with pytest.raises(LoginRefusedError):
        here.run(event(), fail)
    here.run(event())
    assert here.hints == [None, DONE.progress, None]


def test_a_duplicate_in_flight_is_told_to_come_back_and_does_nothing(environment: Make) -> None:
    here, there = environment(), environment()

    def meanwhile() -> StepResult:
        with pytest.raises(DuplicateInFlightError, match="running in another invocation"):
            there.run(event())
        return DONE

    here.run(event(), meanwhile)
    assert there.hints == []
    there.run(event())
    assert there.hints == [DONE.progress]


def test_the_lock_ends_with_the_time_of_the_invocation_that_holds_it(environment: Make) -> None:
    here, there = environment(), environment()

    def killed() -> StepResult:
        raise SystemExit

    with pytest.raises(SystemExit):
        here.run(event(), killed, Context(remaining_ms=-1_000))
    there.run(event())
    assert there.hints == [None]


def test_nothing_but_times_and_names_is_stored(dynamodb: "DynamoDBClient", environment: Make) -> None:
    environment().run(event())
    (item,) = items(dynamodb)
    assert set(item) == {"id", "data", "expiration", "in_progress_expiration", "status"}
    assert json.loads(item["data"]["S"]) == {
        "outcome": "succeeded",
        "progress": {"started_at_ms": 1, "changed_at_ms": 2, "engine": "postgres", "strategy": "single-user"},
    }
    assert "app/db" not in item["id"]["S"]
    assert "t" * 32 not in item["id"]["S"]


LOSSES = {
    "gone": lambda aws: aws.fail("dynamodb", code="ResourceNotFoundException", message="no table"),
    "denied": lambda aws: aws.fail("dynamodb", code="AccessDeniedException", message="no"),
    "dropped": lambda aws: aws.disturb("dynamodb", by=Disturbance.DROP),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_store_that_is_lost_stops_nothing_and_is_noted(
    aws: AwsStage, environment: Make, loss: Callable[[AwsStage], None]
) -> None:
    loss(aws)
    here = environment()
    assert here.run(event()) is DONE
    assert here.facts["store_lost"]
    assert here.remembers(event()) == (True, DONE.progress)


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_one_lost_call_is_enough_to_note_it(aws: AwsStage, environment: Make, operation: str) -> None:
    aws.fail("dynamodb", operation, code="AccessDeniedException", message="no")
    here = environment()
    assert here.run(event()) is DONE
    assert here.facts["store_lost"] == "AccessDeniedException"


def test_after_a_loss_the_step_waits_for_the_store_no_more(aws: AwsStage, environment: Make) -> None:
    aws.fail("dynamodb", code="AccessDeniedException", message="no")
    before = len(aws.calls)
    environment().run(event())
    assert [call.operation for call in aws.calls[before:]] == ["PutItem"]


def test_a_lost_deletion_does_not_hide_the_steps_own_error(aws: AwsStage, environment: Make) -> None:
    aws.fail("dynamodb", "DeleteItem", code="AccessDeniedException", message="no")

    def fail() -> StepResult:
        raise LoginRefusedError("refused")

    here = environment()
    with pytest.raises(LoginRefusedError):
        here.run(event(), fail)
    assert here.facts["store_lost"] == "AccessDeniedException"


def test_a_lock_whose_answer_was_lost_is_known_as_its_own(aws: AwsStage, environment: Make) -> None:
    aws.disturb("dynamodb", "PutItem", by=Disturbance.LOSE_ANSWER, times=1)
    here = environment()
    assert here.run(event()) is DONE
    assert "store_lost" not in here.facts
    here.run(event())
    assert here.hints == [None, DONE.progress]


def test_somebody_elses_lock_is_respected_after_a_retry_as_well(aws: AwsStage, environment: Make) -> None:
    here, there = environment(), environment()

    def meanwhile() -> StepResult:
        aws.disturb("dynamodb", "PutItem", by=Disturbance.DROP, times=1)
        with pytest.raises(DuplicateInFlightError):
            there.run(event(), context=Context(remaining_ms=60_000))
        return DONE

    here.run(event(), meanwhile)
    assert there.hints == []


def test_a_memory_of_another_version_of_the_function_is_no_hint(dynamodb: "DynamoDBClient", environment: Make) -> None:
    here = environment()
    here.run(event())
    (item,) = items(dynamodb)
    alien = {"outcome": "succeeded", "progress": {"started_at_ms": 1, "not_known_here": True}}
    dynamodb.put_item(TableName=TABLE, Item={**item, "data": {"S": json.dumps(alien)}})
    there = environment()
    there.run(event())
    assert there.hints == [None]


def test_the_table_answers_for_what_another_environment_set(environment: Make) -> None:
    here, there = environment(), environment()
    here.run(event())
    there.run(event(Step.FINISH))
    assert there.remembers(event()) == (False, DONE.progress)


def test_an_environment_remembers_a_bounded_number_of_rotations(environment: Make) -> None:
    here = environment()
    for number in range(257):
        here._lock._remember(event(token=f"{number:032}"), DONE)
    assert not here._lock.set_here(event(token=f"{0:032}"))
    assert here._lock.set_here(event(token=f"{256:032}"))


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"S": "no JSON"}},
        {"data": {"S": "[" * 100_000}},
        {"data": {"N": "1"}},
        {"data": {"S": "[1]"}},
        {"data": {"S": '"text"'}},
        {"data": {"S": '{"progress": 5}'}},
        {"data": {"S": '{"progress": {}}'}},
        {"data": {"S": '{"progress": {"started_at_ms": "yesterday"}}'}},
        {"data": {"S": '{"progress": {"started_at_ms": 1, "changed_at_ms": [1]}}'}},
        {"data": {"S": '{"progress": {"started_at_ms": 1, "engine": {"a": 1}}}'}},
        {"status": {"S": "SENTINEL"}},
        {"status": {"N": "1"}},
        {"status": None},
        {"expiration": {"S": "never"}},
        {"expiration": None},
        {"in_progress_expiration": {"S": "never"}},
        {"data": None},
    ],
    ids=lambda change: str(change)[:40],
)
def test_an_item_that_is_none_of_ours_stops_nothing_and_is_no_hint(
    dynamodb: "DynamoDBClient", environment: Make, change: dict[str, Any]
) -> None:
    here = environment()
    here.run(event())
    (item,) = items(dynamodb)
    spoilt = {key: value for key, value in {**item, **change}.items() if value is not None}
    dynamodb.put_item(TableName=TABLE, Item=spoilt)
    there = environment()
    there.run(event(Step.CREATE))
    assert there.remembers(event()) in {(False, None), (False, DONE.progress)}
    assert there.run(event()) is DONE
    assert there.hints[-1] in {None, DONE.progress}


def test_a_store_whose_answers_are_none_stops_nothing_and_is_noted(
    make_record: Callable[[], StepRecord], new_clients: Callable[[], AwsClients], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe[1")

    with answering(answer) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        here = Environment(new_clients().raw("dynamodb", IDEMPOTENCY_PATIENCE), make_record)
        assert here.run(event()) is DONE
    assert here.facts["store_lost"] == "UnicodeDecodeError"


def test_an_error_code_that_is_none_is_not_repeated(aws: AwsStage, environment: Make) -> None:
    aws.fail("dynamodb", code="the item {'password': 'x'} is too large", message="no")
    here = environment()
    assert here.run(event()) is DONE
    assert here.facts["store_lost"] == "an unknown error"
