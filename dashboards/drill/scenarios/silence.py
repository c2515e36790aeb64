"""What must ring nothing: it is no failure, or one that heals by itself among many successes.

The weeks are not rotated through a thousand times: what a real rotation and a real look of the probe have written is
recorded once and replayed at the simulated times, and the alarms are evaluated over it minute by minute.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dashboards.drill.replay import Replay
from dashboards.drill.scenario import Cause, Scenario
from dashboards.drill.scenarios.lock_waits import held_up
from dashboards.drill.stage import Stage
from dashboards.drill.victim import DrillError, Victim
from local.aws_faults import Disturbance

_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
_A_NIGHT = 1000
_NIGHT_MINUTES, _DAY_MINUTES = 60, 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES
_LOOK_MINUTES = 15
_REPEATED_AFTER = 10


@contextmanager
def _deployed(_stage: Stage) -> Iterator[None]:
    yield


@contextmanager
def _healthy(stage: Stage) -> Iterator[None]:
    """Rotations of both engines succeed."""
    for engine in ("postgres", "aurora-postgresql"):
        victim = stage.victim(engine=engine)
        victim.succeed()
        victim.forget()
    yield


@contextmanager
def _tested(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    victim.succeed(rotate_immediately=False)
    yield
    victim.forget()


@contextmanager
def _duplicate(stage: Stage) -> Iterator[None]:
    """While setSecret waits for a lock, the same step is invoked once more."""
    victim = stage.victim()
    with held_up(stage, victim) as waiting:
        with stage.aws.secrets_manager() as service:
            token = service.version_under_way(victim.arn) or ""
        told = victim.step("setSecret", token)
        waiting.holder.execute("ROLLBACK")
    if told.error_type != "DuplicateInFlightError" or not waiting.rotation.result().succeeded:
        raise DrillError(f"the duplicate was told {told.error_type}")
    yield
    victim.forget()


@contextmanager
def _finished(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    token = victim.succeed().version_id
    for step in _STEPS:
        victim.step(step, token)
    yield
    victim.forget()


@contextmanager
def _repeated(stage: Stage) -> Iterator[None]:
    """Each step is invoked twice in a row."""
    victim = stage.victim()
    token = str(uuid.uuid4())
    with stage.aws.secrets_manager() as service:
        service.rotate_secret(victim.arn, token, stage.rotation.arn, {"AutomaticallyAfterDays": 30})
    for step in _STEPS:
        for _ in range(2):
            if not victim.step(step, token).succeeded:
                raise DrillError(f"the repeated {step} fails")
    yield
    victim.forget()


@contextmanager
def _transient(stage: Stage) -> Iterator[None]:
    """In the first and in the last minute of a night of 1,000 rotations one attempt fails; its repetition succeeds."""
    replay = Replay.record(stage)
    failed: list[Victim] = []
    for minute in range(_NIGHT_MINUTES):
        replay.rotate(stage.cloudwatch, stage.clock.now, _share_of_night(minute))
        if minute in {0, _NIGHT_MINUTES - 1}:
            failed.append(_failing_once(stage))
        if minute == _REPEATED_AFTER:
            failed[0].recover()
        stage.run(1)
    stage.run(_REPEATED_AFTER)
    failed[1].recover()
    yield
    for victim in failed:
        victim.forget()


def _failing_once(stage: Stage) -> Victim:
    victim = stage.victim()
    stage.aws.disturb("secretsmanager", "PutSecretValue", by=Disturbance.DROP)
    victim.rotate()
    stage.aws.clear_faults()
    return victim


def _week(rotations: Callable[[int], int]) -> Cause:
    """A week, given the number of rotations in each of its minutes."""

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        replay = Replay.record(stage)
        stage.probe_rule.is_enabled = False
        with stage.nobody_looks():
            for minute in range(_WEEK_MINUTES):
                replay.rotate(stage.cloudwatch, stage.clock.now, rotations(minute))
                if minute % _LOOK_MINUTES == 0:
                    replay.look_around(stage.cloudwatch, stage.clock.now)
                stage.run(1)
        stage.probe_rule.is_enabled = True
        yield

    return cause


def _share_of_night(minute: int) -> int:
    """How many of a night's rotations fall into a minute of the day."""
    if minute >= _NIGHT_MINUTES:
        return 0
    return _A_NIGHT * (minute + 1) // _NIGHT_MINUTES - _A_NIGHT * minute // _NIGHT_MINUTES


DEPLOYED = Scenario("deployed", "The stack has just been deployed", _deployed, patience=45)
SILENCE = (
    Scenario("healthy", "Rotations succeed, on both engines", _healthy),
    Scenario("test-run", "A test-only run succeeds", _tested),
    Scenario("duplicate", "A step is invoked twice at the same time", _duplicate),
    Scenario("finished", "All steps are invoked again after the rotation", _finished),
    Scenario("repeated", "Every step is invoked twice", _repeated),
    Scenario("transient", "Two of a night's 1,000 rotations need a second attempt", _transient),
    Scenario("quiet-week", "A week in which one secret rotates", _week(lambda minute: minute == _WEEK_MINUTES // 2)),
    Scenario("busy-week", "A week of 1,000 rotations a night", _week(lambda minute: _share_of_night(minute % _DAY_MINUTES))),
)
