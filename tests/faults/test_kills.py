"""The function is killed between any two calls: whatever was done by then, a repetition ends with one working credential."""

from dataclasses import dataclass

import pytest

from local.aws_faults import Disturbance
from tests.faults.database_proxy import Interference
from tests.faults.lanes import Lane, Lanes, State
from tests.faults.test_aws_faults import CALLS
from tests.faults.test_database_faults import MESSAGES
from tests.functional.seen import Seen
from tests.functional.world import STEPS


@dataclass(frozen=True)
class Moment:
    """Just after a call to AWS took effect, or just before a message to the database arrives."""

    step: str
    towards: str
    number: int

    def __str__(self) -> str:
        return f"{self.step}-{self.towards}-{self.number}"


MOMENTS = [
    *(Moment(step, "aws", number) for step in STEPS for number in range(1, len(CALLS[step]) + 1)),
    *(Moment(step, "database", number) for step, count in MESSAGES.items() for number in range(count)),
]


@dataclass(frozen=True)
class Story:
    """The invocation that was killed, and the world after the repetition."""

    token: str
    killed: Seen
    between: State
    repeated: dict[str, Seen]
    after: State


def tell(lane: Lane, moment: Moment) -> Story:
    run = lane.begin()
    old = lane.world.value(run.secret_arn)
    lane.until(moment.step, run)

    def kill() -> Interference:
        lane.deployed.function.recycle()
        return Interference.DROP

    if moment.towards == "aws":
        lane.before_call(moment.number, lambda: kill() and None)
    else:
        lane.before_message(moment.number, kill)
    killed = lane.deployed.step(moment.step, run)
    lane.heal()
    between = lane.state(run, old)
    lane.world.let_locks_expire()
    return Story(run.token, killed, between, lane.repeat(run), lane.state(run, old))


Stories = dict[Moment, Story | Exception]


@pytest.fixture(scope="module")
def stories(lanes: Lanes) -> Stories:
    return lanes.map(tell, MOMENTS)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_killed_step_leaves_a_world_that_a_repetition_sets_right(stories: Stories, moment: Moment) -> None:
    story = stories[moment]
    if isinstance(story, Exception):
        raise story
    assert story.killed.invocation.error_type == "Runtime.ExitError"
    assert story.killed.emitted == []
    assert story.between.old_opens != story.between.new_opens
    assert story.after.current_version == story.token
    assert story.after.new_opens
    assert not story.after.old_opens


def test_kills_were_met_in_every_state_of_the_world(stories: Stories) -> None:
    states = {
        (story.between.pending_is_filled, story.between.new_opens, story.between.current_version == story.token)
        for story in stories.values()
        if isinstance(story, Story)
    }
    assert states == {(False, False, False), (True, False, False), (True, True, False), (True, True, True)}


def test_until_its_time_is_over_a_killed_invocation_may_still_be_running(lanes: Lanes) -> None:
    def kill_and_repeat(lane: Lane, _case: str) -> tuple[Seen, Seen]:
        run = lane.begin()
        lane.before_call(2, lane.deployed.function.recycle)
        lane.deployed.step("createSecret", run)
        lane.heal()
        too_early = lane.deployed.step("createSecret", run)
        lane.world.let_locks_expire()
        return too_early, lane.deployed.step("createSecret", run)

    result = lanes.map(kill_and_repeat, ["create"])["create"]
    assert not isinstance(result, Exception), result
    too_early, later = result
    assert too_early.reasons["error"] == "duplicate_in_flight"
    assert later.outcome == "succeeded"


def test_a_step_that_lambda_ends_for_its_time_is_repeated(lanes: Lanes) -> None:
    def time_out(lane: Lane, _case: str) -> tuple[Seen, bool]:
        run = lane.begin()
        lane.until("setSecret", run)
        settings = {"REPORT_RESERVE_SECONDS": "1"}
        with lane.world.deployed(timeout_seconds=0.5, environment=settings) as too_short:
            lane.world.aws.disturb("dynamodb", "PutItem", by=Disturbance.HANG)
            ended = too_short.step("setSecret", run)
        lane.heal()
        lane.world.let_locks_expire()
        lane.repeat(run)
        return ended, lane.world.opens(lane.world.value(run.secret_arn))

    result = lanes.map(time_out, ["time"])["time"]
    assert not isinstance(result, Exception), result
    ended, opens = result
    assert ended.invocation.timed_out
    assert opens
