"""A database that is away: the steps that need it fail in time and by name, the others do not notice."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.faults.lanes import Lane, Lanes, open_lanes
from tests.functional.seen import Seen
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability


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
    own_server: PostgresServer, own_lanes: Lanes, outage: str, reason: str, verdict: Verdict
) -> None:
    def live_through(lane: Lane) -> Outage:
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

    lived = own_lanes.once(live_through)
    failed = [lived.during[step] for step in ("setSecret", "testSecret", "finishSecret")]
    seen = sum(set(each.reasons.values()) == {reason} for each in failed)
    verdict.add("database away", tried=1, survived=int(lived.succeeded_afterwards), failures=len(failed), seen=seen)
    assert lived.during["createSecret"].outcome == "succeeded"
    assert seen == len(failed)
    assert not [each for each in failed if each.invocation.timed_out]
    assert lived.succeeded_afterwards
