"""Events that Secrets Manager would never send: refused by the field's name before anything is called."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.attempts import SENTINEL, Attempts
from tests.functional.seen import Seen
from tests.functional.world import Deployed, Run, World
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

FIELDS = ("Step", "SecretId", "ClientRequestToken", "RotationToken")
NOT_THERE = "arn:aws:secretsmanager:eu-central-1:200000000002:secret:app/nowhere"
GOOD = {"Step": "createSecret", "SecretId": NOT_THERE, "ClientRequestToken": "t" * 32}
FORGED = '{"level":"INFO","message":"finishSecret succeeded","outcome":"succeeded","request_id":"forged"}'


@pytest.fixture
def attempts(world: World, deployed: Deployed, verdict: Verdict) -> Attempts:
    return Attempts(world, deployed, verdict, "hostile events", is_timed=True)


def refused_without_a_call(attempts: Attempts, event: Any) -> Seen:
    before = len(attempts.world.aws.calls)
    seen = attempts.refused(event)
    assert seen.reasons["line"] == "event_invalid"
    assert any(field in seen.line["error"] for field in (*FIELDS, "input", "JSON"))
    assert len(attempts.world.aws.calls) == before
    return seen


def nested(depth: int) -> Any:
    inner: Any = SENTINEL
    for level in range(depth):
        inner = [inner] if level % 2 else {"inner": inner}
    return inner


WRONG: dict[str, Any] = {
    "nested 300 deep": nested(300),
    "each field nested": {field: nested(100) for field in FIELDS},
    "a megabyte of text": SENTINEL * 50_000,
    "a megabyte as step": {**GOOD, "Step": SENTINEL * 50_000},
    "a megabyte as secret": {**GOOD, "SecretId": "s" * 1_000_000},
    "a megabyte as token": {**GOOD, "ClientRequestToken": SENTINEL * 50_000},
    "half a surrogate pair as step": {**GOOD, "Step": f"createSecret\ud800{SENTINEL}"},
    "half a surrogate pair as secret": {**GOOD, "SecretId": f"{SENTINEL}\ud800"},
    "half a surrogate pair as token": {**GOOD, "ClientRequestToken": "\udfff" * 32},
    "a step with a NUL": {**GOOD, "Step": "createSecret\0"},
    "a step with a line": {**GOOD, "Step": f"createSecret\n{FORGED}"},
    "all steps": {**GOOD, "Step": ["createSecret", "setSecret", "testSecret", "finishSecret"]},
    "an event in an event": {"Step": GOOD, "SecretId": GOOD, "ClientRequestToken": GOOD},
    "an event in JSON": json.dumps({**GOOD, "Step": SENTINEL}),
    "numbers": {**GOOD, "SecretId": 10**300, "ClientRequestToken": -1},
    "other spellings": {"step": "createSecret", "secretId": SENTINEL, "clientRequestToken": "t" * 32},
}


@pytest.mark.parametrize("event", WRONG.values(), ids=WRONG)
def test_a_wrong_event_is_refused_before_anything_is_called(attempts: Attempts, event: Any) -> None:
    refused_without_a_call(attempts, event)


HOSTILE_IDS = {
    "a line of ours": f"app\n{FORGED}",
    "a carriage return": f"app\r\n{FORGED}\r\n",
    "line separators": f"app\u2028{FORGED}\u2029\x85{FORGED}",
    "ANSI": "app\x1b[2K\x1b[1A\x9b2K",
    "bidi": "app\u202egnp.nimda\u2066",
    "a NUL": "app\0",
    "quotes": f'app", "reason": "none", "x": "{FORGED}',
    "SQL": "app'; DROP TABLE secrets; --",
    "format": "%s {0} ${jndi:ldap://127.0.0.1/x}",
    "a path": "../../etc/passwd",
    "another service": "arn:aws:iam::123456789012:role/admin",
    "another account": "arn:aws:secretsmanager:eu-central-1:999999999999:secret:app-AbCdEf",
    "the longest": "s" * 2048,
}


@pytest.mark.parametrize("secret_id", HOSTILE_IDS.values(), ids=HOSTILE_IDS)
def test_a_secret_id_that_names_none_is_refused_in_one_line(attempts: Attempts, secret_id: str) -> None:
    seen = attempts.refused({**GOOD, "SecretId": secret_id, "RotationToken": SENTINEL})
    assert seen.reasons["line"] in {"secret_not_found", "aws_rejected", "access_denied"}
    assert str(seen.line["secret_id"]).isprintable()


@pytest.mark.parametrize("token", [f"{'t' * 32}\n", f"\x1b[2K{'t' * 32}", "'; DROP ROLE postgres; --" + "t" * 20], ids=repr)
def test_a_token_that_is_no_versions_is_refused_in_one_line(world: World, attempts: Attempts, token: str) -> None:
    arn = world.new_secret()
    world.begin(arn)
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        seen = attempts.refused_step(step, Run(arn, token, SENTINEL))
        assert seen.reasons["line"] == "version_not_pending"
        assert str(seen.line["correlation_id"]).isprintable()


any_text = st.text(st.characters(exclude_categories=()), max_size=40) | st.just(SENTINEL)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(any_text | st.sampled_from(FIELDS), children, max_size=4)
    ),
    max_leaves=8,
)
no_text = any_json.filter(lambda value: not isinstance(value, str))
spoilt = st.one_of(
    any_json,
    st.builds(lambda value: {**GOOD, "Step": value}, any_json),
    st.builds(lambda value: {**GOOD, "SecretId": value}, no_text),
    st.builds(lambda value: {**GOOD, "ClientRequestToken": value}, no_text),
    st.builds(lambda value: {**GOOD, "RotationToken": value}, no_text.filter(lambda value: value is not None)),
    st.builds(lambda field: {key: value for key, value in GOOD.items() if key != field}, st.sampled_from(list(GOOD))),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=spoilt)
def test_any_event_that_is_none_is_refused_before_anything_is_called(attempts: Attempts, event: Any) -> None:
    refused_without_a_call(attempts, event)
