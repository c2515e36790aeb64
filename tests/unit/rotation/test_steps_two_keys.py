"""A target that makes the keys itself: createSecret acts on it, and loses nothing wherever it is interrupted."""

import pytest

from rotation.errors import LoginRefusedError, SecretMalformedError
from rotation.models import CURRENT, PENDING, PREVIOUS, Outcome, Step
from rotation.protocols import CredentialLimitError
from tests.unit.rotation.conftest import CURRENT_KEYS, Scene
from tests.unit.rotation.fakes import CREATED_AT_MS, OLDER_VERSION, TOKEN


@pytest.fixture
def scene(scene: Scene) -> Scene:
    scene.traits |= {"issues_credentials": True, "has_clones": False}
    scene.server.passwords = {"app": "old"}
    return scene


def being_quicker(scene: Scene, **keys: str) -> None:
    """Let another invocation store its document just before this one does."""

    def store(operation: str) -> None:
        if operation == "put_pending":
            scene.hold_pending(**keys)

    scene.store.before = store


def test_the_new_version_holds_what_the_target_made_and_all_other_keys(scene: Scene) -> None:
    result = scene.run(Step.CREATE)
    assert result.outcome is Outcome.SUCCEEDED
    assert scene.pending_value == {**CURRENT_KEYS, "username": "key-1", "password": "issued-1"}
    assert scene.server.issued == [TOKEN]
    assert scene.passwords_made == []
    assert scene.facts["strategy"] == "two-keys"


def test_a_value_that_is_there_is_rolled_forward_and_nothing_is_made(scene: Scene) -> None:
    scene.hold_pending(username="key-0", password="made by the first try")
    result = scene.run(Step.CREATE)
    assert result.outcome is Outcome.ROLLED_FORWARD
    assert result.progress is not None
    assert result.progress.started_at_ms == CREATED_AT_MS
    assert scene.server.logins == []
    assert scene.pending_value["password"] == "made by the first try"


def test_a_wrong_current_key_stores_nothing(scene: Scene) -> None:
    scene.server.passwords["app"] = "changed by hand"
    with pytest.raises(LoginRefusedError):
        scene.run(Step.CREATE)
    assert TOKEN not in scene.store.values
    assert scene.server.issued == []


def test_the_loser_of_a_race_takes_back_its_own_key(scene: Scene) -> None:
    being_quicker(scene, username="key-0", password="the other's")
    assert scene.run(Step.CREATE).outcome is Outcome.ROLLED_FORWARD
    assert scene.pending_value["password"] == "the other's"
    assert scene.server.revoked == ["key-1"]


def test_a_key_that_both_were_given_is_not_taken_back(scene: Scene) -> None:
    """The target recognised the repeated request; the stored document differs elsewhere."""
    being_quicker(scene, username="key-1", password="issued-1", dbname="changed meanwhile")
    assert scene.run(Step.CREATE).outcome is Outcome.ROLLED_FORWARD
    assert scene.server.revoked == []


def test_a_value_that_vanishes_again_is_named_and_the_key_taken_back(scene: Scene) -> None:
    being_quicker(scene, username="key-0", password="the other's")
    store = scene.store.before

    def vanish(operation: str) -> None:
        store(operation)
        if operation == f"version {PENDING}":
            scene.store.values.pop(TOKEN, None)

    scene.store.before = vanish
    with pytest.raises(SecretMalformedError, match="AWSPENDING version has no value"):
        scene.run(Step.CREATE)
    assert scene.server.revoked == ["key-1"]


def know_an_older_key(scene: Scene, *stages: str) -> None:
    scene.store.relabel({OLDER_VERSION: stages})
    scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, "username": "older-app", "password": "older"})
    scene.server.passwords["older-app"] = "older"


@pytest.mark.parametrize(("most_keys", "revoked"), [(None, []), (3, []), (2, ["older-app"])])
def test_the_one_before_the_last_ends_first_only_where_no_third_one_fits(
    scene: Scene, most_keys: int | None, revoked: list[str]
) -> None:
    know_an_older_key(scene, PREVIOUS)
    scene.server.most_keys = most_keys
    assert scene.run(Step.CREATE).outcome is Outcome.SUCCEEDED
    assert scene.server.revoked == revoked
    assert scene.server.swept == []


