"""Which strategy a secret gets, and whom each one gives the new password to."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from rotation.errors import SecretMalformedError, TargetMismatchError
from rotation.models import CURRENT, PENDING, STRATEGY_TAG, SecretDescription, SecretDocument
from rotation.protocols import EngineTraits
from rotation.settings import StrategyName
from rotation.strategies import STRATEGIES, choose
from rotation.strategies.change import Change, Creation, Strategy, check_same_target
from tests.unit.rotation.conftest import CURRENT_KEYS
from tests.unit.rotation.fakes import ARN, TOKEN, FakeEngine, FakeServer, FakeSuperusers, document

TRAITS = EngineTraits(default_port=5432, max_username_bytes=63, max_password_length=256)
LONELY = replace(TRAITS, has_clones=False)
ISSUING = replace(LONELY, issues_credentials=True)
SENTINEL = "Sentinel-7f3a"
WITH_SUPERUSER = {"masterarn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:root"}


def chosen(
    *,
    tag: str | None = None,
    setting: StrategyName = StrategyName.AUTO,
    keys: dict[str, str] | None = None,
    traits: EngineTraits = TRAITS,
) -> StrategyName:
    tags = {"team": "data"} if tag is None else {"team": "data", STRATEGY_TAG: tag}
    secret = SecretDescription(ARN, rotation_enabled=True, stages={}, tags=tags)
    strategy: Strategy = choose(secret, document({**CURRENT_KEYS, **(keys or {})}), setting, traits)
    return strategy.name


def test_the_secret_decides_by_default() -> None:
    assert chosen() is StrategyName.SINGLE_USER
    assert chosen(keys=WITH_SUPERUSER) is StrategyName.ALTERNATING_USERS


def test_where_there_can_be_no_second_user_the_superuser_sets_the_password() -> None:
    assert chosen(keys=WITH_SUPERUSER, traits=LONELY) is StrategyName.SINGLE_USER_BY_SUPERUSER
    assert chosen(traits=LONELY) is StrategyName.SINGLE_USER


def test_a_strategy_that_the_engine_cannot_follow_is_refused_with_those_that_it_can() -> None:
    with pytest.raises(SecretMalformedError, match="alternating-users is not possible with the engine postgres") as caught:
        chosen(tag="alternating-users", keys=WITH_SUPERUSER, traits=LONELY)
    assert "single-user, single-user-by-superuser" in caught.value.next_action


def able(name: StrategyName) -> EngineTraits:
    """Traits of an engine that can follow the strategy."""
    return ISSUING if name is StrategyName.TWO_KEYS else TRAITS


@pytest.mark.parametrize("keys", [{}, WITH_SUPERUSER], ids=["alone", "with superuser"])
def test_where_the_target_makes_the_keys_two_of_them_overlap(keys: dict[str, str]) -> None:
    assert chosen(keys=keys, traits=ISSUING) is StrategyName.TWO_KEYS


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_no_other_strategy_is_possible_there_and_this_one_nowhere_else(name: StrategyName) -> None:
    impossible = TRAITS if name is StrategyName.TWO_KEYS else ISSUING
    with pytest.raises(SecretMalformedError, match=f"the strategy {name} is not possible with the engine postgres"):
        chosen(tag=name, keys=WITH_SUPERUSER, traits=impossible)


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_setting_decides_before_the_secret(name: StrategyName) -> None:
    assert chosen(setting=name, keys=WITH_SUPERUSER, traits=able(name)) is name


@pytest.mark.parametrize("setting", list(StrategyName))
@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_tag_decides_before_the_setting(name: StrategyName, setting: StrategyName) -> None:
    assert chosen(tag=name.value, setting=setting, keys=WITH_SUPERUSER, traits=able(name)) is name


def test_a_tag_can_hand_the_decision_back_to_the_secret() -> None:
    setting = StrategyName.SINGLE_USER
    assert chosen(tag="auto", setting=setting, keys=WITH_SUPERUSER) is StrategyName.ALTERNATING_USERS


@pytest.mark.parametrize("tag", ["", "Single-User", "single_user", SENTINEL])
def test_a_tag_that_names_no_strategy_is_refused_with_the_names_to_choose_from(tag: str) -> None:
    with pytest.raises(SecretMalformedError, match=f"the tag {STRATEGY_TAG} names no strategy") as caught:
        chosen(tag=tag)
    assert all(name.value in caught.value.next_action for name in StrategyName)
    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize("name", [name for name, strategy in STRATEGIES.items() if strategy.needs_superuser])
@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "setting"])
def test_a_strategy_that_needs_a_superuser_needs_masterarn(name: StrategyName, *, by_tag: bool) -> None:
    with pytest.raises(SecretMalformedError, match="needs the key masterarn") as caught:
        chosen(tag=name.value) if by_tag else chosen(setting=name)
    assert "single-user" in caught.value.next_action


def test_only_strategies_of_one_user_interrupt_its_clients() -> None:
    assert {name for name, strategy in STRATEGIES.items() if strategy.interrupts_clients} == {
        StrategyName.SINGLE_USER,
        StrategyName.SINGLE_USER_BY_SUPERUSER,
    }


def creation_after(current: SecretDocument) -> Creation:
    return Creation(
        engine=FakeEngine(FakeServer({})),
        current=current,
        previous=lambda: None,
        superusers=FakeSuperusers(None),
        rotation_id=TOKEN,
        new_password=lambda _: SecretStr("new"),
    )


def turns(first: str, count: int) -> list[dict[str, Any]]:
    """The documents of consecutive rotations by alternating users."""
    strategy = STRATEGIES[StrategyName.ALTERNATING_USERS]
    latest = document({**CURRENT_KEYS, "username": first, **WITH_SUPERUSER})
    history = []
    for _ in range(count):
        following = strategy.next_document(creation_after(latest))
        strategy.check_user(latest, following, TRAITS)
        history.append(json.loads(following.to_json()))
        latest = following
    return history


@pytest.mark.parametrize(
    "owner",
    ["app", "App User", 'quo"ted', "naïve-Ünser", "u" * 57, "u" * 58, "u" * 63, "ü" * 31, "日" * 21],
    ids=["plain", "space", "quote", "accents", "57", "58", "63", "62 bytes of ü", "63 bytes of 日"],
)
def test_two_users_take_turns_for_ever(owner: str) -> None:
    names = [entry["username"] for entry in turns(owner, 10)]
    assert names[1::2] == [owner] * 5
    assert len(set(names[0::2])) == 1
    assert names[0] != owner
    assert len(names[0].encode()) <= TRAITS.max_username_bytes


def test_a_clone_from_which_the_owner_can_be_read_leaves_the_keys_as_they_are() -> None:
    first, second = turns("app", 2)
    assert list(first) == list(second) == list({**CURRENT_KEYS, **WITH_SUPERUSER})


def test_a_shortened_clone_carries_its_owner_until_it_is_the_owners_turn_again() -> None:
    first, second = turns("u" * 63, 2)
    assert first["cloneof"] == "u" * 63
    assert "cloneof" not in second


def test_long_names_that_begin_alike_get_different_clones() -> None:
    assert turns("u" * 62 + "1", 1)[0]["username"] != turns("u" * 62 + "2", 1)[0]["username"]


@pytest.mark.parametrize(
    ("username", "owner"),
    [("app", "victim"), ("victim_clone", "victim"), ("app_clone", "victim"), ("u" * 63, "u" * 63), ("app", "app")],
)
def test_a_secret_cannot_name_as_its_owner_whose_clone_it_is_not_by_name(username: str, owner: str) -> None:
    strategy = STRATEGIES[StrategyName.ALTERNATING_USERS]
    current = document({**CURRENT_KEYS, **WITH_SUPERUSER, "username": username, "cloneof": owner})
    pending = document({**CURRENT_KEYS, **WITH_SUPERUSER, "username": owner})
    if username == "victim_clone":  # it is by name; whether it is in truth, the target is asked
        strategy.check_user(current, pending, TRAITS)
        return
    with pytest.raises(TargetMismatchError, match="cloneof"):
        strategy.next_document(creation_after(current))
    with pytest.raises(TargetMismatchError, match="cloneof"):
        strategy.check_user(current, pending, TRAITS)


def test_where_nobody_has_more_rights_the_user_changes_its_own_password() -> None:
    alone = replace(LONELY, has_superusers=False)
    assert chosen(keys=WITH_SUPERUSER, traits=alone) is StrategyName.SINGLE_USER
    with pytest.raises(SecretMalformedError, match="single-user-by-superuser is not possible"):
        chosen(tag="single-user-by-superuser", keys=WITH_SUPERUSER, traits=alone)


@pytest.mark.parametrize(
    ("host", "remembered", "tried"),
    [(None, False, [CURRENT]), (None, True, [CURRENT]), ("db.example", False, [PENDING, CURRENT])],
)
def test_a_target_that_cannot_tell_is_set_again(host: str | None, remembered: bool, tried: list[str]) -> None:
    engine = FakeEngine(FakeServer({}), needs_host=False, keeps_old_password=True, proof_needs_host=True)
    current = document({**CURRENT_KEYS, "host": host})
    change = Change(
        engine=engine,
        current=current,
        pending=current.changed(password="new"),
        previous=lambda: None,
        superusers=FakeSuperusers(None),
        pending_first=remembered,
        rotation_id=TOKEN,
        pauses=lambda _at_most: iter(()),
    )
    assert [stage for stage, _ in change.candidates()] == tried


def test_a_secret_cannot_move_on_to_another_cache_user() -> None:
    current = document({"username": "app", "password": "old", "user_arn": "arn:aws:elasticache:eu-central-1:1:user:app"})
    check_same_target(current, current.changed(password="new"), TRAITS)
    with pytest.raises(TargetMismatchError, match="user_arn differs"):
        check_same_target(current, current.changed(user_arn="arn:aws:elasticache:eu-central-1:1:user:other"), TRAITS)
