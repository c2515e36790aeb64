"""setSecret: the target accepts the pending value, whatever it accepted before."""

import pytest

from rotation.errors import (
    CredentialUnknownError,
    PrivilegeMissingError,
    SecretMalformedError,
    SuperuserUnusableError,
    TargetMismatchError,
)
from rotation.models import CURRENT, PENDING, PREVIOUS, Outcome, Progress, Step
from tests.unit.rotation.conftest import CURRENT_KEYS, Scene
from tests.unit.rotation.fakes import OLDER_VERSION

REMEMBERED = Progress(1_000_000, 1_500_000, "postgres", "single-user")


def test_a_single_user_changes_its_own_password(scene: Scene) -> None:
    scene.hold_pending()
    assert scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert scene.server.passwords["app"] == "new"
    assert scene.server.changes == [("app", "app")]
    assert scene.facts["accepted"] == CURRENT


def test_a_pending_value_that_is_accepted_already_is_left_alone(scene: Scene) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    assert scene.run(Step.SET).outcome is Outcome.ALREADY_SET
    assert scene.server.changes == []
    assert scene.facts["accepted"] == PENDING


def test_a_remembered_change_is_tried_first_so_that_no_login_is_refused(scene: Scene) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    assert scene.run(Step.SET, remembered=REMEMBERED).outcome is Outcome.ALREADY_SET
    assert [accepted for _host, _user, accepted in scene.server.logins] == [True]


def test_a_remembered_change_that_the_world_has_lost_is_made_again(scene: Scene) -> None:
    scene.hold_pending()
    assert scene.run(Step.SET, remembered=REMEMBERED).outcome is Outcome.SUCCEEDED
    assert scene.server.passwords["app"] == "new"


def test_a_target_that_still_has_the_previous_password_is_brought_forward(scene: Scene) -> None:
    scene.hold_pending()
    scene.store.relabel({OLDER_VERSION: (PREVIOUS,)})
    scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, "password": "older"})
    scene.server.passwords["app"] = "older"
    assert scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert scene.server.passwords["app"] == "new"
    assert scene.facts["accepted"] == PREVIOUS


def test_a_target_that_has_the_password_of_a_version_without_label_is_brought_forward(scene: Scene) -> None:
    # AWSPENDING was removed by hand after setSecret.
    scene.hold_pending()
    scene.store.hold("3" * 32, {**CURRENT_KEYS, "password": "even older"})
    scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, "password": "lost"})
    scene.server.passwords["app"] = "lost"
    assert scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert scene.server.passwords["app"] == "new"
    assert scene.facts["accepted"] == "unlabelled"
    assert len(scene.server.logins) == 3


def test_versions_without_label_are_not_looked_for_while_others_are_accepted(scene: Scene) -> None:
    scene.hold_pending()
    scene.run(Step.SET)
    assert "unlabelled" not in scene.store.operations


@pytest.mark.parametrize("label", [(PREVIOUS,), ()], ids=["previous", "unlabelled"])
@pytest.mark.parametrize(
    "change", [{"host": "elsewhere"}, {"username": "other"}, {"port": 1}, {"engine": "aurora-postgresql"}]
)
def test_an_older_version_for_another_target_is_not_tried(
    scene: Scene, change: dict[str, object], label: tuple[str, ...]
) -> None:
    scene.hold_pending()
    scene.store.relabel({OLDER_VERSION: label})
    scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, "password": "older", **change})
    scene.server.passwords |= {"app": "older", "other": "older"}
    with pytest.raises(CredentialUnknownError):
        scene.run(Step.SET)
    assert scene.server.changes == []


def test_a_target_that_accepts_none_is_told_with_the_versions_that_were_tried(scene: Scene) -> None:
    scene.hold_pending()
    scene.store.relabel({OLDER_VERSION: (PREVIOUS,)})
    scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, "password": "older"})
    scene.server.passwords["app"] = "changed by hand"
    with pytest.raises(
        CredentialUnknownError, match="none of the passwords of AWSCURRENT, AWSPENDING, AWSPREVIOUS for user app"
    ):
        scene.run(Step.SET)
    assert len(scene.server.logins) == 3


def test_a_refused_change_takes_no_effect(scene: Scene) -> None:
    scene.hold_pending()
    scene.server.refuse_change = PrivilegeMissingError("alter_role failed")
    with pytest.raises(PrivilegeMissingError):
        scene.run(Step.SET)
    assert scene.server.passwords["app"] == "old"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"username": "root"}, "username"),
        ({"host": "elsewhere"}, "host"),
        ({"port": 5433}, "port"),
        ({"engine": "aurora-postgresql"}, "engine"),
    ],
)
def test_a_pending_value_for_another_target_is_refused_before_any_login(
    scene: Scene, change: dict[str, object], key: str
) -> None:
    scene.hold_pending(**change)
    with pytest.raises(TargetMismatchError, match=f"^target_mismatch: {key} differs"):
        scene.run(Step.SET)
    assert scene.server.logins == []


