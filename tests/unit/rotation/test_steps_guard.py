"""What stands in front of every step: only a pending version of a secret under rotation is worked on."""

import pytest

from rotation.errors import SecretNotRotatableError, VersionNotPendingError
from rotation.models import CURRENT, PENDING, PREVIOUS, Outcome, Step
from tests.unit.rotation.conftest import Scene
from tests.unit.rotation.fakes import OLD_VERSION, TOKEN

EVERY_STEP = pytest.mark.parametrize("step", list(Step))


@EVERY_STEP
@pytest.mark.parametrize("labels", [(CURRENT,), (CURRENT, PENDING)], ids="+".join)
def test_a_version_that_is_current_already_is_a_success_without_effect(
    scene: Scene, step: Step, labels: tuple[str, ...]
) -> None:
    scene.store.relabel({TOKEN: labels, OLD_VERSION: (PREVIOUS,)})
    assert scene.run(step).outcome is Outcome.ALREADY_CURRENT
    assert scene.store.operations == ["describe"]
    assert scene.server.logins == []


@EVERY_STEP
def test_a_version_that_is_current_is_a_success_even_with_rotation_switched_off(scene: Scene, step: Step) -> None:
    scene.store.relabel({TOKEN: (CURRENT,), OLD_VERSION: ()})
    scene.store.rotation_enabled = False
    assert scene.run(step).outcome is Outcome.ALREADY_CURRENT


@EVERY_STEP
@pytest.mark.parametrize("labels", [(), (PREVIOUS,), ("custom",)], ids=["none", "previous", "custom"])
def test_a_version_without_awspending_is_refused(scene: Scene, step: Step, labels: tuple[str, ...]) -> None:
    scene.store.relabel({TOKEN: labels})
    with pytest.raises(VersionNotPendingError, match="not labelled AWSPENDING"):
        scene.run(step)
    assert scene.store.operations == ["describe"]


@EVERY_STEP
def test_a_token_that_the_secret_does_not_know_is_refused(scene: Scene, step: Step) -> None:
    del scene.store.stages[TOKEN]
    with pytest.raises(VersionNotPendingError, match="does not exist or has lost all its labels"):
        scene.run(step)
    assert scene.store.operations == ["describe"]


@EVERY_STEP
def test_rotation_switched_off_is_refused(scene: Scene, step: Step) -> None:
    scene.store.rotation_enabled = False
    with pytest.raises(SecretNotRotatableError, match="switched off") as caught:
        scene.run(step)
    assert "RotateSecret" in caught.value.next_action
    assert scene.store.operations == ["describe"]


@EVERY_STEP
def test_awspending_beside_other_labels_is_worked_on(scene: Scene, step: Step) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    scene.store.relabel({TOKEN: ("custom", PENDING)})
    assert scene.run(step).outcome in {Outcome.SUCCEEDED, Outcome.ROLLED_FORWARD, Outcome.ALREADY_SET}


def test_the_arn_is_known_before_the_guard_refuses(scene: Scene) -> None:
    scene.store.rotation_enabled = False
    with pytest.raises(SecretNotRotatableError):
        scene.run(Step.CREATE)
    assert scene.facts["secret_arn"].startswith("arn:aws:secretsmanager:")


def test_no_step_removes_awspending(superuser_scene: Scene) -> None:
    for step in Step:
        superuser_scene.run(step)
        assert PENDING in superuser_scene.store.stages[TOKEN]
