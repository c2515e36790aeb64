"""finishSecret: AWSCURRENT moves, and the rotation's figures are told."""

import pytest

from rotation.errors import AwsRejectedError, LoginRefusedError, SecretMalformedError, VersionNotPendingError
from rotation.models import CURRENT, PENDING, PREVIOUS, Outcome, Progress, Step
from tests.unit.rotation.conftest import CURRENT_KEYS, Scene
from tests.unit.rotation.fakes import CREATED_AT_MS, OLD_VERSION, TOKEN


@pytest.fixture
def tested(scene: Scene) -> Scene:
    """The steps before have succeeded."""
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    return scene


SET = Progress(CREATED_AT_MS, CREATED_AT_MS + 400_000, "postgres", "single-user")


def test_the_label_moves_and_awspending_stays(tested: Scene) -> None:
    assert tested.run(Step.FINISH).outcome is Outcome.SUCCEEDED
    assert tested.store.stages == {TOKEN: (CURRENT, PENDING), OLD_VERSION: (PREVIOUS,)}
    assert tested.facts["rotated"] is True


def test_the_target_is_asked_once_more_and_not_changed(tested: Scene) -> None:
    tested.run(Step.FINISH)
    assert [accepted for _host, _user, accepted in tested.server.logins] == [True]
    assert (tested.server.checks, tested.server.changes) == (1, [])


def test_a_target_that_does_not_accept_the_pending_value_is_not_made_current(scene: Scene) -> None:
    # setSecret was left out, or the target was restored since testSecret.
    scene.hold_pending()
    with pytest.raises(LoginRefusedError):
        scene.run(Step.FINISH)
    assert scene.store.stages == {TOKEN: (PENDING,), OLD_VERSION: (CURRENT,)}
    assert "rotated" not in scene.facts


def test_a_version_without_value_is_not_made_current(scene: Scene) -> None:
    with pytest.raises(SecretMalformedError, match="AWSPENDING version has no value"):
        scene.run(Step.FINISH)
    assert scene.store.holder(CURRENT) == OLD_VERSION


def _moved_in_between(scene: Scene, stages: dict[str, tuple[str, ...]]) -> None:
    def move(operation: str) -> None:
        if operation == "move_current":
            scene.store.relabel(stages)

    scene.store.before = move


def test_a_label_that_moved_to_the_same_version_meanwhile_is_a_rotation_that_succeeded(tested: Scene) -> None:
    # The usual cause is the function's own first attempt, whose answer was lost.
    _moved_in_between(tested, {TOKEN: (CURRENT, PENDING), OLD_VERSION: (PREVIOUS,)})
    assert tested.run(Step.FINISH, progress=SET).outcome is Outcome.SUCCEEDED
    assert tested.facts["rotated"] is True
    assert "credential_gap_ms" in tested.facts


def test_a_label_that_moved_elsewhere_meanwhile_is_a_failure(tested: Scene) -> None:
    _moved_in_between(tested, {"3" * 32: (CURRENT,), OLD_VERSION: (PREVIOUS,)})
    with pytest.raises(AwsRejectedError):
        tested.run(Step.FINISH)
    assert "rotated" not in tested.facts


def test_both_labels_that_moved_meanwhile_mean_that_this_rotation_is_over(tested: Scene) -> None:
    _moved_in_between(tested, {"3" * 32: (CURRENT, PENDING), OLD_VERSION: (PREVIOUS,), TOKEN: ()})
    with pytest.raises(VersionNotPendingError):
        tested.run(Step.FINISH)
    assert "rotated" not in tested.facts


def test_a_secret_that_has_no_current_version_gets_one(tested: Scene) -> None:
    tested.store.relabel({OLD_VERSION: ()})
    assert tested.run(Step.FINISH).outcome is Outcome.SUCCEEDED
    assert tested.store.holder(CURRENT) == TOKEN


def test_duration_and_gap_are_measured_from_what_set_secret_left_behind(tested: Scene) -> None:
    tested.run(Step.FINISH, progress=SET)
    assert tested.facts["rotation_duration_ms"] == tested.now_ms - CREATED_AT_MS
    assert tested.facts["credential_gap_ms"] == tested.now_ms - (CREATED_AT_MS + 400_000)
    assert (tested.facts["engine"], tested.facts["strategy"]) == ("postgres", "single-user")


def test_clocks_that_disagree_give_no_negative_figures(tested: Scene) -> None:
    tested.run(Step.FINISH, progress=Progress(tested.now_ms + 5, tested.now_ms + 5, "postgres", "single-user"))
    assert (tested.facts["rotation_duration_ms"], tested.facts["credential_gap_ms"]) == (0, 0)


def test_users_that_alternate_have_no_gap(tested: Scene) -> None:
    tested.run(Step.FINISH, progress=Progress(CREATED_AT_MS, None, "postgres", "alternating-users"))
    assert tested.facts["credential_gap_ms"] == 0


def test_without_any_memory_no_figure_is_invented(tested: Scene) -> None:
    tested.run(Step.FINISH, progress=None)
    assert tested.facts["rotated"] is True
    assert not {"rotation_duration_ms", "credential_gap_ms"} & set(tested.facts)


def _gap_begins_at(scene: Scene, remembered: Progress | None) -> int | None:
    result = scene.run(Step.SET, remembered=remembered)
    assert result.progress is not None
    return result.progress.changed_at_ms


def test_the_gap_begins_with_the_change(scene: Scene) -> None:
    scene.hold_pending()
    assert _gap_begins_at(scene, None) == scene.now_ms


def test_a_retry_keeps_the_remembered_beginning(scene: Scene) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    assert _gap_begins_at(scene, SET) == SET.changed_at_ms


def test_a_retry_that_had_to_change_again_begins_anew(scene: Scene) -> None:
    scene.hold_pending()
    assert _gap_begins_at(scene, SET) == scene.now_ms


@pytest.mark.parametrize("memory", [None, Progress(CREATED_AT_MS)], ids=["none", "without the change"])
def test_a_change_found_made_without_memory_counts_from_the_earliest_possible_moment(
    scene: Scene, memory: Progress | None
) -> None:
    scene.hold_pending()
    scene.server.passwords["app"] = "new"
    assert _gap_begins_at(scene, memory) == CREATED_AT_MS


def test_users_that_alternate_begin_no_gap(superuser_scene: Scene) -> None:
    superuser_scene.hold_pending(username="app_clone")
    assert _gap_begins_at(superuser_scene, None) is None


def test_a_second_rotation_of_the_same_secret_works_on_from_the_first(scene: Scene) -> None:
    for step in Step:
        scene.run(step)
    first = scene.pending_value["password"]
    scene.store.token = "3" * 32
    scene.store.relabel({OLD_VERSION: (), TOKEN: (CURRENT,), scene.store.token: (PENDING,)})
    for step in (Step.CREATE, Step.SET, Step.TEST):
        scene.run(step)
    assert scene.server.passwords["app"] == scene.pending_value["password"] != first
    assert scene.pending_value == {**CURRENT_KEYS, "password": scene.pending_value["password"]}
