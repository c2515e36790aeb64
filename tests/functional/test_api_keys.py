"""API keys through the deployed handler, at a service that makes them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.aws_faults import Disturbance
from local.contract import peers
from local.contract.rotating import new_name, new_password
from local.targets.http import DECLARATION, HttpTarget, administered
from tests.functional.search import Search
from tests.functional.world import PENDING, PREVIOUS, STEPS, Deployed, World


@pytest.fixture(scope="module")
def target() -> Iterator[HttpTarget]:
    with HttpTarget() as running:
        yield running


@pytest.fixture
def secret_arn(world: World, target: HttpTarget) -> str:
    name, key = new_name(), new_password()
    target.create_user(name, key)
    return world.store({**target.keys, "engine": "http", "username": name, "password": key, "note": "survives"})


@pytest.fixture
def behave(target: HttpTarget) -> Iterator[Callable[..., None]]:
    yield target.behave
    target.behave()


def works(target: HttpTarget, keys: dict[str, Any]) -> bool:
    return target.refusal(keys["username"], keys["password"]) is None


def test_a_key_is_rotated_and_its_predecessor_works_until_the_next_rotation(
    world: World, deployed: Deployed, target: HttpTarget, secret_arn: str, tmp_path: Path
) -> None:
    search = Search(world, (tmp_path,))
    first = world.value(secret_arn)
    for _ in range(2):
        seen = deployed.rotate(secret_arn)
        assert works(target, world.value(secret_arn))
        assert works(target, world.value(secret_arn, PREVIOUS))
        lines = [seen[step].line for step in STEPS]
        assert {(line["engine"], line["strategy"]) for line in lines} == {("http", "two-keys")}
        assert lines[-1]["credential_gap_ms"] == 0
        assert {"StepReplayed": 0, "StepSucceeded": 1}.items() <= seen["setSecret"].metrics.items()
        search.for_all_passwords()
        assert search.in_what_is_told(*seen.values()) == []
    assert not works(target, first)
    assert {key: value for key, value in world.value(secret_arn).items() if key not in {"username", "password"}} == {
        key: value for key, value in first.items() if key not in {"username", "password"}
    }
    spans = {node.name for node in seen["createSecret"].trace.children}
    assert {"target.check_key", "target.create_key"} <= spans


def test_every_step_can_be_repeated(world: World, deployed: Deployed, target: HttpTarget, secret_arn: str) -> None:
    run = world.begin(secret_arn)
    before = target.users()
    for step in STEPS:
        for _ in range(3):
            assert deployed.step(step, run).succeeded
            world.forget()
    assert len(target.users() - before) == 1
    assert works(target, world.value(secret_arn))


def test_a_function_that_is_killed_before_it_stored_the_key_leaves_no_further_one(
    world: World, target: HttpTarget, secret_arn: str
) -> None:
    """Just before Secrets Manager does anything with it."""
    run, before = world.begin(secret_arn), target.users()
    with world.deployed() as function:

        def kill_once_there_is_a_key() -> None:
            if target.users() != before:
                function.function.recycle()

        world.aws.watch(on_arrival=kill_once_there_is_a_key)
        world.aws.disturb("secretsmanager", "PutSecretValue", by=Disturbance.DROP)
        killed = function.step("createSecret", run)
        world.aws.watch()
        world.aws.clear_faults()
        assert killed.invocation.error_type == "Runtime.ExitError"
        (orphan,) = target.users() - before
        world.let_locks_expire()
        function.steps(run)
    assert world.value(secret_arn)["username"] == orphan
    assert target.users() - before == {orphan}


def test_a_wrong_key_is_told_as_such_and_nothing_is_stored(
    world: World, deployed: Deployed, target: HttpTarget, secret_arn: str
) -> None:
    target.create_user(world.value(secret_arn)["username"], "changed by hand")
    failed = deployed.step("createSecret", world.begin(secret_arn))
    assert set(failed.reasons.values()) == {"login_refused"}
    with pytest.raises(AssertionError, match="no version"):
        world.value(secret_arn, PENDING)


def test_a_declaration_is_checked_before_anything_is_sent(
    world: World, deployed: Deployed, target: HttpTarget, secret_arn: str
) -> None:
    keys = world.value(secret_arn)
    check = {**keys["http"]["check"], "path": "https://elsewhere.example/"}
    arn = world.store({**keys, "http": {**keys["http"], "check": check}})
    failed = deployed.step("createSecret", world.begin(arn))
    assert failed.line["reason"] == "secret_malformed"
    assert "http is wrong: check.path" in failed.line["error"]
    assert "target" not in failed.line["calls"]
    assert "elsewhere" not in target.log()


@pytest.fixture
def limited_arn(world: World, secret_arn: str, behave: Callable[..., None]) -> str:
    """A secret of a service that holds two keys, both of which are in use."""
    behave(limit=2)
    return world.store({**world.value(secret_arn), "http": {**DECLARATION, "most_keys": 2}})


def led_through(world: World, secret_arn: str, port: int) -> None:
    """Let the secret's versions lead to the service by another port."""
    with world.aws.secrets_manager() as service:
        for version in service.secret(secret_arn).versions.values():
            if "secret_string" in version:
                version["secret_string"] = json.dumps({**json.loads(version["secret_string"]), "port": port})


def test_a_service_that_holds_two_keys_is_never_asked_for_a_third(
    world: World, deployed: Deployed, target: HttpTarget, limited_arn: str
) -> None:
    for _ in range(3):
        current = world.value(limited_arn)
        run = world.begin(limited_arn)
        for step in STEPS:
            assert deployed.step(step, run).succeeded
            assert works(target, current)
        assert works(target, world.value(limited_arn))
    assert "POST /v1/keys" in target.log()


