"""Users of ElastiCache and MemoryDB through the deployed handler: fakes of AWS's APIs before a real server with TLS."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.aws_faults import Disturbance
from local.certificate_authority import CertificateAuthority
from local.contract.fixtures import start_or_skip
from local.contract.rotating import new_name, new_password
from local.fake_cache_users import SERVICES, FakeCacheUsers, FakeUser, Service, nowhere
from local.targets.redis import RedisTarget
from tests.functional.search import Search
from tests.functional.seen import Seen
from tests.functional.world import CURRENT, PENDING, PREVIOUS, STEPS, Deployed, World

CHANGES = {"elasticache": "ModifyUser", "memorydb": "UpdateUser"}
FOR_EVER = 1_000_000


@dataclass
class Case:
    """A user of one service, and its secret, which may name the cache."""

    world: World
    service: Service
    cache: RedisTarget
    user: FakeUser
    has_host: bool
    secret_arn: str

    def opens(self, password: str) -> bool:
        return self.cache.refusal(self.user.name, password) is None

    def password(self, label: str = CURRENT) -> str:
        return str(self.world.value(self.secret_arn, label)["password"])

    def change(self, change: Callable[[FakeCacheUsers], None]) -> None:
        with self.world.aws.cache_users(self.service) as users:
            change(users)

    def changes(self) -> int:
        """How many times the passwords were changed."""
        with self.world.aws.cache_users(self.service) as users:
            asked = [parameters for operation, parameters in users.asked if operation == CHANGES[self.service]]
            return sum(self.user.key in parameters.values() for parameters in asked)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def cache(world: World, authority: CertificateAuthority) -> Iterator[RedisTarget]:
    """Where the changes of both services arrive."""
    with ExitStack() as stack:
        target = start_or_skip(stack, lambda: RedisTarget(authority.issue("localhost", "127.0.0.1")))
        assert isinstance(target, RedisTarget)
        for service in SERVICES:
            with world.aws.cache_users(service) as users:
                users.bring = lambda user: target.set_passwords(user.name, *user.passwords)
                stack.callback(setattr, users, "bring", nowhere)
        yield target


@pytest.fixture(scope="module")
def function(world: World, authority: CertificateAuthority) -> Iterator[Deployed]:
    with world.deployed(environment={"TLS_CA_BUNDLE": str(authority.certificate)}) as function:
        yield function


@pytest.fixture(scope="module")
def impatient(world: World, authority: CertificateAuthority) -> Iterator[Deployed]:
    """The function with so little time that waiting for it to run out is bearable."""
    environment = {"TLS_CA_BUNDLE": str(authority.certificate), "REPORT_RESERVE_SECONDS": "1"}
    with world.deployed(timeout_seconds=7.0, environment=environment) as function:
        yield function


@pytest.fixture(params=[(service, has_host) for service in SERVICES for has_host in (True, False)], ids=str)
def case(request: pytest.FixtureRequest, world: World, cache: RedisTarget) -> Iterator[Case]:
    service, has_host = request.param
    name, password = new_name().replace("_", "-"), new_password()
    with world.aws.cache_users(service) as users:
        user = users.create(f"id-{name}" if service == "elasticache" else name, name, password)
        # Without a host, these keys are all that AWS knows.
        keys = {"username": name, "password": password, "user_arn": users.arn(user.key)}
    place = {**cache.keys, "engine": service} if has_host else {}
    yield Case(world, service, cache, user, has_host, world.store({**keys, **place}))
    with world.aws.cache_users(service) as users:
        users.slowness = 0


def test_a_predecessor_works_until_the_next_rotation(case: Case, function: Deployed, tmp_path: Path) -> None:
    search = Search(case.world, (tmp_path,))
    before, first = case.world.value(case.secret_arn), case.password()
    for _ in range(2):
        seen = function.rotate(case.secret_arn)
        assert case.opens(case.password())
        assert case.opens(case.password(PREVIOUS))
        assert seen["finishSecret"].line["credential_gap_ms"] == 0
        search.for_all_passwords()
        assert search.in_what_is_told(*seen.values()) == []
        assert search.in_what_is_kept() == []
    assert not case.opens(first)
    assert case.world.value(case.secret_arn) == {**before, "password": case.password()}


def test_it_is_told_which_steps_checked_no_login(case: Case, function: Deployed) -> None:
    seen = function.rotate(case.secret_arn)
    lines = [seen[step].line for step in STEPS]
    assert {(line["engine"], line["strategy"]) for line in lines} == {(case.service, "single-user")}
    told = [line.get("login_checked") for line in lines[1:]]
    assert told == [None if case.has_host else False] * 3
    spans = {node.name for node in seen["setSecret"].trace.children}
    assert f"{case.service}.describe_users" in spans
    assert ("target.hello" in spans) is case.has_host


def test_every_step_can_be_repeated(case: Case, function: Deployed) -> None:
    run, old = case.world.begin(case.secret_arn), case.password()
    for step in STEPS:
        for _ in range(3):
            assert function.step(step, run).succeeded
            case.world.forget()
    assert case.opens(case.password())
    assert case.opens(old)
    # Where nothing tells whether the password is set, it is set again.
    assert case.changes() == (1 if case.has_host else 3)


def test_a_change_that_takes_time_is_waited_for(case: Case, function: Deployed) -> None:
    run, old = case.world.begin(case.secret_arn), case.password()
    case.change(lambda users: setattr(users, "slowness", 3))
    function.steps(run, "createSecret", "setSecret")
    assert case.user.status == "modifying"
    new = case.password(PENDING)
    assert not case.opens(new)
    function.steps(run, "testSecret")
    assert case.user.status == "active"
    assert case.opens(new)
    assert case.opens(old)
    function.steps(run, "finishSecret")


@pytest.mark.parametrize("step", ["setSecret", "testSecret"])
def test_a_change_that_takes_too_long_is_told_before_the_time_is_up(
    case: Case, function: Deployed, impatient: Deployed, step: str
) -> None:
    run = case.world.begin(case.secret_arn)
    function.steps(run, *STEPS[: STEPS.index(step)])
    case.user.status, case.user.looks_left = "modifying", FOR_EVER
    changes = case.changes()
    failed = impatient.step(step, run)
    assert set(failed.reasons.values()) == {"target_not_ready"}
    assert "the parameter Timeout" in json.dumps(failed.line)
    assert case.changes() == changes
    case.user.looks_left = 1
    function.steps(run, *STEPS[STEPS.index(step) :])
    assert case.opens(case.password())


@pytest.mark.parametrize("operation", ["DescribeUsers", "the change"])
def test_a_missing_permission_is_told_as_such(case: Case, function: Deployed, operation: str, tmp_path: Path) -> None:
    search = Search(case.world, (tmp_path,))
    run, old = case.world.begin(case.secret_arn), case.password()
    function.steps(run, "createSecret")
    asked = CHANGES[case.service] if operation == "the change" else operation
    code = "AccessDenied" if case.service == "elasticache" else "AccessDeniedException"
    denial = f"User: arn:aws:sts::1:assumed-role/r/f is not authorized to perform: {case.service}:{asked} with {old}"
    case.world.aws.fail(case.service, asked, code=code, message=denial, status=403)
    failed = function.step("setSecret", run)
    assert set(failed.reasons.values()) == {"access_denied"}
    assert f"{case.service}:{asked}" in failed.line["error"]
    assert "CacheUserArns" in json.dumps(failed.line)
    search.for_all_passwords()
    assert search.in_what_is_told(failed) == []
    assert not case.opens(case.password(PENDING))
    case.world.aws.clear_faults()
    function.steps(run)
    assert case.opens(old)


@pytest.mark.parametrize("slowness", [0, 2])
def test_a_function_that_is_killed_before_it_hears_of_its_change_converges(
    case: Case, authority: CertificateAuthority, slowness: int
) -> None:
    run, old = case.world.begin(case.secret_arn), case.password()
    case.change(lambda users: setattr(users, "slowness", slowness))
    with case.world.deployed(environment={"TLS_CA_BUNDLE": str(authority.certificate)}) as function:

        def kill_once_it_is_changed() -> None:
            if case.world.aws.calls[-1].operation == CHANGES[case.service]:
                function.function.recycle()

        function.steps(run, "createSecret")
        case.world.aws.watch(on_effect=kill_once_it_is_changed)
        killed = function.step("setSecret", run)
        case.world.aws.watch()
        assert killed.invocation.error_type == "Runtime.ExitError"
        assert case.changes() == 1
        new = case.password(PENDING)
        case.world.let_locks_expire()
        function.steps(run)
    # What the caches accept already is not set again.
    assert case.changes() == (1 if case.has_host else 2)
    assert case.password() == new
    assert case.opens(new)
    assert case.opens(old)


@pytest.mark.parametrize("slowness", [0, 2])
def test_a_change_whose_answer_is_lost_converges(case: Case, function: Deployed, slowness: int) -> None:
    """AWS refuses the client's second attempt while the first one is under way."""
    run, old = case.world.begin(case.secret_arn), case.password()
    case.change(lambda users: setattr(users, "slowness", slowness))
    function.steps(run, "createSecret")
    case.world.aws.disturb(case.service, CHANGES[case.service], by=Disturbance.LOSE_ANSWER, times=1)
    first = function.step("setSecret", run)
    assert first.succeeded if slowness == 0 else set(first.reasons.values()) == {"target_busy"}
    function.steps(run)
    assert case.opens(case.password())
    assert case.opens(old)


