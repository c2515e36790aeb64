"""API keys through the deployed handler, at a service that makes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws_faults import Disturbance
from local.contract.rotating import new_name, new_password
from local.targets.http import HttpTarget
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
