"""The idempotency table is away, all of the time or when it matters most."""

from collections.abc import Callable

import pytest

from local.aws import AwsStage
from local.aws_faults import Disturbance
from tests.faults.lanes import Lane, Lanes
from tests.functional.seen import Seen
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

SECTION = "idempotency table away"
LOSSES: dict[str, Callable[[AwsStage], None]] = {
    "gone": lambda aws: aws.fail("dynamodb", code="ResourceNotFoundException", message="no such table"),
    "denied": lambda aws: aws.fail("dynamodb", code="AccessDeniedException", message="no"),
    "throttled": lambda aws: aws.fail("dynamodb", code="ProvisionedThroughputExceededException", message="too much"),
    "dropped": lambda aws: aws.disturb("dynamodb", by=Disturbance.DROP),
    "hanging": lambda aws: aws.disturb("dynamodb", by=Disturbance.HANG),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_rotation_succeeds_without_the_table_from_beginning_to_end(lanes: Lanes, loss: str, verdict: Verdict) -> None:
    def rotate(lane: Lane) -> tuple[list[float], bool]:
        run = lane.begin()
        LOSSES[loss](lane.world.aws)
        seen = lane.repeat(run)
        lost = [each.metrics["IdempotencyStoreLost"] for each in seen.values()]
        return lost, lane.world.opens(lane.world.value(run.secret_arn))

    lost, opens = lanes.once(rotate)
    verdict.add(SECTION, tried=1, survived=int(opens))
    assert (lost, opens) == ([1.0] * 4, True)


def test_the_failed_steps_own_error_is_told_when_the_lock_cannot_be_released(lanes: Lanes, verdict: Verdict) -> None:
    def fail(lane: Lane) -> tuple[Seen, Seen, Seen]:
        run = lane.begin()
        lane.world.aws.fail("secretsmanager", "PutSecretValue", code="AccessDeniedException", message="no")
        lane.world.aws.disturb("dynamodb", "DeleteItem", by=Disturbance.HANG)
        failed = lane.deployed.step("createSecret", run)
        lane.heal()
        too_early = lane.deployed.step("createSecret", run)
        lane.world.let_locks_expire()
        return failed, too_early, lane.deployed.step("createSecret", run)

    failed, too_early, later = lanes.once(fail)
    is_seen = set(failed.reasons.values()) == {"access_denied"}
    verdict.add(SECTION, tried=1, survived=int(later.succeeded), failures=1, seen=int(is_seen))
    assert set(failed.reasons.values()) == {"access_denied"}
    assert failed.metrics["IdempotencyStoreLost"] == 1.0
    assert not failed.invocation.timed_out
    assert too_early.reasons["error"] == "duplicate_in_flight"
    assert later.outcome == "succeeded"
