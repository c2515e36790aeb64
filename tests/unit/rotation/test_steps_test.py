"""testSecret: the pending value opens the target; a test-only run is told apart from a rotation."""

import pytest

from rotation.errors import LoginRefusedError, SecretMalformedError
from rotation.models import Outcome, Step
from rotation.settings import StrategyName
from tests.unit.rotation.conftest import CURRENT_KEYS, Scene
from tests.unit.rotation.fakes import HOST, OLD_VERSION, REPLICA_HOST


def test_the_pending_value_is_used_as_an_application_would(scene: Scene) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    assert scene.run(Step.TEST).outcome is Outcome.SUCCEEDED
    assert scene.server.logins == [(HOST, "app", True)]
    assert scene.server.checks == 1


def test_a_refused_login_fails_at_once(scene: Scene) -> None:
    scene.hold_pending()
    with pytest.raises(LoginRefusedError):
        scene.run(Step.TEST)
    assert scene.pauses == []


def test_a_version_without_value_is_named(scene: Scene) -> None:
    with pytest.raises(SecretMalformedError, match="AWSPENDING version has no value"):
        scene.run(Step.TEST)


def test_a_run_on_the_existing_value_is_reported_as_a_test(scene: Scene) -> None:
    scene.hold_pending(password="old")
    assert scene.run(Step.TEST).outcome is Outcome.SUCCEEDED
    assert scene.facts["run_kind"] == "test"


def test_a_failed_run_on_the_existing_value_is_reported_as_a_test_as_well(scene: Scene) -> None:
    scene.hold_pending(password="old")
    scene.server.passwords["app"] = "changed by hand"
    with pytest.raises(LoginRefusedError):
        scene.run(Step.TEST)
    assert scene.facts["run_kind"] == "test"


@pytest.mark.parametrize("change", [{"password": "new"}, {"username": "app_clone", "password": "old"}])
def test_a_run_on_another_value_is_a_rotation(scene: Scene, change: dict[str, str]) -> None:
    scene.hold_pending(**change)
    scene.server.passwords |= {"app": "new", "app_clone": "old"}
    scene.run(Step.TEST)
    assert "run_kind" not in scene.facts


def test_without_a_current_value_it_cannot_be_a_test(scene: Scene) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    del scene.store.values[OLD_VERSION]
    scene.run(Step.TEST)
    assert "run_kind" not in scene.facts


def test_an_environment_that_ran_set_secret_does_without_the_look_at_the_current_value(scene: Scene) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    scene.run(Step.TEST, set_here=True)
    assert scene.store.operations == ["describe", "version AWSPENDING"]


def _replica(scene: Scene, *, lag: int) -> None:
    scene.store.hold(OLD_VERSION, {**CURRENT_KEYS, "host": REPLICA_HOST, "masterarn": "arn"})
    scene.hold_pending(host=REPLICA_HOST, masterarn="arn")
    scene.default_strategy = StrategyName.SINGLE_USER_BY_SUPERUSER
    scene.server.passwords["app"] = "new"
    scene.server.lagging = lag


def test_a_replica_is_given_time_to_learn_of_the_password(scene: Scene) -> None:
    _replica(scene, lag=3)
    assert scene.run(Step.TEST).outcome is Outcome.SUCCEEDED
    assert len(scene.pauses) == 3


def test_the_wait_for_a_replica_is_bounded(scene: Scene) -> None:
    _replica(scene, lag=1_000)
    with pytest.raises(LoginRefusedError):
        scene.run(Step.TEST)
    assert 5 < sum(scene.pauses) < 15


def test_a_primary_is_not_waited_for(scene: Scene) -> None:
    scene.store.hold(OLD_VERSION, {**CURRENT_KEYS, "masterarn": "arn"})
    scene.hold_pending(masterarn="arn")
    scene.default_strategy = StrategyName.SINGLE_USER_BY_SUPERUSER
    with pytest.raises(LoginRefusedError):
        scene.run(Step.TEST)
    assert scene.pauses == []
