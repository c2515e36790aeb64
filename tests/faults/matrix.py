"""All faults at all places of one strategy's rotation: told once, then judged fault by fault."""

from collections.abc import Iterator
from functools import partial

from tests.faults.fault_table import AT_CALLS, AT_MESSAGES, Fault
from tests.faults.judgement import Judgement, judge
from tests.faults.lanes import Lanes
from tests.faults.places import Healthy, Place
from tests.faults.story import Case, Story, tell
from tests.verdict import Verdict

SIMPLEST = "single-user"
"""The strategy with which every fault is tried always."""


def faults_for(strategy: str, *, thorough: bool) -> list[Fault]:
    """The faults that a strategy is tried with: all of them, or, for want of time, those that nobody can foresee."""
    return [fault for fault in (*AT_CALLS, *AT_MESSAGES) if thorough or strategy == SIMPLEST or fault.is_cliff]


class Matrix:
    """What came of every case."""

    def __init__(self, lanes: Lanes, strategy: str, faults: list[Fault], *, thorough: bool) -> None:
        self._strategy = strategy
        self._healthy = Healthy(lanes.once(lambda lane: lane.places_of(strategy)))
        self._faults = faults
        self._is_complete = thorough
        # What has to be waited for comes first, so that all lanes end at about the same time.
        cases = sorted(self._cases(), key=lambda case: not case.fault.is_slow)
        self._stories = lanes.map(partial(tell, thorough=thorough), cases)

    def _cases(self) -> Iterator[Case]:
        for place in self._healthy.places:
            for fault in self._faults:
                if fault.is_possible_at(place) and (self._is_complete or self._differs(fault, place)):
                    yield Case(self._strategy, place, fault)

    def _differs(self, fault: Fault, place: Place) -> bool:
        """Whether a fault leaves the world otherwise than another one that is tried as well.

        To die after a call is to die before the next, if there is one. To lose the answer to a question is to lose the
        question; with the simplest strategy that is tried nevertheless.
        """
        if not fault.takes_effect:
            return True
        if fault.is_death:
            return place.is_last_of_step or place in self._healthy.turning_points()
        return place.has_effect or self._strategy == SIMPLEST

    def judged(self, fault: Fault) -> dict[Case, Judgement]:
        """The judgement on one fault at each of its places."""
        judged = {case: self._judge(case) for case in self._stories if case.fault is fault}
        assert judged
        return judged

    def states(self, fault: Fault) -> set[tuple[bool, bool, bool]]:
        """In which states the fault has left the world: AWSPENDING filled, accepted by the target, AWSCURRENT."""
        stories = [story for case, story in self._stories.items() if case.fault is fault and isinstance(story, Story)]
        states = [(story.met.state, story.token) for story in stories]
        return {(state.pending_is_filled, state.new_opens, state.current_version == token) for state, token in states}

    def _judge(self, case: Case) -> Judgement:
        story = self._stories[case]
        if isinstance(story, Exception):
            return Judgement((f"it could not be told: {type(story).__name__}: {story}",), (), (), failures=0)
        return judge(case, story, self._healthy)

    def check(self, fault: Fault, verdict: Verdict) -> None:
        """Add up what one fault did at all of its places, and demand that it did no harm at any."""
        judged = self.judged(fault)
        what = "messages to the database" if fault in AT_MESSAGES else "calls to AWS"
        verdict.add(
            f"faults at {what}, {self._strategy}",
            tried=len(judged),
            survived=sum(not each.lost for each in judged.values()),
            failures=sum(each.failures for each in judged.values()),
            seen=sum(each.failures for each in judged.values() if not each.unseen),
            leaked=sum(len(each.leaked) for each in judged.values()),
        )
        complaints = [f"{case}: {what}" for case, each in judged.items() for what in each.complaints]
        assert not complaints, "\n".join(complaints)
