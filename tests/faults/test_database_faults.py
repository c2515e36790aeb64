"""A fault at every message to the database: nothing half done, told in time, and the repetition succeeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.faults.database_proxy import Interference
from tests.faults.lanes import TIMEOUT_SECONDS, Lane, Lanes, State, open_lanes
from tests.functional.seen import Seen

MESSAGES = {"setSecret": 6, "testSecret": 6, "finishSecret": 6}
"""How many messages a healthy step of a single user sends before it says goodbye."""
REASONS = {
    Interference.DROP: {"connection_lost"},
    Interference.LOSE_ANSWER: {"connection_lost"},
    # The first message is the login, whose own time limit is the shorter one.
    Interference.HANG: {"connect_timeout", "deadline"},
}


@dataclass(frozen=True)
class Case:
    """An interference with one message of one step."""

    step: str
    number: int
    interference: Interference

    def __str__(self) -> str:
        return f"{self.step}-{self.number}-{self.interference.name}"


CASES = [
    Case(step, number, interference)
    for interference in REASONS
    for step, count in MESSAGES.items()
    for number in range(count)
]


@dataclass(frozen=True)
class Story:
    """The step that met the fault, the world after it, and the world after the repetition."""

    token: str
    old_version: str
    seen: Seen
    between: State
    repeated: dict[str, Seen]
    after: State


def tell(lane: Lane, case: Case) -> Story:
    run = lane.begin()
    old, old_version = lane.world.value(run.secret_arn), lane.world.labels(run.secret_arn)["AWSCURRENT"]
    lane.until(case.step, run)
    lane.before_message(case.number, lambda: case.interference)
    seen = lane.deployed.step(case.step, run)
    lane.heal()
    between = lane.state(run, old)
    return Story(run.token, old_version, seen, between, lane.repeat(run), lane.state(run, old))


Stories = dict[Case, Story | Exception]


@pytest.fixture(scope="module")
def stories(lanes: Lanes) -> Stories:
    return lanes.map(tell, sorted(CASES, key=lambda case: case.interference is not Interference.HANG))


@pytest.mark.parametrize("step", MESSAGES)
def test_these_are_all_the_messages_of_a_healthy_step(lanes: Lanes, step: str) -> None:
    def count(lane: Lane, step: str) -> list[bytes]:
        run = lane.begin()
        lane.until(step, run)
        sent: list[bytes] = []

        def note(message: bytes) -> Interference:
            sent.append(message)
            return Interference.FORWARD

        lane.proxy.on_message = note
        lane.deployed.steps(run, step)
        return sent

    sent = lanes.map(count, [step])[step]
    assert not isinstance(sent, Exception), sent
    # Goodbye ("X") waits for no answer, so it may come with the last message or after the step has ended.
    assert len([message for message in sent if message[:1] != b"X"]) == MESSAGES[step]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_on_the_way_to_the_database_is_told_in_time_and_undone_by_a_repetition(stories: Stories, case: Case) -> None:
    story = stories[case]
    if isinstance(story, Exception):
        raise story
    reasons = set(story.seen.reasons.values())
    assert len(reasons) == 1
    assert reasons <= REASONS[case.interference]
    assert not story.seen.invocation.timed_out
    assert story.seen.invocation.duration_ms < TIMEOUT_SECONDS * 1000
    assert story.seen.metrics["StepFailed"] == 1.0

    assert story.between.current_version == story.old_version
    assert story.between.pending_version == story.token
    # The password is changed or it is not; there is no third state.
    assert story.between.old_opens != story.between.new_opens

    assert story.after.current_version == story.token
    assert story.after.new_opens
    assert not story.after.old_opens


def test_a_change_whose_confirmation_was_lost_is_recognised_by_the_repetition(stories: Stories) -> None:
    commit = Case("setSecret", MESSAGES["setSecret"] - 1, Interference.LOSE_ANSWER)
    story = stories[commit]
    assert not isinstance(story, Exception), story
    assert story.between.new_opens
    assert story.repeated["setSecret"].outcome == "already_set"


def test_a_change_that_was_not_committed_is_made_by_the_repetition(stories: Stories) -> None:
    commit = Case("setSecret", MESSAGES["setSecret"] - 1, Interference.DROP)
    story = stories[commit]
    assert not isinstance(story, Exception), story
    assert story.between.old_opens
    assert story.repeated["setSecret"].outcome == "succeeded"


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that may be stopped and frozen."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def own_lanes(own_server: PostgresServer, xray: XRayDaemon) -> Iterator[Lanes]:
    with open_lanes(own_server, xray, count=1, first_account=400_000_000_000, timeout_seconds=6.0) as lanes:
        yield lanes


@dataclass(frozen=True)
class Outage:
    """The steps of a rotation while the database is away, and the whole sequence afterwards."""

    during: dict[str, Seen]
    succeeded_afterwards: bool


@pytest.mark.parametrize(("outage", "reason"), [("stop", "port_closed"), ("freeze", "connect_timeout")])
def test_a_database_that_is_away_fails_the_steps_that_need_it_and_no_others(
    own_server: PostgresServer, own_lanes: Lanes, outage: str, reason: str
) -> None:
    def live_through(lane: Lane, outage: str) -> Outage:
        during = {}
        direct = lane.world.begin(lane.world.new_secret())
        set_before = lane.world.begin(lane.world.new_secret())
        tested_before = lane.world.begin(lane.world.new_secret())
        lane.deployed.steps(set_before, "createSecret", "setSecret")
        lane.deployed.steps(tested_before, "createSecret", "setSecret", "testSecret")
        own_server.stop() if outage == "stop" else own_server.freeze()
        try:
            during["createSecret"] = lane.deployed.step("createSecret", direct)
            during["setSecret"] = lane.deployed.step("setSecret", direct)
            during["testSecret"] = lane.deployed.step("testSecret", set_before)
            during["finishSecret"] = lane.deployed.step("finishSecret", tested_before)
        finally:
            own_server.start() if outage == "stop" else own_server.thaw()
        for run in (direct, set_before, tested_before):
            lane.repeat(run)
        values = [lane.world.value(run.secret_arn) for run in (direct, set_before, tested_before)]
        return Outage(during, all(lane.world.opens(value) for value in values))

    lived = own_lanes.map(live_through, [outage])[outage]
    assert not isinstance(lived, Exception), lived
    assert lived.during["createSecret"].outcome == "succeeded"
    for step in ("setSecret", "testSecret", "finishSecret"):
        assert set(lived.during[step].reasons.values()) == {reason}
        assert not lived.during[step].invocation.timed_out
    assert lived.succeeded_afterwards
