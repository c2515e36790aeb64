"""Whatever takes too long ends before the function's time does, with its own reason, and leaves no lock behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.aws_faults import Disturbance
from tests.faults.database_proxy import DatabaseProxy, Interference
from tests.functional.seen import Seen
from tests.functional.world import PENDING, STEPS, Deployed, Run, World
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability
TIMEOUT_SECONDS = 6.0
_SETTINGS = {"REPORT_RESERVE_SECONDS": "1"}
_SLOW_ENGINES: dict[str, Any] = {
    "handler": "slow_engines.lambda_handler",
    "libraries": (Path(__file__).parent / "deployed",),
    "environment": _SETTINGS,
}


@dataclass
class Hourglass:
    """A function with little time, one with none, and what can take time from them."""

    world: World
    short: Deployed
    none: Deployed
    proxy: DatabaseProxy

    def begin(self, step: str, **keys: object) -> Run:
        """A rotation that has come as far as this step."""
        run = self.world.begin(self.world.new_secret(**{"port": self.proxy.port, **keys}))  # type: ignore[arg-type]
        self.short.steps(run, *STEPS[: STEPS.index(step)])
        return run


@pytest.fixture(scope="module")
def short(world: World) -> Iterator[Deployed]:
    with world.deployed(**_SLOW_ENGINES, timeout_seconds=TIMEOUT_SECONDS) as function:
        yield function


@pytest.fixture(scope="module")
def patient(world: World) -> Iterator[Deployed]:
    with world.deployed(**_SLOW_ENGINES) as function:
        yield function


@pytest.fixture(scope="module")
def none(world: World) -> Iterator[Deployed]:
    with world.deployed(timeout_seconds=1.5, environment=_SETTINGS) as function:
        yield function


@pytest.fixture
def hourglass(world: World, short: Deployed, none: Deployed, proxy: DatabaseProxy) -> Hourglass:
    return Hourglass(world, short, none, proxy)


@contextmanager
def silence(glass: Hourglass, step: str) -> Iterator[tuple[Run, Deployed]]:
    """The database accepts the connection and never says a word."""
    run = glass.begin(step)
    glass.proxy.on_message = lambda _message: Interference.HANG
    yield run, glass.short
    glass.proxy.on_message = lambda _message: Interference.FORWARD


@contextmanager
def silence_after_the_login(glass: Hourglass, step: str) -> Iterator[tuple[Run, Deployed]]:
    """The database lets the function in, and answers no statement."""
    run = glass.begin(step)
    glass.proxy.on_message = lambda message: Interference.HANG if message[:1] == b"Q" else Interference.FORWARD
    yield run, glass.short
    glass.proxy.on_message = lambda _message: Interference.FORWARD


@contextmanager
def lock_on_the_role(glass: Hourglass, step: str) -> Iterator[tuple[Run, Deployed]]:
    run = glass.begin(step)
    user = glass.world.value(run.secret_arn)["username"]
    with glass.world.server.admin_connection() as other, other.transaction(force_rollback=True):
        other.execute(f"ALTER ROLE {user} CONNECTION LIMIT 5".encode())
        yield run, glass.short


@contextmanager
def lock_on_the_clone(glass: Hourglass, step: str) -> Iterator[tuple[Run, Deployed]]:
    run = glass.begin(step, superuser=True, port=glass.world.server.port)
    clone = glass.world.value(run.secret_arn, PENDING)["username"]
    glass.world.execute("CREATE ROLE {} LOGIN", clone)
    glass.world.execute("GRANT {} TO {}", clone.removesuffix("_clone"), clone)
    with glass.world.server.admin_connection() as other, other.transaction(force_rollback=True):
        other.execute(f"ALTER ROLE {clone} CONNECTION LIMIT 5".encode())
        yield run, glass.short


@contextmanager
def dns_that_hangs(glass: Hourglass, _step: str) -> Iterator[tuple[Run, Deployed]]:
    run = glass.world.begin(glass.world.new_secret(engine="unresolved"))
    glass.short.steps(run, "createSecret")
    yield run, glass.short
    # The name becomes known: the rest of the rotation is that of any PostgreSQL.
    _become_known(glass, run)


def _become_known(glass: Hourglass, run: Run) -> None:
    with glass.world.aws.secrets_manager() as service:
        for version in service.secret(run.secret_arn).versions.values():
            version["secret_string"] = version["secret_string"].replace("unresolved", "postgres")


@contextmanager
def endless_calls_to_aws(glass: Hourglass, step: str) -> Iterator[tuple[Run, Deployed]]:
    """Calls of 20 s and more, which the function cannot tell from endless ones: it waits for 3."""
    run = glass.begin(step)
    glass.world.aws.disturb("secretsmanager", by=Disturbance.HANG)
    yield run, glass.short
    glass.world.aws.clear_faults()


@contextmanager
def no_time_at_the_start(glass: Hourglass, step: str) -> Iterator[tuple[Run, Deployed]]:
    yield glass.begin(step), glass.none


@contextmanager
def a_change_that_is_never_learnt(glass: Hourglass, step: str) -> Iterator[tuple[Run, Deployed]]:
    run = glass.begin(step, engine="settling")
    pending = glass.world.value(run.secret_arn, PENDING)
    glass.world.set_password(pending["username"], "not learnt")
    yield run, glass.short
    glass.world.set_password(pending["username"], pending["password"])


Scenario = Callable[[Hourglass, str], "object"]
SCENARIOS: list[tuple[Scenario, tuple[str, ...], str]] = [
    (silence, ("setSecret", "testSecret", "finishSecret"), "connect_timeout"),
    (silence_after_the_login, ("setSecret", "testSecret", "finishSecret"), "deadline"),
    (lock_on_the_role, ("setSecret",), "target_busy"),
    (lock_on_the_clone, ("setSecret",), "target_busy"),
    (dns_that_hangs, ("setSecret",), "dns_failed"),
    (endless_calls_to_aws, STEPS, "deadline"),
    (no_time_at_the_start, STEPS, "deadline"),
    (a_change_that_is_never_learnt, ("testSecret", "finishSecret"), "login_refused"),
]
CASES = [(scenario, step, reason) for scenario, steps, reason in SCENARIOS for step in steps]


def is_told_in_time(seen: Seen, reason: str) -> bool:
    """Whether the function itself had the last word, with the right reason everywhere and time to spare."""
    return (
        not seen.invocation.timed_out
        and set(seen.reasons.values()) == {reason}
        and seen.metrics["StepFailed"] == seen.metrics["Failures"] == 1.0
        and seen.metrics["RemainingTime"] > 0
    )


@pytest.mark.parametrize(("scenario", "step", "reason"), CASES, ids=[f"{case[0].__name__}-{case[1]}" for case in CASES])
def test_what_takes_too_long_ends_in_time_by_name_and_without_a_lock(
    hourglass: Hourglass, scenario: Callable[..., "Iterator[tuple[Run, Deployed]]"], step: str, reason: str, verdict: Verdict
) -> None:
    with scenario(hourglass, step) as (run, function):  # type: ignore[attr-defined]
        seen = function.step(step, run)
    # At once, by another environment: a lock left behind would refuse it.
    again = [hourglass.short.step(each, run) for each in STEPS]
    is_well = all(each.succeeded for each in again) and hourglass.world.opens(hourglass.world.value(run.secret_arn))
    in_time = is_told_in_time(seen, reason)
    verdict.add("time", tried=1, survived=int(is_well), failures=1, seen=int(in_time))
    assert in_time, (seen.reasons, seen.invocation.log_lines)
    assert is_well, [each.error for each in again if not each.succeeded]


@pytest.mark.parametrize("step", ["testSecret", "finishSecret"])
def test_a_target_that_learns_late_is_waited_for_with_growing_pauses(
    hourglass: Hourglass, patient: Deployed, step: str, verdict: Verdict
) -> None:
    run = hourglass.begin(step, engine="settling")
    pending = hourglass.world.value(run.secret_arn, PENDING)
    hourglass.world.set_password(pending["username"], "not learnt yet")
    logins = 0

    def learn_at_the_third(message: bytes) -> Interference:
        nonlocal logins
        logins += b"user\0" in message
        if logins == 3:
            hourglass.world.set_password(pending["username"], pending["password"])
        return Interference.FORWARD

    hourglass.proxy.on_message = learn_at_the_third
    seen = patient.step(step, run)
    hourglass.proxy.on_message = lambda _message: Interference.FORWARD
    again = [hourglass.short.step(each, run) for each in STEPS]
    is_well = seen.succeeded and all(each.succeeded for each in again)
    verdict.add("time", tried=1, survived=int(is_well))
    assert seen.outcome == "succeeded"
    assert logins == 3
    assert is_well
