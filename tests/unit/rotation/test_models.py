"""Secrets survive a rotation key by key; what is wrong with them is told without their values."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from rotation.errors import SecretMalformedError
from rotation.models import Outcome, RotationEvent, SecretDescription, SecretDocument, Step
from rotation.settings import describe_validation
from tests.unit.rotation.conftest import CURRENT_KEYS

SENTINEL = "Sentinel-7f3a"
LEAST = {"username": "app", "password": "old"}


def parsed(**keys: Any) -> SecretDocument:
    return SecretDocument.parse(json.dumps({**LEAST, **keys}), "AWSCURRENT")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
known_keys = {
    "username",
    "password",
    "engine",
    "host",
    "port",
    "dbname",
    "ssl",
    "tls_server_name",
    "masterarn",
    "cloneof",
    "user_arn",
}
unknown_keys = st.dictionaries(st.text().filter(lambda key: key not in known_keys), json_values, max_size=6)


@given(
    before=unknown_keys,
    after=unknown_keys,
    password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
)
def test_every_key_survives_a_change_of_password_in_order_and_type(
    before: dict[str, Any], after: dict[str, Any], password: str
) -> None:
    raw = {**before, **CURRENT_KEYS, "port": "5432", **after}
    document = SecretDocument.parse(json.dumps(raw), "AWSCURRENT")
    changed = json.loads(document.changed(password=password).to_json())
    assert list(changed.items()) == list({**raw, "password": password}.items())
    assert [type(value) for value in changed.values()] == [type(value) for value in {**raw, "password": password}.values()]


@given(keys=unknown_keys)
def test_what_is_read_is_written_back_as_it_was(keys: dict[str, Any]) -> None:
    text = json.dumps({**LEAST, **keys})
    assert json.loads(SecretDocument.parse(text, "AWSCURRENT").to_json()) == json.loads(text)


@given(text=st.text() | json_values.map(json.dumps))
def test_anything_is_either_read_or_refused_by_the_tree(text: str) -> None:
    with suppress(SecretMalformedError):
        SecretDocument.parse(text, "AWSCURRENT")


def test_a_key_that_is_set_to_none_is_removed_and_the_others_keep_their_nulls() -> None:
    changed = parsed(dbname=None, cloneof="app").changed(cloneof=None)
    assert json.loads(changed.to_json()) == {**LEAST, "dbname": None}


def test_a_port_in_words_is_read_as_a_number_and_stays_words() -> None:
    document = parsed(port="5433")
    assert document.fields.port == 5433
    assert json.loads(document.changed(password="new").to_json())["port"] == "5433"


@pytest.mark.parametrize(
    ("given", "expected"),
    [(True, True), (False, False), ("true", True), ("false", False), ("False", False), ("TRUE", True), (None, None)],
)
def test_ssl_is_taken_as_boolean_or_word(given: object, expected: bool | None) -> None:
    assert parsed(ssl=given).fields.ssl is expected


def test_absent_and_null_are_the_same() -> None:
    nulls = dict.fromkeys(known_keys - set(LEAST))
    assert parsed(**nulls).fields == parsed().fields


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"username": None}, "username"),
        ({"username": ""}, "username"),
        ({"username": [SENTINEL]}, "username"),
        ({"password": None}, "password"),
        ({"password": ""}, "password"),
        ({"password": {"value": SENTINEL}}, "password"),
        ({"password": f"{SENTINEL}\0"}, "password"),
        ({"host": f"{SENTINEL}\ud800"}, "host"),
        ({"engine": [SENTINEL]}, "engine"),
        ({"host": {"name": SENTINEL}}, "host"),
        ({"port": SENTINEL}, "port"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": True}, "port"),
        ({"port": 10**40}, "port"),
        ({"port": "9" * 10_000}, "port"),
        ({"username": "u" * 1025}, "username"),
        ({"host": "h" * 1_000_000}, "host"),
        ({"dbname": "d" * 1025}, "dbname"),
        ({"tls_server_name": "t" * 1025}, "tls_server_name"),
        ({"masterarn": "m" * 2049}, "masterarn"),
        ({"cloneof": "c" * 1025}, "cloneof"),
        ({"dbname": [SENTINEL]}, "dbname"),
        ({"ssl": SENTINEL}, "ssl"),
        *(({"ssl": value}, "ssl") for value in ("off", "no", "0", "f", "", 0, 1, 0.0, [False])),
        *(({"tls_server_name": f"a{between}b"}, "tls_server_name") for between in (",", " ", "\n", "/", "@")),
        ({"tls_server_name": ""}, "tls_server_name"),
        ({"tls_server_name": [SENTINEL]}, "tls_server_name"),
        ({"masterarn": [SENTINEL]}, "masterarn"),
        ({"cloneof": [SENTINEL]}, "cloneof"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_key_is_named_and_its_value_is_not(keys: dict[str, Any], named: str) -> None:
    with pytest.raises(SecretMalformedError) as caught:
        parsed(**keys)
    assert caught.value.message.startswith(f"the AWSCURRENT value has wrong keys: {named}: ")
    assert SENTINEL not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (SENTINEL, "is not JSON"),
        (f'{{"password": "{SENTINEL}"', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("", "is not JSON"),
        (f'"{SENTINEL}"', "is not a JSON object"),
        (f'["{SENTINEL}"]', "is not a JSON object"),
        ("null", "is not a JSON object"),
        (f'{{"{SENTINEL}": 1, "{SENTINEL}": 2}}', "holds a key that the function does not read more than once"),
        ('{"password": "a", "password": "b"}', "holds the key password more than once"),
        ('{"masterarn": "a", "masterarn": null}', "holds the key masterarn more than once"),
        (f'{{"username": "app", "password": "{SENTINEL}", "x": NaN}}', "holds NaN or an infinity"),
        (f'{{"username": "app", "password": "{SENTINEL}", "x": [-Infinity]}}', "holds NaN or an infinity"),
    ],
    ids=[
        *("text", "cut off", "nested without end", "empty", "string", "list", "null"),
        *("repeated key of somebody's", "repeated key", "repeated key with null", "not a number", "infinity"),
    ],
)
def test_a_value_that_is_no_object_is_refused_without_quoting_it(text: str, what: str) -> None:
    with pytest.raises(SecretMalformedError, match=f"^secret_malformed: the AWSCURRENT value {what}") as caught:
        SecretDocument.parse(text, "AWSCURRENT")
    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize("service", ["elasticache", "memorydb"])
def test_aws_secrets_of_cache_users_say_their_engine_by_the_arn(service: str) -> None:
    arn = f"arn:aws-cn:{service}:cn-north-1:123456789012:user:app"
    assert parsed(user_arn=arn).engine == service
    assert parsed(user_arn=arn, engine="valkey").engine == "valkey"


@pytest.mark.parametrize("arn", ["", "arn:aws:iam::123456789012:user/elasticache:", "elasticache", "xarn:aws:elasticache:"])
def test_other_arns_say_no_engine(arn: str) -> None:
    with pytest.raises(SecretMalformedError, match="the key engine is missing"):
        assert parsed(user_arn=arn).engine


def test_a_missing_engine_is_named_when_it_is_needed() -> None:
    with pytest.raises(SecretMalformedError, match="the key engine is missing"):
        _ = parsed().engine


SEAMLESS = {
    "awsSeamlessDomainDirectoryId": "d-1234567890",
    "awsSeamlessDomainUsername": "app",
    "awsSeamlessDomainPassword": "old",
}


def test_a_secret_for_seamless_domain_join_is_read_by_its_own_keys() -> None:
    secret = SecretDocument.parse(json.dumps(SEAMLESS), "AWSCURRENT")
    assert (secret.engine, secret.fields.username, secret.fields.password) == ("activedirectory", "app", SecretStr("old"))
    assert secret.keys["directoryId"] == "d-1234567890"


def test_a_secret_for_seamless_domain_join_keeps_its_keys() -> None:
    changed = SecretDocument.parse(json.dumps(SEAMLESS), "AWSCURRENT").changed(password="new")
    assert json.loads(changed.to_json()) == {**SEAMLESS, "awsSeamlessDomainPassword": "new"}
    assert list(json.loads(changed.to_json())) == list(SEAMLESS)


def test_the_functions_own_keys_come_before_those_of_seamless_domain_join() -> None:
    both = {"engine": "postgres", "username": "mine", "password": "own", **SEAMLESS}
    changed = SecretDocument.parse(json.dumps(both), "AWSCURRENT").changed(password="new")
    assert (changed.engine, changed.fields.username) == ("postgres", "mine")
    assert json.loads(changed.to_json()) == {**both, "password": "new"}


def test_no_printed_form_shows_the_password() -> None:
    document = parsed(password=SENTINEL, extra=SENTINEL)
    assert SENTINEL not in f"{document!r} {document} {document.fields!r} {document.fields.password}"
    assert SENTINEL in document.to_json()


def test_the_same_login_is_the_same_user_and_password() -> None:
    document = parsed()
    assert document.holds_same_login(parsed(extra=1))
    assert not document.holds_same_login(parsed(password="new"))
    assert not document.holds_same_login(parsed(username="other"))


def test_a_label_is_found_where_it_is() -> None:
    secret = SecretDescription(
        "arn", rotation_enabled=True, stages={"1": ("AWSPREVIOUS",), "2": ("x", "AWSCURRENT")}, tags={}
    )
    assert (secret.version_of("AWSCURRENT"), secret.version_of("AWSPENDING")) == ("2", None)


EVENT = {"Step": "createSecret", "SecretId": "app/db", "ClientRequestToken": "t" * 32}


def test_an_event_may_hold_more_than_is_known() -> None:
    event = RotationEvent.model_validate({**EVENT, "RotationToken": SENTINEL, "Fresh": {"a": 1}})
    assert event.step is Step.CREATE
    assert event.rotation_token == SecretStr(SENTINEL)
    assert SENTINEL not in f"{event!r} {event}"


@pytest.mark.parametrize("length", [32, 64])
def test_tokens_at_the_limits_are_accepted(length: int) -> None:
    assert RotationEvent.model_validate({**EVENT, "ClientRequestToken": "t" * length}).client_request_token == "t" * length


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Step", SENTINEL),
        ("Step", None),
        ("SecretId", ""),
        ("SecretId", "s" * 2049),
        ("SecretId", [SENTINEL]),
        ("ClientRequestToken", SENTINEL),
        ("ClientRequestToken", SENTINEL * 6),
        ("RotationToken", [SENTINEL]),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_wrong_field_is_named_and_its_value_is_not(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        RotationEvent.model_validate({**EVENT, key: value})
    assert describe_validation(caught.value).startswith(f"{key}: ")
    assert SENTINEL not in f"{describe_validation(caught.value)} {caught.value}"


def test_outcomes_that_found_the_step_done_are_replays() -> None:
    assert {outcome for outcome in Outcome if outcome.is_replay} == {
        Outcome.ROLLED_FORWARD,
        Outcome.ALREADY_SET,
        Outcome.ALREADY_CURRENT,
    }
