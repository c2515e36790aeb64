"""One rotation that meets one fault, told from beginning to end.

Secrets Manager runs the steps until one fails, and then the whole sequence again with the same token. The world is looked
at after the step that met the fault and after each step that follows.
"""

from dataclasses import dataclass, field

from tests.faults.fault_table import End, Fault
from tests.faults.lanes import Lane, State
from tests.faults.places import Place
from tests.functional.search import Leak, Search
from tests.functional.seen import Seen
from tests.functional.world import CURRENT, STEPS, Deployed, Run


@dataclass(frozen=True)
class Case:
    """A fault at a place of a rotation."""

    strategy: str
    place: Place
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault} at {self.place}"

    @property
    def end(self) -> End:
        """How the step that meets the fault has to end."""
        return self.fault.expected(self.place).end

    @property
    def is_repeated(self) -> bool:
        """Whether the step fails, so that the whole sequence is run again."""
        return self.end in {End.DIED, End.FAILED}


@dataclass(frozen=True)
class Moment:
    """What was true after a step."""

    step: str
    seen: Seen
    state: State


@dataclass(frozen=True)
class Story:
    """What happened.

    Attributes:
        old_version: What was current before.
        met: The step that met the fault, and the world after it.
        attempts: How many calls to AWS the fault has spoilt.
        then: The steps that followed: the rest of the sequence, or after a failure all of it again.
        leaks: Secret values in places where they do not belong.
    """

    token: str
    old_version: str
    met: Moment
    attempts: int
    then: list[Moment] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)


def tell(lane: Lane, case: Case, *, thorough: bool = False) -> Story:
    """Let it happen; with `thorough` every repetition has a process that has only just begun."""
    run = lane.begin(strategy=case.strategy)
    old, old_version = lane.world.value(run.secret_arn), lane.world.labels(run.secret_arn)[CURRENT]
    search, printed = lane.search(), len(lane.world.server.log_lines)
    assert run.rotation_token is not None
    search.for_value("the RotationToken", run.rotation_token)
    search.for_value("any verifier", "SCRAM-SHA-256$")
    search.for_value("the old password", old["password"])
    earlier = lane.until(case.place.step, run)
    before = len(lane.calls)
    case.fault.plant(lane, case.place)
    seen = lane.deployed.step(case.place.step, run)
    lane.heal()
    attempts = sum(call.error is not None for call in lane.calls[before:])
    story = Story(run.token, old_version, Moment(case.place.step, seen, lane.state(run, old)), attempts)
    _look_for(lane, search, run)
    story.leaks.extend([*_leaks(search, seen), *search.in_processes()])
    if case.end is End.DIED or _lost_table(seen, *earlier):
        # A lock that could not be released holds until the time of the invocation is over.
        lane.world.let_locks_expire()
    successor = _successor(lane, case, thorough=thorough)
    for step in STEPS if case.is_repeated else STEPS[STEPS.index(case.place.step) + 1 :]:
        then = successor.step(step, run)
        story.then.append(Moment(step, then, lane.state(run, old)))
    _look_for(lane, search, run)
    story.leaks.extend(_leaks(search, *(moment.seen for moment in story.then)))
    new = lane.world.value(run.secret_arn)["password"]
    if any(new in line for line in lane.world.server.log_lines[printed:]):
        story.leaks.append(Leak("the database's log", "the new password"))
    lane.world.forget()
    return story


def _successor(lane: Lane, case: Case, *, thorough: bool) -> Deployed:
    """Who goes on: for a repetition a process that knows nothing of what was done so far."""
    if not case.is_repeated:
        return lane.deployed
    if thorough:
        lane.deployed.function.recycle()
    # Whose process has died begins with a new one anyway.
    return lane.deployed if thorough or case.end is End.DIED else lane.other


def _lost_table(*seen: Seen) -> bool:
    """Whether any step says so: because of the fault, or because this machine has so much to do."""
    return any("store_lost" in line for each in seen for line in each.lines)


def _look_for(lane: Lane, search: Search, run: Run) -> None:
    """Add the values that exist by now: passwords of the secret's versions and of the superuser, and their verifiers."""
    logins = lane.world.values(run.secret_arn)
    logins += [lane.world.value(keys["masterarn"]) for keys in logins[:1] if "masterarn" in keys]
    for keys in logins:
        search.for_value(f"a password of {keys['username']}", keys["password"])
    for role, verifier in lane.world.verifiers(*(keys["username"] for keys in logins)):
        search.for_value(f"a verifier of {role}", verifier)


def _leaks(search: Search, *seen: Seen) -> list[Leak]:
    return [*search.in_what_is_told(*seen), *search.in_what_is_kept()]
