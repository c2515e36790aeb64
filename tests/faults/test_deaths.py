"""A process that is gone leaves its lock behind."""

import pytest

from local.aws_faults import Disturbance
from tests.faults.alarm import function_broken_rings
from tests.faults.lanes import Lane, Lanes
from tests.functional.seen import Seen
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability


def test_until_its_time_is_over_a_killed_invocation_may_still_be_running(lanes: Lanes) -> None:
    def kill_and_repeat(lane: Lane) -> tuple[Seen, Seen]:
        run = lane.begin()
        lane.before_call(2, lane.deployed.function.recycle)
        lane.deployed.step("createSecret", run)
        lane.heal()
        too_early = lane.deployed.step("createSecret", run)
        lane.world.let_locks_expire()
        return too_early, lane.deployed.step("createSecret", run)

    too_early, later = lanes.once(kill_and_repeat)
    assert too_early.reasons["error"] == "duplicate_in_flight"
    assert later.outcome == "succeeded"


def test_a_step_that_lambda_ends_for_its_time_is_seen_and_repeated(lanes: Lanes, verdict: Verdict) -> None:
    def time_out(lane: Lane) -> tuple[Seen, bool]:
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

    ended, opens = lanes.once(time_out)
    rings = function_broken_rings(ended.invocation)
    verdict.add("ended by Lambda for its time", tried=1, survived=int(opens), failures=1, seen=int(rings))
    assert ended.invocation.timed_out
    assert rings
    assert opens
