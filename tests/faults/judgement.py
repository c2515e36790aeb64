"""What has to be true of every story, whatever went wrong: nothing lost, nothing silent, nothing leaked."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.alarm import function_broken_rings
from tests.faults.fault_table import SLOW_SECONDS, End
from tests.faults.lanes import TIMEOUT_SECONDS, State
from tests.faults.places import Healthy, Place
from tests.faults.story import Case, Moment, Story
from tests.functional.seen import Seen

_PHASES = {"secretsmanager": "secretsmanager", "dynamodb": "dynamodb", "database": "target"}


@dataclass(frozen=True)
class Judgement:
    """What is wrong, in three respects; nothing, if all is well.

    Attributes:
        lost: At some moment no credential worked that should have, or something was claimed that was not so.
        unseen: A failure was reported wrongly or not at all.
        leaked: A value was found where it does not belong.
        failures: Failed attempts, as they had to be.
    """

    lost: tuple[str, ...]
    unseen: tuple[str, ...]
    leaked: tuple[str, ...]
    failures: int

    @property
    def complaints(self) -> tuple[str, ...]:
        return self.lost + self.unseen + self.leaked


def judge(case: Case, story: Story, healthy: Healthy) -> Judgement:
    """Judge one story."""
    return Judgement(
        lost=(*_credentials(case, story), *_states(case, story, healthy), *_ending(case, story)),
        unseen=tuple(_report(case, story)),
        leaked=tuple(f"{leak.what} was found in {leak.place}" for leak in story.leaks),
        failures=int(case.is_repeated),
    )


def _keeps_old(case: Case) -> bool:
    return case.strategy == "alternating-users"


def _moments(story: Story) -> list[Moment]:
    return [story.met, *story.then]


def _credentials(case: Case, story: Story) -> Iterator[str]:
    """At every moment a credential works: AWSCURRENT, or, where the same user goes on, AWSPENDING."""
    for moment in _moments(story):
        state = moment.state
        current_opens = state.new_opens if state.current_version == story.token else state.old_opens
        pending_opens = state.new_opens and state.pending_version == story.token
        if not current_opens and (_keeps_old(case) or not pending_opens):
            yield f"after {moment.step} no credential opens the database"


def _states(case: Case, story: Story, healthy: Healthy) -> Iterator[str]:
    """At every moment that is done which was done, and nothing else: there are no half things."""
    done = healthy.turned_before(case.place)
    if not case.is_repeated:
        done |= healthy.turning_points(case.place.step)
    elif case.fault.takes_effect:
        done |= healthy.turning_points(case.place.step) & {case.place}
    for moment in _moments(story):
        if moment is not story.met:
            yield from _outcome(case, moment, healthy, done)
            done |= healthy.turning_points(moment.step)
        expected = State(
            current_version=story.token if healthy.moved in done else story.old_version,
            pending_version=story.token,
            pending_is_filled=healthy.filled in done,
            old_opens=_keeps_old(case) or healthy.changed not in done,
            new_opens=healthy.changed in done,
        )
        if moment.state != expected:
            yield f"after {moment.step} it is {moment.state}, not {expected}"


def _outcome(case: Case, moment: Moment, healthy: Healthy, done: set[Place]) -> Iterator[str]:
    """A repeated step finds what is done, and does what is not."""
    found = {"createSecret": (healthy.filled, "rolled_forward"), "setSecret": (healthy.changed, "already_set")}
    place, word = found.get(moment.step, (None, ""))
    expected = {word if place in done else "succeeded"} if healthy.moved not in done else {"already_current"}
    if _keeps_old(case) and moment.step == "setSecret":
        expected.add("succeeded")  # where the old login works as well, only the memory knows better
    if moment.seen.succeeded and moment.seen.outcome not in expected:
        yield f"{moment.step} {moment.seen.outcome} afterwards, not {expected}"


def _ending(case: Case, story: Story) -> Iterator[str]:
    """Nobody claims what is not so; all that follows succeeds, and leaves the new credential, current and alone."""
    if case.is_repeated and story.met.seen.succeeded:
        yield f"{case.place.step} claims to be done"
    for moment in story.then:
        if not moment.seen.succeeded:
            yield f"{moment.step} failed afterwards: {moment.seen.error}"
    last = _moments(story)[-1].state
    if not (last.current_version == story.token and last.new_opens and last.old_opens == _keeps_old(case)):
        yield f"it ended with {last}"


def _report(case: Case, story: Story) -> Iterator[str]:
    """The step that met the fault says how it ended, wherever that is told; the dead are reported by the platform."""
    seen, expected = story.met.seen, case.fault.expected(case.place)
    if (expected.end is End.DIED) != function_broken_rings(seen.invocation):
        yield "the alarm function-broken rings for what the handler reports, or not for what it cannot"
    match expected.end:
        case End.DIED:
            if (seen.invocation.error_type, seen.emitted) != ("Runtime.ExitError", []):
                yield f"it did not die: {seen.error}"
        case End.FAILED:
            yield from _failure(case, seen, expected.reason)
            if expected.attempts not in {None, story.attempts}:
                yield f"it was attempted {story.attempts} times"
        case _:
            yield from _success(case, seen, is_table_lost=expected.end is End.WITHOUT_TABLE)


def _failure(case: Case, seen: Seen, reason: str | None) -> Iterator[str]:
    if seen.succeeded or len(seen.lines) != 1:
        yield f"it did not fail, or did not say so once: {seen.invocation.payload}"
        return
    if set(seen.reasons.values()) != {reason}:
        yield f"its reason is not {reason}: {seen.reasons}"
    counted = {name: seen.metrics.get(name) for name in ("StepFailed", "RotationFailed", "InvocationFailed", "Failures")}
    if set(counted.values()) != {1.0}:
        yield f"it was counted as {counted}"
    if (seen.line["step"], seen.line["level"]) != (case.place.step, "ERROR"):
        yield f"its line is of {seen.line['step']} at {seen.line['level']}"
    if seen.invocation.timed_out or seen.invocation.duration_ms >= TIMEOUT_SECONDS * 1000:
        yield f"it took all its time: {seen.invocation.duration_ms} ms"


def _success(case: Case, seen: Seen, *, is_table_lost: bool) -> Iterator[str]:
    if not seen.succeeded:
        yield f"it did not overcome it: {seen.error}"
        return
    if seen.outcome != "succeeded":
        # An answer that was lost is asked for again, and then it is found that all is done.
        is_plausible = case.fault.takes_effect and seen.outcome in {"rolled_forward", "already_set"}
        if not is_plausible:
            yield f"its outcome is {seen.outcome}"
    if (seen.metrics["IdempotencyStoreLost"], "store_lost" in seen.line) != (float(is_table_lost), is_table_lost):
        yield f"the loss of the table is told as {seen.line.get('store_lost')}"
    if case.place.step == "finishSecret" and seen.metrics.get("RotationSucceeded") != 1.0:
        yield "the rotation's success is not counted"
    if str(case.fault) == "slow" and seen.line["phases_ms"][_PHASES[case.place.service]] < _least_ms(case):
        yield f"the time it took is not told: {seen.line['phases_ms']}"


def _least_ms(case: Case) -> float:
    return SLOW_SECONDS[case.place.service] * 1000
