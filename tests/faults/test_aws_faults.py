"""A fault at every call to AWS of every step: the step fails in time and by name, and the repetition succeeds."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from local.aws import AwsStage
from local.aws_faults import Disturbance
from tests.faults.lanes import TIMEOUT_SECONDS, Lane, Lanes, State
from tests.functional.seen import Seen
from tests.functional.world import STEPS

CALLS = {
    "createSecret": (
        "dynamodb.PutItem",
        "secretsmanager.DescribeSecret",
        "secretsmanager.GetSecretValue",
        "secretsmanager.PutSecretValue",
        "dynamodb.UpdateItem",
    ),
    "setSecret": (
        "dynamodb.PutItem",
        "secretsmanager.DescribeSecret",
        "secretsmanager.GetSecretValue",
        "secretsmanager.GetSecretValue",
        "dynamodb.UpdateItem",
    ),
    "testSecret": (
        "dynamodb.PutItem",
        "secretsmanager.DescribeSecret",
        "secretsmanager.GetSecretValue",
        "dynamodb.UpdateItem",
    ),
    "finishSecret": (
        "dynamodb.PutItem",
        "secretsmanager.DescribeSecret",
        "secretsmanager.GetSecretValue",
        "secretsmanager.UpdateSecretVersionStage",
        "dynamodb.UpdateItem",
    ),
}
"""The calls of a healthy rotation."""


@dataclass(frozen=True)
class Place:
    """One call of one step."""

    strategy: str
    step: str
    number: int
    call: str

    def __str__(self) -> str:
        return f"{self.step}-{self.number}-{self.call.partition('.')[2]}"


PLACES = [Place("single-user", step, number, call) for step in STEPS for number, call in enumerate(CALLS[step])]
# Where a superuser helps, its secret is read as well.
PLACES.append(Place("alternating-users", "setSecret", 4, "secretsmanager.GetSecretValue"))
OF_THE_SECRET = [place for place in PLACES if place.call.startswith("secretsmanager.")]
OF_THE_TABLE = [place for place in PLACES if place.call.startswith("dynamodb.")]

Cause = Callable[[AwsStage, str, str], None]


def error(code: str, message: str = "AWS's words", status: int = 400, times: int | None = None) -> Cause:
    return lambda aws, service, operation: aws.fail(
        service, operation, code=code, message=message, status=status, times=times
    )


def disturbance(by: Disturbance, times: int | None = None) -> Cause:
    return lambda aws, service, operation: aws.disturb(service, operation, by=by, times=times)


LASTING: dict[str, tuple[Cause, str]] = {
    "access denied": (error("AccessDeniedException"), "access_denied"),
    "key denied": (error("AccessDeniedException", "Access to KMS is not allowed"), "kms_denied"),
    "throttled": (error("ThrottlingException"), "throttled"),
    "broken": (error("InternalServiceError", status=500), "aws_unavailable"),
    "dropped": (disturbance(Disturbance.DROP), "aws_unavailable"),
    "hanging": (disturbance(Disturbance.HANG), "deadline"),
}
"""Faults of Secrets Manager that last, and the reason they are reported by."""
PASSING: dict[str, Cause] = {
    "throttled once": error("ThrottlingException", times=1),
    "answer lost once": disturbance(Disturbance.LOSE_ANSWER, times=1),
}
"""Faults that a retry within the call overcomes."""
LOSSES: dict[str, Cause] = {
    "gone": error("ResourceNotFoundException"),
    "denied": error("AccessDeniedException"),
    "throttled": error("ProvisionedThroughputExceededException"),
    "dropped": disturbance(Disturbance.DROP),
    "hanging": disturbance(Disturbance.HANG),
}
"""Faults of the idempotency table that last."""


@dataclass(frozen=True)
class Case:
    """A fault at a place."""

    place: Place
    fault: str
    cause: Cause

    def __str__(self) -> str:
        return f"{self.place}-{self.fault}"


@dataclass(frozen=True)
class Story:
    """What happened: the step that met the fault, the world after it, the repetition, and the world after that.

    `attempts` is how many calls met the fault.
    """

    token: str
    old_version: str
    seen: Seen
    attempts: int
    between: State
    repeated: dict[str, Seen]
    after: State


def cases(places: list[Place], causes: dict[str, Cause]) -> list[Case]:
    return [Case(place, fault, cause) for fault, cause in causes.items() for place in places]


LASTING_CASES = cases(OF_THE_SECRET, {fault: cause for fault, (cause, _reason) in LASTING.items()})
PASSING_CASES = cases(PLACES, PASSING)
LOSS_CASES = cases(OF_THE_TABLE, {fault: LOSSES[fault] for fault in ("denied", "dropped", "hanging")})


def tell(lane: Lane, case: Case) -> Story:
    """Let one step meet the fault, then heal and repeat."""
    run = lane.begin(strategy=case.place.strategy)
    old, old_version = lane.world.value(run.secret_arn), lane.world.labels(run.secret_arn)["AWSCURRENT"]
    lane.until(case.place.step, run)
    service, _, operation = case.place.call.partition(".")
    lane.before_call(case.place.number, lambda: case.cause(lane.world.aws, service, operation))
    before = len(lane.calls)
    seen = lane.deployed.step(case.place.step, run)
    lane.heal()
    attempts = sum(call.error is not None for call in lane.calls[before:])
    between = lane.state(run, old)
    if service == "dynamodb":
        # A lock that could not be released holds until the time of the invocation is over.
        lane.world.let_locks_expire()
    return Story(run.token, old_version, seen, attempts, between, lane.repeat(run), lane.state(run, old))


Stories = dict[Case, Story | Exception]


@pytest.fixture(scope="module")
def stories(lanes: Lanes) -> Stories:
    # The longest waits come first, so that all lanes end at about the same time.
    ordered = sorted([*LASTING_CASES, *PASSING_CASES, *LOSS_CASES], key=lambda case: "hanging" not in case.fault)
    return lanes.map(tell, ordered)


def story_of(stories: Stories, case: Case) -> Story:
    story = stories[case]
    if isinstance(story, Exception):
        raise story
    return story


def check_the_end(story: Story, case: Case) -> None:
    """Whatever was in between, the repetition ends with the new credential, current and alone."""
    assert story.after.current_version == story.token
    assert story.after.new_opens
    assert story.after.old_opens == (case.place.strategy == "alternating-users")


@pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
def test_these_are_all_the_calls_of_a_healthy_rotation(lanes: Lanes, strategy: str) -> None:
    def calls_by_step(lane: Lane, strategy: str) -> dict[str, list[str]]:
        run, made = lane.begin(strategy=strategy), {}
        for step in STEPS:
            before = len(lane.calls)
            lane.deployed.steps(run, step)
            made[step] = [f"{call.service}.{call.operation}" for call in lane.calls[before:]]
        return made

    made = lanes.map(calls_by_step, [strategy])[strategy]
    assert not isinstance(made, Exception), made
    expected = {
        step: [place.call for place in sorted(PLACES, key=lambda place: place.number) if place.step == step]
        for step in STEPS
    }
    if strategy == "single-user":
        expected["setSecret"].remove("secretsmanager.GetSecretValue")
    assert {step: sorted(calls) for step, calls in made.items()} == {step: sorted(calls) for step, calls in expected.items()}


@pytest.mark.parametrize("case", LASTING_CASES, ids=str)
def test_a_fault_fails_the_step_in_time_and_by_name_and_leaves_nothing_half_done(stories: Stories, case: Case) -> None:
    story, place = story_of(stories, case), case.place
    reason = LASTING[case.fault][1]
    assert set(story.seen.reasons.values()) == {reason}
    assert not story.seen.invocation.timed_out
    assert story.seen.invocation.duration_ms < TIMEOUT_SECONDS * 1000
    assert story.seen.metrics["StepFailed"] == story.seen.metrics["RotationFailed"] == 1.0
    # What may pass is tried three times; what will not, once.
    assert story.attempts == {"throttled": 3, "aws_unavailable": 3}.get(reason, 1) or reason == "deadline"
    assert story.seen.line["step"] == place.step

    assert story.between.current_version == story.old_version
    assert story.between.pending_version == story.token
    assert story.between.pending_is_filled == (place.step != "createSecret")
    is_set = place.step in {"testSecret", "finishSecret"}
    assert story.between.new_opens == is_set
    assert story.between.old_opens == (not is_set or place.strategy == "alternating-users")
    check_the_end(story, case)


@pytest.mark.parametrize("case", PASSING_CASES, ids=str)
def test_a_fault_that_passes_is_overcome_within_the_step(stories: Stories, case: Case) -> None:
    story = story_of(stories, case)
    assert story.seen.outcome in {"succeeded", "rolled_forward", "already_set"}
    assert "store_lost" not in story.seen.line
    if case.place.step == "finishSecret":
        assert story.seen.metrics["RotationSucceeded"] == 1.0
    check_the_end(story, case)


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_a_lost_table_is_counted_and_stops_nothing(stories: Stories, case: Case) -> None:
    story = story_of(stories, case)
    assert story.seen.outcome == "succeeded"
    assert story.seen.metrics["IdempotencyStoreLost"] == 1.0
    assert story.seen.line["store_lost"]
    check_the_end(story, case)


@pytest.mark.parametrize("fault", LOSSES)
def test_a_rotation_succeeds_without_the_table_from_beginning_to_end(lanes: Lanes, fault: str) -> None:
    def rotate(lane: Lane, fault: str) -> tuple[list[float], bool]:
        run = lane.begin()
        LOSSES[fault](lane.world.aws, "dynamodb", "*")
        seen = lane.repeat(run)
        return [each.metrics["IdempotencyStoreLost"] for each in seen.values()], lane.world.opens(
            lane.world.value(run.secret_arn)
        )

    assert lanes.map(rotate, [fault])[fault] == ([1.0] * 4, True)


def test_the_failed_steps_own_error_is_told_when_the_lock_cannot_be_released(lanes: Lanes) -> None:
    def fail(lane: Lane, _case: str) -> tuple[Seen, Seen, Seen]:
        run = lane.begin()
        lane.world.aws.fail("secretsmanager", "PutSecretValue", code="AccessDeniedException", message="no")
        lane.world.aws.disturb("dynamodb", "DeleteItem", by=Disturbance.HANG)
        failed = lane.deployed.step("createSecret", run)
        lane.heal()
        too_early = lane.deployed.step("createSecret", run)
        lane.world.let_locks_expire()
        return failed, too_early, lane.deployed.step("createSecret", run)

    result = lanes.map(fail, ["lock"])["lock"]
    assert not isinstance(result, Exception), result
    failed, too_early, later = result
    assert set(failed.reasons.values()) == {"access_denied"}
    assert failed.metrics["IdempotencyStoreLost"] == 1.0
    assert not failed.invocation.timed_out
    assert too_early.reasons["error"] == "duplicate_in_flight"
    assert later.outcome == "succeeded"