def test_what_was_left_behind_ends_where_the_target_is_full(scene: Scene) -> None:
    know_an_older_key(scene)
    scene.server.most_keys = 2
    assert scene.run(Step.CREATE).outcome is Outcome.SUCCEEDED
    assert scene.server.swept == [TOKEN]
    assert scene.server.revoked == ["older-app"]


def test_where_nothing_makes_room_nothing_is_stored(scene: Scene) -> None:
    scene.server.most_keys = 1
    with pytest.raises(CredentialLimitError):
        scene.run(Step.CREATE)
    assert TOKEN not in scene.store.values
    assert scene.server.revoked == []


def test_other_keys_are_read_only_where_there_is_a_limit(scene: Scene) -> None:
    scene.run(Step.CREATE)
    assert not {f"version {PREVIOUS}", "unlabelled"} & set(scene.store.operations)


def made(scene: Scene) -> None:
    """Let the new key be made and stored, and a previous one be known."""
    know_an_older_key(scene, PREVIOUS)
    scene.run(Step.CREATE)
    scene.server.logins.clear()


def test_the_one_before_the_last_ends_once_the_new_one_is_proven(scene: Scene) -> None:
    made(scene)
    result = scene.run(Step.SET)
    assert result.outcome is Outcome.SUCCEEDED
    assert scene.server.revoked == ["older-app"]
    assert scene.server.swept == [TOKEN]
    assert [(user, accepted) for _host, user, accepted in scene.server.logins] == [("key-1", True)]
    assert scene.facts["accepted"] == CURRENT


def test_no_client_is_cut_off(scene: Scene) -> None:
    made(scene)
    progress = scene.run(Step.SET).progress
    assert progress is not None
    assert progress.changed_at_ms is None


def test_a_new_key_is_given_time_to_reach_all_of_the_target(scene: Scene) -> None:
    made(scene)
    scene.traits["settles_within_seconds"] = 10.0
    scene.server.slow = 3
    assert scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert len(scene.pauses) == 3


def test_nothing_ends_before_the_new_key_is_proven(scene: Scene) -> None:
    made(scene)
    scene.traits["settles_within_seconds"] = 10.0
    scene.server.slow = 1_000
    with pytest.raises(LoginRefusedError):
        scene.run(Step.SET)
    assert 5 < sum(scene.pauses) < 15
    assert scene.server.revoked == scene.server.swept == []


@pytest.mark.parametrize(
    "previous",
    [
        {"username": "app", "password": "old"},
        {"username": "key-1", "password": "issued-1"},
        {"username": "app", "password": "mistyped"},
        {"username": "other", "password": "old"},
        {"username": "older-app", "password": "older", "host": "elsewhere"},
        {"username": "older-app", "password": "older", "port": 1},
    ],
    ids=["current", "pending", "name in use", "value in use", "another host", "another port"],
)
def test_a_previous_key_that_is_in_use_or_elsewhere_is_left_alone(scene: Scene, previous: dict[str, object]) -> None:
    made(scene)
    scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, **previous})
    scene.run(Step.SET)
    assert scene.server.revoked == []


def test_where_all_keys_go_by_one_name_the_value_tells_them_apart(scene: Scene) -> None:
    made(scene)
    scene.hold_pending(username="app", password="issued-1")
    scene.server.passwords["app"] = "issued-1"
    scene.store.hold(OLDER_VERSION, {**CURRENT_KEYS, "username": "app", "password": "older"})
    scene.run(Step.SET)
    assert scene.server.revoked == ["app"]


def test_the_first_rotation_has_nothing_to_end(scene: Scene) -> None:
    scene.run(Step.CREATE)
    assert scene.run(Step.SET).outcome is Outcome.SUCCEEDED
    assert scene.server.revoked == []


def test_the_new_key_is_the_one_that_is_tested(scene: Scene) -> None:
    made(scene)
    assert scene.run(Step.TEST).outcome is Outcome.SUCCEEDED
    assert [user for _host, user, _accepted in scene.server.logins] == ["key-1"]