@pytest.mark.parametrize("is_idempotent", [True, False])
@pytest.mark.parametrize("moment", ["after the revocation", "after the creation", "before the key is stored"])
def test_a_function_that_is_killed_at_a_service_that_holds_two_keys_goes_on_where_it_was(
    world: World,
    deployed: Deployed,
    target: HttpTarget,
    limited_arn: str,
    moment: str,
    *,
    is_idempotent: bool,
) -> None:
    """Just after, what the service was asked is done, and its answer finds nobody."""
    first = world.value(limited_arn)
    deployed.rotate(limited_arn)
    target.behave(limit=2, is_idempotent=is_idempotent)
    current, run = world.value(limited_arn), world.begin(limited_arn)
    with world.deployed() as function, ExitStack() as around:
        recycle = function.function.recycle
        if moment == "before the key is stored":
            world.aws.disturb("secretsmanager", "PutSecretValue", by=Disturbance.DROP)
            before = target.users()
            world.aws.watch(on_arrival=lambda: recycle() if target.users() - before else None)
        else:
            cue = {"after the revocation": b"DELETE /v1/keys/", "after the creation": b"POST /v1/keys"}[moment]
            tap = around.enter_context(peers.wiretap(target.server.port, cue=cue, before=recycle))
            led_through(world, limited_arn, tap.port)
        killed = function.step("createSecret", run)
        world.aws.watch()
        world.aws.clear_faults()
        assert killed.invocation.error_type == "Runtime.ExitError"
        assert works(target, current)
        world.let_locks_expire()
        function.steps(run)
    assert works(target, current)
    assert works(target, world.value(limited_arn))
    assert not works(target, first)


def test_the_key_of_a_rotation_that_was_given_up_makes_room_for_the_next(
    world: World, deployed: Deployed, target: HttpTarget, limited_arn: str
) -> None:
    deployed.rotate(limited_arn)
    run = world.begin(limited_arn)
    assert deployed.step("createSecret", run).succeeded
    abandoned = world.value(limited_arn, PENDING)
    world.secrets_manager.update_secret_version_stage(
        SecretId=limited_arn, VersionStage=PENDING, RemoveFromVersionId=run.token
    )
    deployed.rotate(limited_arn)
    assert not works(target, abandoned)
    assert works(target, world.value(limited_arn))
    assert works(target, world.value(limited_arn, PREVIOUS))


@pytest.fixture
def administered_arn(world: World, target: HttpTarget, secret_arn: str, behave: Callable[..., None]) -> str:
    """A secret of a service where only the superuser makes keys."""
    behave(is_locked_down=True)
    name, key = target.superuser
    superuser = world.store({**target.keys, "engine": "http", "username": name, "password": key})
    return world.store({**world.value(secret_arn), "http": "acme", "masterarn": superuser})


@pytest.fixture
def administering(world: World, administered_arn: str) -> Iterator[Deployed]:
    """The function of a stack that declares what the superuser is asked for."""
    declared = {"acme": administered(world.value(administered_arn)["username"])}
    with world.deployed(environment={"HTTP_TARGETS": json.dumps(declared)}) as function:
        yield function


def test_a_superuser_makes_and_ends_the_keys_and_its_own_is_told_nobody(
    world: World, administering: Deployed, target: HttpTarget, administered_arn: str, tmp_path: Path
) -> None:
    search, first = Search(world, (tmp_path,)), world.value(administered_arn)
    for _ in range(2):
        seen = administering.rotate(administered_arn)
        assert works(target, world.value(administered_arn))
        assert works(target, world.value(administered_arn, PREVIOUS))
        search.for_all_passwords()
        search.for_value("the superuser's key", target.superuser[1])
        assert search.in_what_is_told(*seen.values()) == []
        assert search.in_what_is_kept() == []
    assert not works(target, first)
    assert target.superuser[1] not in target.log()


def test_a_superuser_of_another_server_is_not_asked(
    world: World, administering: Deployed, target: HttpTarget, administered_arn: str, tmp_path: Path
) -> None:
    name, key = target.superuser
    users, search = target.users(), Search(world, (tmp_path,))
    with peers.wiretap(target.server.port) as tap:
        superuser = world.store({**target.keys, "engine": "http", "username": name, "password": key, "port": tap.port})
        arn = world.store({**world.value(administered_arn), "masterarn": superuser})
        failed = administering.step("createSecret", world.begin(arn))
    assert set(failed.reasons.values()) == {"target_mismatch"}
    assert tap.sent == []
    assert target.users() == users
    search.for_all_passwords()
    assert search.in_what_is_told(failed) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"masterarn": None}, "the key masterarn is missing"), ({"http": administered("app")}, "only the stack may declare")],
)
def test_a_superuser_that_may_not_be_asked_is_told_before_anything_is_sent(
    world: World, administering: Deployed, administered_arn: str, changes: dict[str, Any], what: str
) -> None:
    arn = world.store({**world.value(administered_arn), **changes})
    failed = administering.step("createSecret", world.begin(arn))
    assert set(failed.reasons.values()) == {"secret_malformed"}
    assert what in failed.line["error"]
    assert "target" not in failed.line["calls"]


def test_a_superusers_key_that_is_refused_is_told_without_it(
    world: World, administering: Deployed, target: HttpTarget, administered_arn: str, tmp_path: Path
) -> None:
    search = Search(world, (tmp_path,))
    keys = world.value(administered_arn)
    superuser = world.store({**target.keys, "engine": "http", "username": "administrator", "password": new_password()})
    failed = administering.step("createSecret", world.begin(world.store({**keys, "masterarn": superuser})))
    assert set(failed.reasons.values()) == {"login_refused"}
    assert "refuses the key of the superuser administrator" in failed.line["error"]
    search.for_all_passwords()
    assert search.in_what_is_told(failed) == []