def test_the_default_port_is_the_same_target_as_its_number(scene: Scene) -> None:
    scene.hold_pending(port=5432)
    assert scene.run(Step.SET).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("stranger", ["root", "app", "app_clone_clone", "other_clone"])
def test_alternating_users_refuse_a_pending_user_whose_turn_it_is_not(superuser_scene: Scene, stranger: str) -> None:
    superuser_scene.hold_pending(username=stranger)
    with pytest.raises(TargetMismatchError, match="not the alternate"):
        superuser_scene.run(Step.SET)
    assert superuser_scene.server.logins == []


def test_alternating_users_are_prepared_by_the_superuser(superuser_scene: Scene) -> None:
    superuser_scene.hold_pending(username="app_clone")
    assert superuser_scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert superuser_scene.server.clones == [("app", "app_clone")]
    assert superuser_scene.server.changes == [("root", "app_clone")]
    assert superuser_scene.server.passwords["app"] == "old"


def test_a_superuser_sets_the_password_of_a_single_user_that_proved_its_own_login(superuser_scene: Scene) -> None:
    superuser_scene.store.tags["rotation-strategy"] = "single-user-by-superuser"
    superuser_scene.hold_pending()
    assert superuser_scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert superuser_scene.server.logins[0][1:] == ("app", True)
    assert superuser_scene.server.changes == [("root", "app")]


def test_alternating_users_whose_target_was_restored_are_known_by_the_user_whose_turn_it_is(superuser_scene: Scene) -> None:
    superuser_scene.hold_pending(username="app_clone")
    superuser_scene.store.relabel({OLDER_VERSION: (PREVIOUS,)})
    superuser_scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, "username": "app_clone", "password": "older"})
    superuser_scene.server.passwords |= {"app": "of the backup", "app_clone": "older"}
    assert superuser_scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert superuser_scene.server.changes == [("root", "app_clone")]
    assert superuser_scene.server.passwords["app"] == "of the backup"


@pytest.mark.parametrize("strategy", ["alternating-users", "single-user-by-superuser"])
def test_a_superuser_does_not_act_for_a_secret_that_cannot_log_in(superuser_scene: Scene, strategy: str) -> None:
    superuser_scene.store.tags["rotation-strategy"] = strategy
    superuser_scene.hold_pending(username="app_clone" if strategy == "alternating-users" else "app")
    superuser_scene.server.passwords["app"] = "changed by hand"
    with pytest.raises(CredentialUnknownError):
        superuser_scene.run(Step.SET)
    assert superuser_scene.superusers.asked == 0
    assert superuser_scene.server.changes == []


def test_without_a_superuser_nothing_is_changed(superuser_scene: Scene) -> None:
    superuser_scene.hold_pending(username="app_clone")
    superuser_scene.superusers._password = None
    with pytest.raises(SuperuserUnusableError):
        superuser_scene.run(Step.SET)
    assert superuser_scene.server.changes == []


@pytest.mark.parametrize("label", [CURRENT, PENDING])
def test_a_version_without_value_is_named(scene: Scene, label: str) -> None:
    scene.hold_pending()
    del scene.store.values[scene.store.holder(label) or ""]
    with pytest.raises(SecretMalformedError, match=f"the {label} version has no value"):
        scene.run(Step.SET)


def test_a_secret_without_host_is_named(scene: Scene) -> None:
    for version in list(scene.store.values):
        scene.store.hold(version, {**CURRENT_KEYS, "host": None})
    scene.hold_pending(host=None)
    with pytest.raises(SecretMalformedError, match="key host is missing"):
        scene.run(Step.SET)


class TestATargetThatCanHoldTwoPasswords:
    @pytest.fixture
    def scene(self, scene: Scene) -> Scene:
        scene.traits["keeps_old_password"] = True
        scene.server.keeps = True
        scene.hold_pending()
        return scene

    def test_keeps_the_current_one_so_that_no_client_is_cut_off(self, scene: Scene) -> None:
        result = scene.run(Step.SET)
        assert result.outcome is Outcome.SUCCEEDED
        assert (scene.server.passwords["app"], scene.server.kept["app"]) == ("new", "old")
        assert result.progress is not None
        assert result.progress.changed_at_ms is None

    def test_is_asked_for_the_pending_one_first_because_the_current_one_tells_nothing(self, scene: Scene) -> None:
        scene.run(Step.SET)
        scene.server.logins.clear()
        result = scene.run(Step.SET)
        assert result.outcome is Outcome.ALREADY_SET
        assert scene.server.changes == [("app", "app")]
        assert result.progress is not None
        assert result.progress.changed_at_ms is None

    def test_and_did_not_has_interrupted_clients(self, scene: Scene) -> None:
        scene.server.keeps = False
        result = scene.run(Step.SET)
        assert result.progress is not None
        assert result.progress.changed_at_ms == scene.now_ms

    def test_keeps_nothing_for_a_user_whose_turn_begins(self, superuser_scene: Scene) -> None:
        scene = superuser_scene
        scene.hold_pending(username="app_clone", masterarn="arn")
        scene.server.passwords["app_clone"] = "long ago"
        scene.run(Step.SET)
        assert scene.server.kept == {}
