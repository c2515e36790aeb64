"""Users of ElastiCache and MemoryDB keep the contract: fakes of AWS's APIs in front of a real Valkey."""

from collections.abc import Sequence

import pytest
from pydantic import SecretStr

from local.contract import OneUser, Setup, TwoPasswords
from local.contract.rotating import (
    SecretInRotation,
    document,
    engine_of,
    fitting_password,
    invocation,
    log_in,
    new_name,
    new_password,
    password_of,
    refused,
    refused_login,
)
from local.contract.strategies import accepted
from local.fake_cache_users import FakeUser
from local.targets.target import Target
from rotation.engines import engine_for
from rotation.errors import (
    AccessDeniedError,
    AuthenticationUnsafeError,
    AwsRejectedError,
    LoginRefusedError,
    PrivilegeMissingError,
    RotationError,
    SecretMalformedError,
    TargetBusyError,
    TargetMismatchError,
    TargetNotReadyError,
)
from rotation.models import CURRENT, PENDING, SecretDocument
from rotation.strategies import STRATEGIES
from rotation.strategies.change import Strategy, login_of
from rotation.strategies.single_user import SingleUser
from tests.contract.fake_cache_targets import FakeElastiCacheTarget, FakeMemoryDbTarget
from tests.stack import WholeStack, may, role_statements

SETUPS = [Setup("elasticache", FakeElastiCacheTarget), Setup("memorydb", FakeMemoryDbTarget)]
STRATEGY: Sequence[Strategy] = (SingleUser(),)


class TestOneUser(OneUser):
    strategies = STRATEGY


class TestTwoPasswords(TwoPasswords):
    strategies = STRATEGY
    test_the_superuser_ends_a_password_that_nobody_knows = None  # type: ignore[assignment] # nobody is one


@pytest.fixture
def secret(setup: Setup, target: Target) -> SecretDocument:
    """Users of MemoryDB have no underscore in their names."""
    name, password = new_name().replace("_", "-"), new_password()
    target.create_user(name, password)
    return document(target.keys, engine=setup.engine, username=name, password=password)


def fake_of(target: Target) -> FakeElastiCacheTarget:
    assert isinstance(target, FakeElastiCacheTarget)
    return target


def user_of(target: Target, secret: SecretDocument) -> FakeUser:
    api = fake_of(target).api
    return next(user for user in api.users.values() if api.arn(user.key) == secret.fields.user_arn)


@pytest.fixture
def blind(secret: SecretDocument) -> SecretDocument:
    """As AWS has it: nothing but these three."""
    keys = {key: secret.keys[key] for key in ("username", "password", "user_arn")}
    return document(keys)


@pytest.fixture
def rotation_without_host(blind: SecretDocument) -> SecretInRotation:
    return SecretInRotation(SingleUser(), blind, blind)


def test_the_only_strategy_is_the_one_of_single_users(secret: SecretDocument) -> None:
    traits = engine_of(secret).traits
    assert [name for name, strategy in STRATEGIES.items() if strategy.is_possible(traits)] == ["single-user"]


def test_ten_rotations_each_give_a_login_that_works(secret: SecretDocument, target: Target) -> None:
    rotation = SecretInRotation(SingleUser(), secret, secret)
    for _ in range(10):
        old = rotation.current
        rotation.rotate()
        assert accepted(target, rotation.current)
        assert accepted(target, old)


def test_a_rotation_calls_all_that_the_role_allows_and_nothing_else(secret: SecretDocument, target: Target) -> None:
    SecretInRotation(SingleUser(), secret, secret).rotate()
    service, user_arn = fake_of(target).service, str(secret.fields.user_arn)
    called = {f"{call.service}:{call.operation}" for call in fake_of(target).stage.calls}
    stack = WholeStack(CacheUserArns=user_arn)
    allowed = {action for statement in role_statements(stack) for action in statement["Action"]}
    assert called == {action for action in allowed if action.startswith(f"{service}:")}
    assert all(may(stack, action, user_arn) and not may(stack, action, f"{user_arn}-2") for action in called)


def test_with_a_host_a_wrong_password_is_refused(secret: SecretDocument) -> None:
    refused_login(LoginRefusedError, secret.changed(password=new_password()))


def test_secrets_in_aws_form_rotate_without_a_host(rotation_without_host: SecretInRotation, target: Target) -> None:
    for _ in range(3):
        old = rotation_without_host.current
        rotation_without_host.create()
        assert rotation_without_host.set() == CURRENT
        assert rotation_without_host.set(remembered=True) == CURRENT
        assert not rotation_without_host.change().is_interruption()
        rotation_without_host.test_and_finish()
        assert list(rotation_without_host.current.keys) == ["username", "password", "user_arn"]
        assert accepted(target, rotation_without_host.current)
        assert accepted(target, old)


@pytest.mark.parametrize("with_host", [True, False])
def test_the_record_says_when_no_login_was_checked(secret: SecretDocument, blind: SecretDocument, with_host: bool) -> None:
    chosen = secret if with_host else blind
    using = invocation()
    engine = engine_for(using)(chosen)
    with engine.log_in(login_of(chosen, engine.traits)) as session:
        session.check()
    assert using.record.facts.get("login_checked") is (None if with_host else False)


