"""A declaration is checked as a whole before anything is sent, and what it is filled with cannot change its form."""

import json
from base64 import b64decode
from copy import deepcopy
from typing import Any

import pytest
from pydantic import SecretStr

from local.contract.rotating import settings_with
from local.targets.http import DECLARATION
from rotation.engines.http import declaration_of
from rotation.engines.http_declaration import Check, Create, CreateAnswer, Request, Revoke
from rotation.errors import ConfigurationInvalidError, SecretMalformedError
from rotation.models import Login

SENTINEL = "Sentinel-7f3a"
REMOVED = object()


def login(declared: Any = DECLARATION, username: str = "key_1", password: str = SENTINEL) -> Login:
    return Login("api.example", 443, None, username, SecretStr(password), True, None, {"http": declared})


def changed(where: str, value: object) -> dict[str, Any]:
    """The declaration with another value somewhere."""
    declared = deepcopy(dict(DECLARATION))
    *parents, last = where.split(".")
    place: Any = declared
    for name in parents:
        place = place[name]
    place[last] = value
    if value is REMOVED:
        del place[last]
    return declared


def refusal(declared: Any) -> str:
    with pytest.raises(SecretMalformedError) as caught:
        declaration_of(login(declared), settings_with())
    assert SENTINEL not in str(caught.value)
    assert caught.value.__context__ is None
    return caught.value.message


def test_the_example_is_right() -> None:
    assert declaration_of(login(), settings_with()).create.answer.password == "/key"


def test_list_may_be_left_out() -> None:
    assert declaration_of(login(changed("list", REMOVED)), settings_with()).list is None


@pytest.mark.parametrize(
    ("where", "value", "what"),
    [
        ("create", REMOVED, "create: Field required"),
        ("revoke", REMOVED, "revoke: Field required"),
        ("check", REMOVED, "check: Field required"),
        ("create.answer", REMOVED, "create.answer: Field required"),
        ("create.answer.password", REMOVED, "create.answer.password: Field required"),
        ("create.answer.password", SENTINEL, "create.answer.password: "),
        ("create.answer.password", "/~2", "create.answer.password: "),
        ("check.method", "TRACE", "check.method: "),
        ("check.host", SENTINEL, "check.host: Extra inputs are not permitted"),
        ("rotate", {}, "rotate: Extra inputs are not permitted"),
        ("check.success", [99], "check.success.0: "),
        ("check.refused", "401", "check.refused: "),
        ("check.body", {"a": ["{rotation_id}"]}, "check.body: Value error, has a placeholder other than"),
        ("check.headers", {"Authorization": f"{{x}} {SENTINEL}"}, "check.headers: Value error, has a placeholder"),
        ("check.headers", {"X": 1}, "check.headers.X: "),
        ("create.body", {"a": "{revoked_password}"}, "create.body: Value error, has a placeholder other than"),
        ("revoke.path", "/v1/keys/last", "revoke has to say which key"),
        ("create.answer.username", REMOVED, "create.answer.username has to say where it is"),
        ("revoke.body", {"key": "{revoked_password}"}, "list needs"),
        ("most_keys", 1, "most_keys: Input should be greater than or equal to 2"),
        ("most_keys", "many", "most_keys: "),
        ("check.headers", {"Authorization": "{superuser_basic}"}, "check.headers: Value error, has a placeholder"),
        ("check.path", "/{superuser_username}", "check.path: Value error, has a placeholder"),
    ],
)
def test_what_is_wrong_is_named_and_its_value_is_not(where: str, value: object, what: str) -> None:
    assert what in refusal(changed(where, value))


def test_strays_are_found_only_by_a_label_that_create_gives() -> None:
    declared = changed("create.body", {})
    declared["create"]["headers"] = {"Authorization": "Bearer {password}"}
    assert "list needs {rotation_id} in create" in refusal(declared)


@pytest.mark.parametrize("declared", [None, 1, [], {}, {"other": SENTINEL}])
def test_a_secret_without_a_declaration_is_told_so(declared: object) -> None:
    assert refusal(declared).startswith("the key http is wrong: ")


@pytest.mark.parametrize(
    "path",
    ["", "v1", "https://elsewhere.example/v1", "/a b", "/a\r\nHost: elsewhere", "/a#b", "/ä", "/a\n", "\\\\elsewhere"],
)
def test_a_path_is_a_path_on_the_secrets_own_host(path: str) -> None:
    assert refusal(changed("check.path", path)).startswith("the key http is wrong: check.path: ")


