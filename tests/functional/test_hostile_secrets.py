"""Secrets that somebody spoilt, by mistake or on purpose: refused by the key's name, or rotated with all else unchanged."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotation.json_text import JsonObject
from tests.functional.attempts import SENTINEL, Attempts
from tests.functional.test_hostile_events import FORGED
from tests.functional.world import CURRENT, PENDING, Deployed, Run, World
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

SECTION = "hostile secrets"
KEYS = ("engine", "host", "port", "username", "password", "dbname", "ssl", "tls_server_name", "masterarn", "cloneof")
NO_DNS_NAME = "x" * 64
"""A label that cannot be asked of DNS, so that no packet leaves for it."""


@pytest.fixture
def attempts(world: World, deployed: Deployed, verdict: Verdict) -> Attempts:
    return Attempts(world, deployed, verdict, SECTION, is_timed=True)


def text_with(key: str, value: str) -> str:
    """A secret's JSON in which a key has a value as it is written here."""
    keys = {"engine": '"postgres"', "host": '"127.0.0.1"', "username": '"app"', "password": f'"{SENTINEL}"'}
    return "{" + ", ".join(f'"{name}": {text}' for name, text in {**keys, key: value}.items()) + "}"


REFUSED: dict[str, tuple[str, str]] = {
    "a megabyte of nothing": ("x" * 1_000_000, "is not JSON"),
    "a megabyte as host": (text_with("host", f'"{SENTINEL * 50_000}"'), "host"),
    "a megabyte as user": (text_with("username", f'"{"u" * 1_000_000}"'), "username"),
    "nested without end": ('{"password": ' + "[" * 100_000, "is not JSON"),
    "a bomb of brackets": ("[" * 50_000 + "]" * 50_000, "JSON"),
    "a password nested": (text_with("password", "[" * 500 + "]" * 500), "password"),
    "half a surrogate pair as host": (text_with("host", f'"{SENTINEL}\\ud800"'), "host"),
    "half a surrogate pair as password": (text_with("password", f'"{SENTINEL}\\udfff"'), "password"),
    "a NUL in the user": (text_with("username", f'"{SENTINEL}\\u0000"'), "username"),
    "a NUL in the database": (text_with("dbname", f'"{SENTINEL}\\u0000"'), "dbname"),
    "a NUL in the superuser's ARN": (text_with("masterarn", f'"{SENTINEL}\\u0000"'), "masterarn"),
    "a port of 5000 digits": (text_with("port", "9" * 5_000), "port"),
    "a port beyond all ports": (text_with("port", "65536"), "port"),
    "a negative port": (text_with("port", "-1"), "port"),
    "an infinite port": (text_with("port", "1e999"), "port"),
    "half a port": (text_with("port", "5432.5"), "port"),
    "true as port": (text_with("port", "true"), "port"),
    "the password as port": (text_with("port", f'"{SENTINEL}"'), "port"),
    "a number as user": (text_with("username", "5"), "username"),
    "a number as password": (text_with("password", "12345678"), "password"),
    "two passwords": (text_with("kept", f'1, "password": "{SENTINEL}2"'), "the key password more than once"),
    "two hosts": (text_with("kept", '1, "host": "db.example"'), "the key host more than once"),
    "two secrets as keys": (text_with(SENTINEL, f'1, "{SENTINEL}": 2'), "a key that the function does not read"),
    "not a number": (text_with("kept", "NaN"), "holds NaN"),
    "a comment": (text_with("kept", f"1 /* {SENTINEL} */"), "is not JSON"),
    "an engine of somebody's": (text_with("engine", f'"{SENTINEL}"'), "engine"),
    "an engine by path": (text_with("engine", '"os:system"'), "engine"),
    "no TLS by a word": (text_with("ssl", '"off"'), "ssl"),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_a_spoilt_secret_is_refused_by_the_keys_name(world: World, attempts: Attempts, text: str, told: str) -> None:
    seen = attempts.refused_step("createSecret", world.begin(world.store(text)))
    assert seen.reasons["line"] == "secret_malformed"
    assert told in seen.line["error"]


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_a_spoilt_pending_value_is_refused_before_the_target_is_asked(
    world: World, attempts: Attempts, text: str, told: str
) -> None:
    run = world.begin(world.new_secret())
    pend(world, run, text)
    seen = attempts.refused_step("setSecret", run)
    # An unknown engine is first of all another one.
    assert seen.reasons["line"] in {"secret_malformed", "target_mismatch" if told == "engine" else None}
    assert told in seen.line["error"]
    assert "target" not in seen.line["calls"]


def pend(world: World, run: Run, text: str) -> None:
    """Store a value for the new version, as somebody other than the function would."""
    world.secrets_manager.put_secret_value(
        SecretId=run.secret_arn, ClientRequestToken=run.token, SecretString=text, VersionStages=[PENDING]
    )


def test_binary_secrets_are_refused(world: World, attempts: Attempts) -> None:
    arn = world.secrets_manager.create_secret(Name="hostile/binary", SecretBinary=SENTINEL.encode() + b"\0\xff")["ARN"]
    run = world.begin(arn)
    for step in ("createSecret", "testSecret"):
        assert attempts.refused_step(step, run).reasons["line"] == "secret_malformed"


KEPT = [
    '"nan": "NaN"',
    '"float": 1e999',
    '"digits": ' + "9" * 10_000,
    '"exact": 0.1000000000000000055511151231257827021181583404541015625',
    '"deep": ' + "[" * 500 + f'"{SENTINEL}"' + "]" * 500,
    '"twice": {"a": 1, "a": 2}',
    '"half": "\\ud800"',
    '"spelt": "\\u00fc ü \\/ \\u0000"',
    '"Password" : "another"',
    '"": [ ]',
]


@pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
def test_keys_that_the_function_does_not_read_survive_to_the_letter(
    world: World, deployed: Deployed, verdict: Verdict, strategy: str
) -> None:
    keys = world.login_keys() | world.new_role()
    if strategy == "alternating-users":
        keys["masterarn"] = world.new_superuser_secret()
    arn = world.store("{ " + " ,".join(KEPT) + " , " + json.dumps(keys)[1:], tag=strategy)
    for _turn in range(2):
        deployed.rotate(arn)
        after = JsonObject.read(text_of(world, arn))
        survived = sum(member in after.members.values() for member in KEPT)
        verdict.add(SECTION, tried=1, survived=int(survived == len(KEPT)))
        assert survived == len(KEPT)
        assert world.opens(dict(after.values))


def text_of(world: World, arn: str, label: str = CURRENT) -> str:
    (text,) = [
        text
        for version in world.secrets_manager.list_secret_version_ids(SecretId=arn)["Versions"]
        if label in version["VersionStages"]
        for text in [world.secrets_manager.get_secret_value(SecretId=arn, VersionId=version["VersionId"])["SecretString"]]
    ]
    return text


HOSTILE_NAMES = {
    "line break": f"u\n{FORGED[:40]}",
    "line separator": f"u\u2028{FORGED[:40]}",
    "ANSI": "u\x1b[2K\x1b[1A\x9b2K",
    "bidi": "u\u202egnp.nimda\u2066",
    "quotes": 'u", "reason": "none"',
    "SQL": "u'; DROP ROLE postgres; --",
    "SQL in quotes": 'u"; ALTER ROLE x SUPERUSER; --',
    "format": "u%s%n{0}$(id)`id`",
    "a connection string": "u host=127.0.0.2 sslmode=allow",
    "an address": "postgresql://u:p@127.0.0.2/x",
    "words of a refusal": 'u" password authentication failed for user "x',
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_users_name_is_a_name_and_nothing_else(world: World, attempts: Attempts, verdict: Verdict, name: str) -> None:
    arn = world.store(world.login_keys() | world.new_role(name))
    others = [role for role in roles(world) if role[0] != name]
    attempts.function.rotate(arn)
    is_alone = [role for role in roles(world) if role[0] != name] == others
    verdict.add(SECTION, tried=1, survived=int(is_alone and world.opens(world.value(arn))))
    assert is_alone
    assert world.opens(world.value(arn))
    world.set_password(name, "changed by hand")
    run = world.begin(arn)
    attempts.function.steps(run, "createSecret")
    seen = attempts.refused_step("setSecret", run)
    assert seen.reasons["line"] == "credential_unknown"
    world.execute("DROP ROLE {}", name)


def roles(world: World) -> list[tuple[Any, ...]]:
    return world.execute("SELECT rolname, rolpassword, rolsuper FROM pg_authid ORDER BY 1")


@pytest.mark.parametrize("key", ["host", "dbname", "tls_server_name"])
@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_other_names_are_names_and_nothing_else(world: World, attempts: Attempts, key: str, name: str) -> None:
    value = NO_DNS_NAME + name if key == "host" else name
    changes: dict[str, Any] = {key: value, "ssl": None if key == "tls_server_name" else False}
    run = world.begin(world.new_secret(**changes))
    seen = attempts.tried_step("createSecret", run)
    if seen.succeeded:
        expected = {"host": "dns_failed", "dbname": "database_missing", "tls_server_name": "tls_failed"}
        assert attempts.refused_step("setSecret", run).reasons["line"] == expected[key]
    else:
        assert seen.reasons["line"] == "secret_malformed"
        assert key in seen.line["error"]


any_text = st.text(st.characters(exclude_categories=()), max_size=30) | st.just(SENTINEL)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(any_text, children, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(st.sampled_from(KEYS), any_json, min_size=1, max_size=2),
    more=st.dictionaries(any_text.filter(lambda key: key not in KEYS), any_json, max_size=2),
)
def test_any_secret_is_rotated_with_all_else_unchanged_or_refused(
    world: World, attempts: Attempts, changes: dict[str, Any], more: dict[str, Any]
) -> None:
    if isinstance(changes.get("host"), str):
        changes["host"] = NO_DNS_NAME + changes["host"]
    if isinstance(changes.get("password"), str):
        changes["password"] = SENTINEL + changes["password"]  # long enough to be looked for, and like nothing else
    before = json.dumps({**more, **world.login_keys(), "username": "app", "password": SENTINEL, **changes})
    run = world.begin(world.store(before))
    seen = attempts.tried_step("createSecret", run)
    if seen.succeeded:
        old, new = JsonObject.read(before).members, JsonObject.read(text_of(world, run.secret_arn, PENDING)).members
        # Where masterarn is taken for one, the users alternate.
        changed = {"password"} | ({"username"} if "masterarn" in changes else set())
        assert {key: old[key] for key in old if key not in changed} == {key: new[key] for key in new if key not in changed}
        assert list(old) == list(new)
        attempts.refused_step("setSecret", run)
    attempts.refused_step("testSecret", run)