def test_a_change_that_takes_time_is_waited_for(rotation_without_host: SecretInRotation, target: Target) -> None:
    fake_of(target).api.slowness = 3
    try:
        rotation_without_host.create()
        rotation_without_host.set()
        assert user_of(target, rotation_without_host.current).status == "modifying"
        rotation_without_host.set()  # waits for the first
        rotation_without_host.test_and_finish()
    finally:
        fake_of(target).api.slowness = 0
    assert accepted(target, rotation_without_host.current)


def test_a_change_that_takes_too_long_is_told_before_the_time_is_up(blind: SecretDocument, target: Target) -> None:
    user = user_of(target, blind)
    user.status, user.looks_left = "modifying", 1_000_000
    for act in ("check", "set_password"):
        arguments = (blind.fields.username, SecretStr(new_password())) if act == "set_password" else ()
        with refused(TargetNotReadyError) as refusal, log_in(blind, 5.0) as session:
            getattr(session, act)(*arguments)
        assert "Timeout" in str(refusal.error)


def test_a_password_that_the_cache_does_not_know_yet_is_waited_for_and_not_set_again(
    secret: SecretDocument, target: Target
) -> None:
    rotation, api = SecretInRotation(SingleUser(), secret, secret), fake_of(target).api
    api.slowness = 3
    try:
        rotation.create()
        assert rotation.set() == CURRENT
        assert user_of(target, secret).status == "modifying"
        assert rotation.set() == PENDING
    finally:
        api.slowness = 0


def test_a_refusal_while_a_change_is_under_way_says_nothing_of_the_password(secret: SecretDocument, target: Target) -> None:
    user, wrong = user_of(target, secret), secret.changed(password=new_password())
    user.status, user.looks_left = "modifying", 1_000_000
    refused_login(TargetNotReadyError, wrong, 5.0)
    user.looks_left = 1
    refused_login(LoginRefusedError, wrong)


def test_somebody_else_changing_the_user_at_the_same_moment_is_a_busy_target(blind: SecretDocument, target: Target) -> None:
    user = user_of(target, blind)
    with log_in(blind) as session, refused(TargetBusyError):
        session.check()
        user.status = "modifying"
        engine_of(blind).set_passwords(user.key, [new_password()])  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", ["name", "region", "account", "missing"])
def test_the_user_of_the_arn_has_to_be_the_one_of_the_secret(blind: SecretDocument, target: Target, what: str) -> None:
    """Or a secret would change the password of whomever it names."""
    arn = str(blind.fields.user_arn)
    victim, password = new_name("victim").replace("_", "-"), new_password()
    target.create_user(victim, password)
    changed = {
        "name": blind.changed(username=victim),
        "region": blind.changed(user_arn=arn.replace("eu-central-1", "eu-west-1")),
        "account": blind.changed(user_arn=arn.replace(fake_of(target).account_id, "210987654321")),
        "missing": blind.changed(user_arn=arn + "x"),
    }[what]
    rotation = SecretInRotation(SingleUser(), changed, changed)
    rotation.create()
    with refused(TargetMismatchError):
        rotation.set()
    assert target.refusal(victim, password) is None
    assert accepted(target, blind)


def test_no_other_user_can_be_set(blind: SecretDocument) -> None:
    with refused(PrivilegeMissingError), log_in(blind) as session:
        session.set_password("somebody", SecretStr(new_password()))
    with refused(PrivilegeMissingError), log_in(blind) as session:
        session.provide_clone(blind.fields.username, "clone")


@pytest.mark.parametrize("arn", ["arn:aws:{}:eu-central-1:123456789012:user", "arn:aws:{}:x:123456789012:usergroup:a"])
def test_an_arn_of_something_else_is_malformed(setup: Setup, blind: SecretDocument, arn: str) -> None:
    refused_login(SecretMalformedError, blind.changed(user_arn=arn.format(setup.engine)))


@pytest.mark.parametrize(
    ("authentication", "kind"), [("no-password", AuthenticationUnsafeError), ("iam", TargetMismatchError)]
)
def test_a_user_without_passwords_has_nothing_to_rotate(
    blind: SecretDocument, target: Target, authentication: str, kind: type[RotationError]
) -> None:
    user_of(target, blind).authentication = authentication
    refused_login(kind, blind)


def test_a_missing_permission_names_the_parameter(blind: SecretDocument, target: Target) -> None:
    fake = fake_of(target)
    fake.stage.fail(fake.service, code="AccessDenied", message="User: x is not authorized", status=403)
    try:
        assert "CacheUserArns" in str(refused_login(AccessDeniedError, blind).error)
    finally:
        fake.stage.clear_faults()


def test_what_aws_quotes_of_a_password_reaches_nobody(blind: SecretDocument) -> None:
    bad = "short-" + new_password()[:6]
    with refused(AwsRejectedError, bad, password_of(blind)), log_in(blind) as session:
        session.set_password(blind.fields.username, SecretStr(bad), keep=blind.fields.password)


def test_passwords_that_are_made_fit_the_rules_of_the_service(secret: SecretDocument) -> None:
    with log_in(secret) as session:
        for _ in range(20):
            session.set_password(secret.fields.username, fitting_password(engine_of(secret).traits))


def test_passwords_go_to_the_api_alone(secret: SecretDocument, target: Target) -> None:
    fake = fake_of(target)
    del fake.api.asked[:]
    rotation = SecretInRotation(SingleUser(), secret, secret)
    rotation.rotate()
    sent = [operation for operation, parameters in fake.api.asked if password_of(rotation.current) in str(parameters)]
    assert sent == ["ModifyUser" if fake.service == "elasticache" else "UpdateUser"]
    assert password_of(rotation.current) not in target.log()
