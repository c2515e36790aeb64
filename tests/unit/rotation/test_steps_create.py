"""createSecret: a value for the new version, unless it has one."""

import pytest

from rotation.errors import SecretMalformedError
from rotation.models import PENDING, Outcome, Step
from tests.unit.rotation.conftest import CURRENT_KEYS, Scene
from tests.unit.rotation.fakes import CREATED_AT_MS, OLD_VERSION


def test_the_new_version_holds_a_generated_password_and_all_other_keys(scene: Scene) -> None:
    result = scene.run(Step.CREATE)
    assert result.outcome is Outcome.SUCCEEDED
    assert scene.pending_value == {**CURRENT_KEYS, "password": scene.pending_value["password"]}
    assert scene.pending_value["password"].startswith("generated-")


def test_a_password_is_no_longer_than_the_target_takes(scene: Scene) -> None:
    scene.run(Step.CREATE)
    assert scene.passwords_made == [256]


def test_the_target_is_left_alone(scene: Scene) -> None:
    scene.run(Step.CREATE)
    assert scene.server.logins == []


def test_it_tells_when_the_rotation_began(scene: Scene) -> None:
    progress = scene.run(Step.CREATE).progress
    assert progress is not None
    assert (progress.started_at_ms, progress.engine, progress.strategy) == (scene.now_ms, "postgres", "single-user")


def test_a_value_that_is_there_is_rolled_forward(scene: Scene) -> None:
    scene.hold_pending(password="made by the first try")
    result = scene.run(Step.CREATE)
    assert result.outcome is Outcome.ROLLED_FORWARD
    assert scene.pending_value["password"] == "made by the first try"
    assert result.progress is not None
    assert result.progress.started_at_ms == CREATED_AT_MS


def test_a_race_of_two_ends_with_the_first_value(scene: Scene) -> None:
    def other_is_quicker(operation: str) -> None:
        if operation == "put_pending":
            scene.hold_pending(password="the other's")

    scene.store.before = other_is_quicker
    assert scene.run(Step.CREATE).outcome is Outcome.ROLLED_FORWARD
    assert scene.pending_value["password"] == "the other's"


def test_repeating_it_keeps_the_value(scene: Scene) -> None:
    scene.run(Step.CREATE)
    value = scene.pending_value
    scene.run(Step.CREATE)
    assert scene.pending_value == value


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("single-user", "app"), ("single-user-by-superuser", "app"), ("alternating-users", "app_clone")],
)
def test_each_strategy_names_the_user_whose_turn_it_is(superuser_scene: Scene, tag: str, expected: str) -> None:
    superuser_scene.store.tags["rotation-strategy"] = tag
    superuser_scene.run(Step.CREATE)
    assert superuser_scene.pending_value["username"] == expected


def test_a_current_version_without_value_is_named(scene: Scene) -> None:
    del scene.store.values[OLD_VERSION]
    with pytest.raises(SecretMalformedError, match="AWSCURRENT version has no value"):
        scene.run(Step.CREATE)


def test_a_value_that_vanishes_again_is_named(scene: Scene) -> None:
    scene.hold_pending()

    def vanish(operation: str) -> None:
        if operation == f"version {PENDING}":
            scene.store.values.clear()

    scene.store.before = vanish
    with pytest.raises(SecretMalformedError, match="AWSPENDING version has no value"):
        scene.run(Step.CREATE)
