"""New passwords are composed as the settings ask."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation.errors import ConfigurationInvalidError
from rotation.passwords import new_password
from rotation.protocols import EngineTraits
from rotation.settings import PasswordSettings

TYPES = {
    "EXCLUDE_NUMBERS": string.digits,
    "EXCLUDE_PUNCTUATION": string.punctuation,
    "EXCLUDE_UPPERCASE": string.ascii_uppercase,
    "EXCLUDE_LOWERCASE": string.ascii_lowercase,
}


def made(max_length: int = 256, min_length: int = 1, excluded: str = "", **rules: Any) -> str:
    traits = EngineTraits(1, 1, max_length, min_password_length=min_length, excluded_characters=excluded)
    return new_password(PasswordSettings.model_validate(rules), traits).get_secret_value()


@pytest.mark.parametrize(
    ("length", "max_length", "expected"), [(32, 256, 32), (100, 40, 40), (9, 256, 9), (32, 4, 8), (4096, 5000, 4096)]
)
def test_it_is_as_long_as_asked_within_what_the_target_takes(length: int, max_length: int, expected: int) -> None:
    assert len(made(max_length, PASSWORD_LENGTH=length)) == expected


def test_it_is_not_shorter_than_what_the_target_takes() -> None:
    assert len(made(min_length=16, PASSWORD_LENGTH=8)) == 16


def test_what_the_target_does_not_take_is_excluded_on_top_of_what_the_settings_exclude() -> None:
    excluded = "".join(sorted(set(string.punctuation) - set("!-")))
    for _ in range(20):
        assert set(made(excluded=excluded, EXCLUDE_CHARACTERS="!")) & set(string.punctuation) == {"-"}


def test_by_default_it_holds_every_type_and_nothing_that_breaks_a_connection_string() -> None:
    for _ in range(50):
        password = made()
        assert all(set(password) & set(characters) for characters in TYPES.values())
        assert not set(password) & set(":/@\"'\\")


@given(
    excluded=st.sets(st.sampled_from(sorted(TYPES)), max_size=3),
    characters=st.text(string.ascii_letters + string.digits, max_size=8),
    length=st.integers(8, 64),
)
def test_rules_are_kept_in_every_combination(excluded: set[str], characters: str, length: int) -> None:
    rules: dict[str, Any] = {**dict.fromkeys(excluded, True), "EXCLUDE_CHARACTERS": characters, "PASSWORD_LENGTH": length}
    password = made(**rules)
    allowed = {rule: set(types) - set(characters) for rule, types in TYPES.items() if rule not in excluded}
    assert len(password) == length
    assert set(password) <= set().union(*allowed.values())
    assert all(set(password) & types for types in allowed.values())


def test_a_type_that_need_not_be_there_may_be_excluded_character_by_character() -> None:
    rules: dict[str, Any] = {"EXCLUDE_CHARACTERS": string.digits, "REQUIRE_EACH_INCLUDED_TYPE": False}
    assert not set(made(**rules)) & set(string.digits)


@pytest.mark.parametrize(
    "rules",
    [dict.fromkeys(TYPES, True), {"EXCLUDE_CHARACTERS": string.digits}, {"EXCLUDE_CHARACTERS": "".join(TYPES.values())}],
    ids=["all types", "a whole type", "all characters"],
)
def test_rules_that_leave_nothing_are_named_with_what_to_change(rules: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationInvalidError, match="EXCLUDE_CHARACTERS") as caught:
        made(**rules)
    assert "Exclude fewer" in caught.value.next_action


def test_no_two_are_alike() -> None:
    assert len({made() for _ in range(200)}) == 200


def test_the_types_stand_in_no_fixed_order() -> None:
    first = {made()[0] for _ in range(200)}
    assert all(first & set(types) for types in TYPES.values())