def test_a_password_that_the_caches_do_not_learn_of_in_time_is_not_told_as_wrong(
    case: Case, function: Deployed, impatient: Deployed
) -> None:
    run = case.world.begin(case.secret_arn)
    case.change(lambda users: setattr(users, "slowness", FOR_EVER))
    function.steps(run, "createSecret", "setSecret")
    failed = impatient.step("testSecret", run)
    assert set(failed.reasons.values()) == {"target_not_ready"}
    case.user.looks_left = 1
    function.steps(run, "testSecret", "finishSecret")
    assert case.opens(case.password())


def test_a_wrong_password_is_told_where_it_can_be_checked(case: Case, function: Deployed) -> None:
    """Without the host, the new password is set whatever the old one is."""
    case.cache.set_passwords(case.user.name, new_password())
    run = case.world.begin(case.secret_arn)
    function.steps(run, "createSecret")
    seen: Seen = function.step("setSecret", run)
    assert seen.succeeded is not case.has_host
    if case.has_host:
        assert set(seen.reasons.values()) == {"credential_unknown"}
        assert case.changes() == 0


def test_another_user_than_the_secrets_own_is_left_alone(case: Case, function: Deployed) -> None:
    changed: dict[str, Any] = case.world.value(case.secret_arn)
    case.user.name = new_name("victim")
    run = case.world.begin(case.world.store(changed))
    function.steps(run, "createSecret")
    failed = function.step("setSecret", run)
    assert set(failed.reasons.values()) == {"target_mismatch"}
    assert case.changes() == 0
