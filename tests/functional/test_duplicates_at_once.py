"""Every step twenty times at once, with the lock and without it: one change is made, and nobody is told of more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from local.aws import AwsStage
from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.functional.seen import Seen
from tests.functional.world import CURRENT, PENDING, STEPS, Deployed, JsonObject, Run, World
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability
TIMES = 20
_ENVIRONMENTS = 5
"""So many run side by side, the others wait for their turn: as many as two processors can keep apart."""
EXPECTED = {
    "createSecret": {"succeeded", "rolled_forward"},
    "setSecret": {"succeeded", "already_set"},
    "testSecret": {"succeeded"},
    "finishSecret": {"succeeded", "already_current"},
}
"""Outcomes of those that are not refused."""


@dataclass
class Crowd:
    """What became of all calls of one rotation."""

    answers: dict[str, list[Seen]] = field(default_factory=dict)
    refusals: list[Seen] = field(default_factory=list)
    values: list[JsonObject] = field(default_factory=list)
    """The pending value after each step."""


@pytest.fixture(scope="module")
def crowded(postgres: PostgresServer, xray: XRayDaemon) -> Iterator[World]:
    """A world whose table can be taken away without anybody else missing it."""
    with AwsStage(account_id="200000000003") as stage:
        yield World(stage, postgres, xray, prefix="crowd_")


@pytest.fixture(scope="module")
def function(crowded: World) -> Iterator[Deployed]:
    with crowded.deployed() as function:
        yield function


@pytest.fixture(scope="module")
def environments(request: pytest.FixtureRequest) -> int:
    return TIMES if request.config.getoption("--thorough") else _ENVIRONMENTS


def send(function: Deployed, run: Run, pool: ThreadPoolExecutor, world: World) -> Crowd:
    """Twenty calls of each step, and the next step when all of them are answered."""
    crowd = Crowd()
    for step in STEPS:
        crowd.answers[step] = list(pool.map(lambda _number, step=step: function.step(step, run), range(TIMES)))
        crowd.refusals += [seen for seen in crowd.answers[step] if not seen.succeeded]
        crowd.values.append(world.value(run.secret_arn, PENDING))
    return crowd


def is_told_well(seen: Seen, *, lock: bool) -> bool:
    """Whether a refusal has one reason everywhere, and one that duplicates may have."""
    reason = seen.line["reason"]
    if reason == "duplicate_in_flight":
        return lock and seen.metrics["DuplicateInFlight"] == 1.0 and "Failures" not in seen.metrics
    # Without the lock, the database itself keeps them apart.
    return not lock and set(seen.reasons.values()) == {"target_busy"} and seen.metrics["Failures"] == 1.0


@pytest.mark.parametrize("strategy", ["single-user", "single-user-by-superuser", "alternating-users"])
@pytest.mark.parametrize("lock", [True, False], ids=["with the lock", "without the lock"])
def test_twenty_calls_of_each_step_at_once_make_one_rotation(
    crowded: World, function: Deployed, environments: int, *, strategy: str, lock: bool, verdict: Verdict
) -> None:
    run = crowded.begin(crowded.new_secret(superuser=strategy != "single-user", tag=strategy))
    old = crowded.value(run.secret_arn)
    if not lock:
        crowded.aws.fail("dynamodb", code="ResourceNotFoundException", message="no such table")
    try:
        with ThreadPoolExecutor(environments) as pool:
            crowd = send(function, run, pool, crowded)
    finally:
        crowded.aws.clear_faults()
    new = crowded.value(run.secret_arn)
    is_rotated = crowded.labels(run.secret_arn)[CURRENT] == run.token and crowded.opens(new)
    is_one = all(value == new for value in crowd.values)
    verdict.add(
        "duplicates at once",
        tried=TIMES * len(STEPS),
        survived=TIMES * len(STEPS) * (is_rotated and is_one),
        failures=len(crowd.refusals),
        seen=sum(is_told_well(seen, lock=lock) for seen in crowd.refusals),
    )
    assert [seen.reasons for seen in crowd.refusals if not is_told_well(seen, lock=lock)] == []
    assert is_one
    assert is_rotated
    assert crowded.opens(old) == (strategy == "alternating-users")
    for step, answers in crowd.answers.items():
        outcomes = [seen.outcome for seen in answers if seen.succeeded]
        assert outcomes, step
        assert set(outcomes) <= EXPECTED[step]
        assert lock or all(seen.metrics["IdempotencyStoreLost"] == 1.0 for seen in answers)
    created = [seen.outcome for seen in crowd.answers["createSecret"] if seen.succeeded]
    assert created.count("succeeded") == 1
    rotated = [seen for seen in crowd.answers["finishSecret"] if seen.succeeded and "RotationSucceeded" in seen.metrics]
    assert rotated if not lock else len(rotated) == 1
