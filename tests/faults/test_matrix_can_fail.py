"""The matrix finds what it is there to find: handlers with a defect, each of which one respect of the judgement notices."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.faults.fault_table import AT_CALLS, AT_MESSAGES, Fault
from tests.faults.judgement import Judgement, judge
from tests.faults.lanes import Lane, open_lanes
from tests.faults.places import Healthy
from tests.faults.story import Case, tell

DEPLOYED = Path(__file__).parent / "deployed"
STRATEGY = "single-user"


def named(faults: tuple[Fault, ...], name: str) -> Fault:
    (fault,) = (fault for fault in faults if fault.name == name)
    return fault


@dataclass(frozen=True)
class Trial:
    """A fault at a place, and the respects in which a handler with the defect does harm there."""

    fault: Fault
    step: str
    place: str
    harm: frozenset[str]


TRIALS = {
    "none": Trial(named(AT_MESSAGES, "cut after"), "setSecret", "COMMIT", frozenset()),
    "takes_an_existing_value_for_an_error": Trial(
        named(AT_CALLS, "cut after"), "createSecret", "PutSecretValue", frozenset({"lost"})
    ),
    "moves_the_label_before_the_target_knows": Trial(
        named(AT_MESSAGES, "killed before"), "setSecret", "COMMIT", frozenset({"lost"})
    ),
    "claims_to_have_moved_the_label": Trial(
        named(AT_CALLS, "broken (500)"), "finishSecret", "UpdateSecretVersionStage", frozenset({"lost", "unseen"})
    ),
    "keeps_failures_to_itself": Trial(
        named(AT_CALLS, "access denied"), "testSecret", "GetSecretValue", frozenset({"unseen"})
    ),
    "prints_the_login_that_failed": Trial(named(AT_MESSAGES, "cut before"), "testSecret", "login", frozenset({"leaked"})),
}


@pytest.mark.parametrize("defect", TRIALS)
def test_a_defect_is_noticed(postgres: PostgresServer, xray: XRayDaemon, defect: str) -> None:
    trial = TRIALS[defect]

    def judged(lane: Lane) -> Judgement:
        healthy = Healthy(lane.places_of(STRATEGY))
        place = next(place for place in healthy.places if (place.step, place.name) == (trial.step, trial.place))
        case = Case(STRATEGY, place, trial.fault)
        return judge(case, tell(lane, case), healthy)

    settings = {"DEFECT": defect}
    with open_lanes(
        postgres,
        xray,
        count=1,
        first_account=500_000_000_000 + list(TRIALS).index(defect),  # roles are named by it
        handler="sabotaged.lambda_handler",
        libraries=(DEPLOYED,),
        environment=settings,
    ) as lanes:
        judgement = lanes.once(judged)
    harm = {respect for respect in ("lost", "unseen", "leaked") if getattr(judgement, respect)}
    assert harm == trial.harm, judgement.complaints
