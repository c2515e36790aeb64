"""Two rotations of one secret, one of them from beginning to end while the other stands between two of its calls.

The other is a repetition with the same token, as Secrets Manager begins it when it has lost sight of the first, or a later
rotation, after an operator has made sure that AWSCURRENT works and has taken AWSPENDING off the first.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event

import pytest

from tests.faults.database_proxy import Interference
from tests.faults.lanes import TIMEOUT_SECONDS, Lane, Lanes
from tests.functional.seen import Seen
from tests.functional.world import CURRENT, PENDING, STEPS, JsonObject, Run
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability
REASONS = {
    *("connect_timeout", "credential_unknown", "deadline", "login_refused"),
    *("target_busy", "target_mismatch", "version_not_pending"),
}
"""Why one of the two may fail: the other has set its own password, holds the role, has taken the label, or the time, or has
become current, so that it is the turn of the user after."""


@dataclass(frozen=True)
class Moment:
    """Just before a call to AWS is answered or a message to the database arrives."""

    strategy: str
    step: str
    towards: str
    number: int
    successor: bool


@dataclass
class Story:
    """What came of two rotations.

    Attributes:
        was_met: Whether the first came to the moment, and the other to its end.
        lost: Whether at the end of both nothing that Secrets Manager holds opened the database.
        healed: Whether the next clean rotation made everything well.
    """

    was_met: bool
    lost: bool
    healed: bool
    failures: list[Seen]


def count(lane: Lane, strategy: str) -> list[tuple[str, str, int]]:
    """Every call and message of a healthy rotation, by step."""
    run, places = lane.begin(strategy=strategy), []
    for step in STEPS:
        calls = len(lane.calls)
        messages: list[bytes] = []

        def note(message: bytes, messages: list[bytes] = messages) -> Interference:
            messages.append(message)
            return Interference.FORWARD

        lane.proxy.on_message = note
        lane.deployed.steps(run, step)
        lane.heal()
        requests = sum(not call.is_repeated for call in lane.calls[calls:])
        places += [(step, "aws", number) for number in range(1, requests + 1)]
        # Goodbye ("X") waits for no answer.
        places += [(step, "database", number) for number in range(sum(message[:1] != b"X" for message in messages))]
    return places


def live_through(lane: Lane, moment: Moment) -> Story:
    first = lane.begin(strategy=moment.strategy)
    lane.until(moment.step, first)
    seen: list[Seen] = []
    later: list[Run] = []
    is_over = Event()

    def meanwhile() -> Interference:
        lane.heal()
        # The time of the first is over, or its lock was lost.
        lane.world.forget()
        is_safe = lane.world.opens(lane.world.value(first.secret_arn))
        later.append(successor_of(lane, first) if moment.successor and is_safe else first)
        seen.extend(sequence(lane, later[0], STEPS))
        is_over.set()
        return Interference.FORWARD

    if moment.towards == "aws":
        lane.before_call(moment.number, lambda: meanwhile() and None)
    else:
        lane.before_message(moment.number, meanwhile)
    seen.extend(sequence(lane, first, STEPS[STEPS.index(moment.step) :]))
    # The first may have lost patience, and have come to its end before the other.
    was_met = is_over.wait(TIMEOUT_SECONDS * len(STEPS)) if later else False
    lane.heal()
    lost = not any(lane.world.opens(keys) for keys in values(lane, first.secret_arn))
    lane.world.let_locks_expire()
    failures = [each for each in seen if not each.succeeded]
    return Story(was_met, lost, heals(lane, first.secret_arn), failures)


def successor_of(lane: Lane, first: Run) -> Run:
    """A rotation that begins after AWSPENDING was taken off the first by hand; the first itself if it is over."""
    labels = lane.world.labels(first.secret_arn)
    if labels[CURRENT] == first.token:
        return lane.world.begin(first.secret_arn)
    lane.world.secrets_manager.update_secret_version_stage(
        SecretId=first.secret_arn, VersionStage=PENDING, RemoveFromVersionId=first.token
    )
    return lane.world.begin(first.secret_arn)


def sequence(lane: Lane, run: Run, steps: Iterable[str]) -> list[Seen]:
    """The steps until one fails."""
    seen: list[Seen] = []
    for step in steps:
        seen.append(lane.deployed.step(step, run))
        if not seen[-1].succeeded:
            break
    return seen


def heals(lane: Lane, arn: str) -> bool:
    """Whether the rotation under way, begun again with its own token, or else a new one makes everything well."""
    with lane.world.aws.secrets_manager() as service:
        under_way = service.version_under_way(arn)
    run = Run(arn, under_way) if under_way else lane.world.begin(arn)
    is_rotated = sequence(lane, run, STEPS)[-1].succeeded and lane.world.labels(arn)[CURRENT] == run.token
    return is_rotated and lane.world.opens(lane.world.value(arn))


def values(lane: Lane, arn: str) -> list[JsonObject]:
    """Every value that Secrets Manager still holds, with a label or without."""
    return [json.loads(text) for owner, text in lane.world.every_value() if owner == arn]


def is_told_well(seen: Seen) -> bool:
    if seen.line["reason"] == "duplicate_in_flight":
        # One waited so long for the table's answer that it asked again, and met the lock of the other.
        return seen.metrics["DuplicateInFlight"] == 1.0 and "Failures" not in seen.metrics
    return set(seen.reasons.values()) <= REASONS and len(set(seen.reasons.values())) == 1


@pytest.mark.parametrize("successor", [False, True], ids=["repetition", "successor"])
@pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
def test_two_rotations_interleaved_lose_nothing(
    lanes: Lanes, strategy: str, successor: bool, thorough: bool, verdict: Verdict
) -> None:
    places = lanes.map(count, [strategy])[strategy]
    assert not isinstance(places, Exception), places
    every = 1 if thorough or strategy == "single-user" else 3
    moments = [Moment(strategy, *place, successor) for place in places[::every]]
    stories = lanes.map(live_through, moments)
    # While the calls were counted one may have been made twice, for want of a quick answer: then the last never comes.
    told = {moment: story for moment, story in stories.items() if isinstance(story, Story) and story.was_met}
    failures = [seen for story in told.values() for seen in story.failures]
    verdict.add(
        "interleaved rotations",
        tried=len(told),
        survived=sum(story.healed and not story.lost for story in told.values()),
        failures=len(failures),
        seen=sum(map(is_told_well, failures)),
    )
    assert [story for story in stories.values() if isinstance(story, Exception)] == []
    assert {moment.step for moment in told} == set(STEPS)
    assert len(told) > 0.9 * len(moments)
    assert [moment for moment, story in told.items() if story.lost] == []
    assert [moment for moment, story in told.items() if not story.healed] == []
    assert [seen.reasons for seen in failures if not is_told_well(seen)] == []
