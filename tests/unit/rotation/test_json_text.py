"""What is read as JSON is written back to the letter; what cannot be is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation.json_text import JsonObject, RepeatedKeyError

SENTINEL = "Sentinel-7f3a"
SPACE = st.text(" \t\n\r", max_size=3)
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)


def spelled(text: str) -> st.SearchStrategy[str]:
    """A JSON string in one of the ways in which it can be written."""
    plain = [json.dumps(text)]
    if not any("\ud800" <= character <= "\udfff" for character in text):
        plain.append(json.dumps(text, ensure_ascii=False))
    escaped = (
        '"' + "".join(f"\\u{ord(character):04X}" if ord(character) < 0x10000 else character for character in text) + '"'
    )
    return st.sampled_from([*plain, escaped])


strings = st.text(max_size=8).flatmap(spelled)


def listed(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda items, space: "[" + f",{space}".join(items) + space + "]", st.lists(children, max_size=3), SPACE)


def mapped(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    # A key may come twice here: somebody else's object is none of the function's business.
    member = st.builds(lambda key, space, value: f"{key}{space}:{space}{value}", strings, SPACE, children)
    return st.builds(lambda items, space: "{" + f",{space}".join(items) + space + "}", st.lists(member, max_size=3), SPACE)


values = st.recursive(
    st.sampled_from(["null", "true", "false"]) | NUMBERS | strings,
    lambda children: listed(children) | mapped(children),
    max_leaves=8,
)
members = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "password"), values, max_size=5)


@given(written=members, around=SPACE, data=st.data())
def test_all_but_what_is_changed_is_written_back_to_the_letter(
    written: dict[str, str], around: str, data: st.DataObject
) -> None:
    texts = [f"{data.draw(spelled(key))}{around}:{around}{value}" for key, value in written.items()]
    place = data.draw(st.integers(0, len(texts)))
    own = f'"password":{around}"old"'
    whole = [*texts[:place], own, *texts[place:]]
    read = JsonObject.read(around + "{" + around + f"{around},".join(whole) + around + "}" + around)
    assert read.values["password"] == "old"
    assert read.text() == "{" + ", ".join(whole) + "}"
    changed = read.changed({"password": "new"}).text()
    assert changed == "{" + ", ".join([*texts[:place], '"password": "new"', *texts[place:]]) + "}"
    assert set(json.loads(changed)) == {*written, "password"}


@pytest.mark.parametrize(
    "value",
    [
        "1e999",
        "-0",
        "1.10",
        "1E2",
        "0.1000000000000000055511151231257827021181583404541015625",
        "9" * 100_000,
        "-" + "9" * 5_000,
        '"\\ud800"',
        '"Grüße \\u0000"',
        '{"twice": 1, "twice": 2}',
        "[" * 900 + "]" * 900,
        f'"{"x" * 1_000_000}"',
    ],
    ids=lambda value: str(value)[:16],
)
def test_what_python_would_spell_otherwise_is_kept(value: str) -> None:
    read = JsonObject.read(f'{{"kept": {value}, "password": "old"}}')
    assert read.changed({"password": "new"}).text() == f'{{"kept": {value}, "password": "new"}}'


def test_a_value_of_umlauts_does_not_grow_beyond_the_services_limit() -> None:
    text = json.dumps({"kept": "ü" * 30_000, "password": "old"}, ensure_ascii=False)
    assert len(JsonObject.read(text).changed({"password": "new"}).text().encode()) <= 65_536


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"a": 1, "a": 1}', "a"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"": 1, "b": 2, "": 3}', ""),
        ('{"b": {"a": 1}, "a": 2, "c": 3, "c": 4}', "c"),
    ],
)
def test_a_repeated_key_is_refused_because_only_one_of_its_values_would_be_read(text: str, key: str) -> None:
    with pytest.raises(RepeatedKeyError) as caught:
        JsonObject.read(text)
    assert caught.value.key == key
    assert str(caught.value) == "holds a key more than once"


@given(before=members, key=st.text(max_size=8), after=members)
def test_any_repeated_key_is_found(before: dict[str, str], key: str, after: dict[str, str]) -> None:
    pairs = [*before.items(), (key, "1"), *((other, value) for other, value in after.items() if other not in before)]
    if key not in before:
        pairs.append((key, "2"))
    with pytest.raises(RepeatedKeyError) as caught:
        JsonObject.read("{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}")
    assert caught.value.key == key


@given(text=st.text(max_size=60) | st.text('{}[]":,\\ \nau01e.-', max_size=60))
def test_exactly_what_is_json_is_read(text: str) -> None:
    try:
        known = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_refuse)
    except (ValueError, RecursionError):
        known = None
    try:
        read: JsonObject | None = JsonObject.read(text)
    except ValueError:
        read = None
    is_plain = isinstance(known, _Pairs) and len(dict(known.items)) == len(known.items)
    assert (read is not None) == is_plain


class _Pairs:
    def __init__(self, items: list[tuple[str, Any]]) -> None:
        self.items = items


def _refuse(name: str) -> None:
    raise ValueError(name)


def test_no_printed_form_shows_a_value() -> None:
    read = JsonObject.read(json.dumps({"password": SENTINEL}))
    assert SENTINEL not in f"{read!r} {read}"
    assert SENTINEL in read.text()


@pytest.mark.parametrize(
    "text", [SENTINEL, f'["{SENTINEL}"]', f'{{"{SENTINEL}": NaN}}', f'{{"{SENTINEL}": 1, "{SENTINEL}": 2}}']
)
def test_no_error_quotes_what_was_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|more than once") as caught:
        JsonObject.read(text)
    assert SENTINEL not in f"{caught.value!s} {caught.value!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