@pytest.mark.parametrize("name", ["create", "revoke", "list"])
def test_the_superuser_serves_only_names_that_were_proven(name: str) -> None:
    """With a key of his own somebody could have one made for whom he likes."""
    declared = changed(f"{name}.headers", {"Authorization": "{superuser_password}", "X-For": "{username}"})
    declared["check"]["headers"] = {"Authorization": "Bearer {password}"}
    assert f"{name} says {{username}} to the superuser" in refusal(declared)
    declared["check"]["path"] = "/v1/accounts/{username}"
    assert "only the stack may declare" in refusal(declared)


@pytest.mark.parametrize("placeholder", ["password", "basic", "revoked_password", "superuser_password", "superuser_basic"])
def test_nothing_secret_stands_in_a_path(placeholder: str) -> None:
    assert "revoke.path: Value error" in refusal(changed("revoke.path", f"/v1/keys/{{{placeholder}}}"))


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "a b", "a:", "a\r\nb", ""])
def test_a_header_that_would_change_the_requests_form_is_refused(name: str) -> None:
    assert "check.headers" in refusal(changed("check.headers", {name: "x"}))


@pytest.mark.parametrize("text", ["a\r\nX-Other: b", "a\nb", "a\0", "ä"])
def test_a_header_ends_where_its_line_does(text: str) -> None:
    assert "check.headers.X" in refusal(changed("check.headers", {"X": text}))


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "ключ"])
def test_neither_does_a_value_of_the_secret_end_it(value: str) -> None:
    request = Check(method="GET", path="/", headers={"Authorization": "Bearer {password}"})
    with pytest.raises(SecretMalformedError, match=r"\{password\} has a character that a header cannot have"):
        request.filled(login(password=value))


def test_every_placeholder_is_filled_where_it_stands() -> None:
    revoke = Revoke(
        method="POST",
        path="/{username}/{revoked_username}?by={username}",
        headers={"X-Basic": "Basic {basic}", "X-Key": "{password}{revoked_password}"},
        body={"a": [{"b": "<{revoked_username}>"}, 1, None, True, "{}"], "{username}": "{not a name}"},
    )
    filled = revoke.filled(login(username="a/b ?&é"), revoked_username='q"{password}', revoked_password="old")
    assert filled.path == "/a%2Fb%20%3F%26%C3%A9/q%22%7Bpassword%7D?by=a%2Fb%20%3F%26%C3%A9"
    assert filled.headers["X-Key"] == f"{SENTINEL}old"
    assert b64decode(filled.headers["X-Basic"].removeprefix("Basic ")).decode() == f"a/b ?&é:{SENTINEL}"
    assert filled.body == b'{"a": [{"b": "<q\\"{password}>"}, 1, null, true, "{}"], "{username}": "{not a name}"}'
    assert SENTINEL not in repr(login())


@pytest.mark.parametrize("name", [".", ".."])
def test_a_key_cannot_be_named_like_another_path(name: str) -> None:
    request = Request(method="DELETE", path="/keys/{username}")
    with pytest.raises(SecretMalformedError, match="cannot be a part of a path"):
        request.filled(login(username=name))


@pytest.mark.parametrize("placeholder", ["basic", "superuser_basic"])
def test_a_name_with_a_colon_cannot_be_sent_as_basic_authentication_has_it(placeholder: str) -> None:
    request = Create(method="GET", path="/", headers={"X": f"Basic {{{placeholder}}}"}, answer=CreateAnswer(password="/key"))
    with pytest.raises(SecretMalformedError, match=f"user name with a colon cannot be sent by {{{placeholder}}}"):
        request.filled(login(username="a:b"), login(username="a:b"))


def test_the_superusers_values_stand_beside_the_keys_own() -> None:
    text = "{username} {password} {superuser_username} {superuser_password} {superuser_basic}"
    filled = Create(method="POST", path="/", body=text, answer=CreateAnswer(password="/key")).filled(
        login(username="key_1", password="own"), login(username="root", password="more")
    )
    *words, basic = json.loads(filled.body or b"").split(" ")
    assert words == ["key_1", "own", "root", "more"]
    assert b64decode(basic) == b"root:more"


def test_the_stack_may_declare_services_by_name() -> None:
    settings = settings_with().model_copy(update={"http_targets": {"acme": DECLARATION}})
    assert declaration_of(login("acme"), settings) == declaration_of(login(), settings_with())
    with pytest.raises(SecretMalformedError, match="no target of the parameter HttpTargets, which has acme"):
        declaration_of(login("other"), settings)


def test_what_is_wrong_in_the_stacks_declaration_is_the_stacks_fault() -> None:
    settings = settings_with().model_copy(update={"http_targets": {"acme": changed("check.method", SENTINEL)}})
    with pytest.raises(ConfigurationInvalidError, match=r"HTTP_TARGETS: acme: check\.method: ") as caught:
        declaration_of(login("acme"), settings)
    assert SENTINEL not in str(caught.value)
