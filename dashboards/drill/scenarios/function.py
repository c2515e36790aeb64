"""The function is broken, slow, throttled, or may not be called."""

from collections.abc import Iterator
from contextlib import contextmanager

from dashboards.drill.code_copies import copy_with
from dashboards.drill.scenario import UNREACHED, Cause, Scenario
from dashboards.drill.scenarios.lock_waits import held_up
from dashboards.drill.scenarios.spoiling import spoilt
from dashboards.drill.stage import Stage

_BROKEN = UNREACHED | {"function-broken"}
_CAUSE = frozenset({"cause-function"})


def _deployed_with(**changes: object) -> Cause:
    """Rotate a secret with the function deployed otherwise: with other `memory_mb` or `variables`."""

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        victim = stage.victim()
        with stage.rotation_function(**changes):
            victim.rotate()
            yield
        victim.recover()
        victim.forget()

    return cause


def _deployed_with_code(module: str, addition: str) -> Cause:
    """Rotate a secret with a defect in the deployed code."""

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        with copy_with(module, addition) as code, _deployed_with(code=code)(stage):
            yield

    return cause


@contextmanager
def _invalid_event(stage: Stage) -> Iterator[None]:
    stage.rotation.invoke({"Step": "rotateSecret", "SecretId": "drill/app"})
    yield


@contextmanager
def _frozen(stage: Stage) -> Iterator[None]:
    """The server stops in the middle of a statement, so that it cannot keep its own time limit either."""
    victim = stage.victim()
    with held_up(stage, victim) as waiting:
        stage.postgres.freeze()
        waiting.rotation.result()
        stage.postgres.thaw()
    yield
    victim.recover()
    victim.forget()


@contextmanager
def _slow(stage: Stage) -> Iterator[None]:
    """Secrets Manager takes its time while setSecret runs."""
    victim = stage.victim()
    stage.before_step["setSecret"] = lambda: stage.aws.latency.update(secretsmanager=2.6)
    stage.before_step["testSecret"] = stage.aws.latency.clear
    victim.succeed()
    yield
    victim.forget()


@contextmanager
def _throttled(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    stage.rotation.throttled = True
    victim.rotate()
    yield
    stage.rotation.throttled = False
    victim.recover()
    victim.forget()


@contextmanager
def _not_permitted(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    stage.rotation.may_be_invoked = False
    victim.rotate()
    yield
    stage.rotation.may_be_invoked = True
    victim.recover()
    victim.forget()


FUNCTION = (
    Scenario(
        "configuration-invalid",
        "A setting of the function is wrong",
        _deployed_with(variables={"ROTATION_STRATEGY": "whatever"}),
        UNREACHED | _CAUSE,
        reason="configuration_invalid",
    ),
    Scenario("event-invalid", "Somebody invokes it with a wrong event", _invalid_event, _CAUSE, reason="event_invalid"),
    spoilt(
        "defect",
        "A step meets a defect in the code",
        _deployed_with_code("steps", "_STEPS = {}"),
        "internal",
        "function",
    ),
    Scenario("import-error", "The code cannot be imported", _deployed_with_code("steps", "import nowhere"), _BROKEN),
    Scenario("out-of-memory", "The function runs out of memory", _deployed_with(memory_mb=40), _BROKEN),
    Scenario(
        "timeout",
        "The function hangs until Lambda kills it",
        _deployed_with_code("app", "def lambda_handler(event, context): time.sleep(3600)"),
        _BROKEN | {"near-timeout"},
    ),
    spoilt(
        "database-frozen",
        "The database freezes in the middle of a statement",
        _frozen,
        "deadline",
        "function",
        also=frozenset({"near-timeout", "slow-step"}),
    ),
    Scenario("slow", "A step is slow, and succeeds", _slow, frozenset({"slow-step"})),
    Scenario("throttled", "Lambda throttles the function", _throttled, UNREACHED | {"throttled"}),
    Scenario("not-permitted", "Secrets Manager may not invoke the function", _not_permitted, UNREACHED),
)
