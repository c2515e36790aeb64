"""Services where only a superuser makes and ends keys: on the word of a proven key, and with its own key nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from local.contract import Setup, peers
from local.contract.rotating import (
    HTTP_TARGETS,
    SecretInRotation,
    document,
    log_in,
    new_password,
    new_rotation_id,
    password_of,
    refused,
    refused_login,
)
from local.contract.strategies import accepted
from local.targets.http import DECLARATION, HttpTarget, administered
from rotation.errors import (
    ConnectionLostError,
    LoginRefusedError,
    PrivilegeMissingError,
    SecretMalformedError,
    SuperuserUnusableError,
    TlsFailedError,
)
from rotation.models import Login, SecretDocument

SETUPS = [Setup("http", HttpTarget)]


@pytest.fixture(autouse=True)
def locked_down(behave: Callable[..., None]) -> None:
    behave(is_locked_down=True)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch, secret: SecretDocument) -> dict[str, Any]:
    """What the stack declares, which a test may change."""
    declared = administered(secret.fields.username)
    monkeypatch.setitem(HTTP_TARGETS, "acme", declared)
    return declared


@pytest.fixture
def rotation(rotation: SecretInRotation, declared: dict[str, Any]) -> SecretInRotation:
    assert declared in HTTP_TARGETS.values()
    rotation.current = document({**rotation.current.keys, "http": "acme"})
    return rotation


@dataclass
class NoSuperusers:
    """Nobody is a superuser."""

    asked: int = 0

    def login_for(self, document: SecretDocument) -> Login:
        self.asked += 1
        raise SuperuserUnusableError(f"there is none at {document.fields.host}")


def test_the_key_in_use_may_make_none(rotation: SecretInRotation, target: HttpTarget) -> None:
    rotation.current = document({**rotation.current.keys, "http": DECLARATION})
    users = target.users()
    with refused(PrivilegeMissingError, password_of(rotation.current)):
        rotation.create()
    assert target.users() == users


@pytest.mark.parametrize("limit", [None, 2])
def test_the_superuser_makes_and_ends_the_keys(
    rotation: SecretInRotation,
    target: HttpTarget,
    declared: dict[str, Any],
    behave: Callable[..., None],
    limit: int | None,
) -> None:
    declared["most_keys"] = limit
    behave(is_locked_down=True, limit=limit or 3)
    others = target.users() - {rotation.current.fields.username}
    keys = [password_of(rotation.current), password_of(rotation.superuser)]
    for _ in range(4):
        for step in (rotation.create, rotation.set, rotation.test_and_finish):
            step()
            assert accepted(target, rotation.current)
        keys.append(password_of(rotation.current))
        assert rotation.previous is not None
        in_use = {rotation.current.fields.username, rotation.previous.fields.username}
        assert target.users() - others == in_use
    log = target.log()
    assert [key for key in keys if key in log] == []


def test_what_failed_attempts_left_is_found_and_ended_by_the_superuser(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    behave(is_locked_down=True, is_idempotent=False)
    orphan = rotation.create()
    rotation.create_again()
    rotation.set()
    assert not accepted(target, orphan)
    assert accepted(target, rotation.test_and_finish())


def test_the_superuser_does_nothing_on_the_word_of_a_key_that_is_refused(
    rotation: SecretInRotation, target: HttpTarget
) -> None:
    """Although it could: anybody who may write the secret would be given keys."""
    users = target.users()
    rotation.current = rotation.current.changed(password=new_password())
    superusers = NoSuperusers()
    with refused(LoginRefusedError, password_of(rotation.current)):
        rotation.strategy.next_document(replace(rotation.creation(), superusers=superusers))
    assert superusers.asked == 0
    assert target.users() == users


@pytest.mark.parametrize("word", ["password", "username"])
def test_the_superuser_ends_no_key_that_the_secret_does_not_prove(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None], word: str
) -> None:
    """Whoever may write the secret could have somebody else's key ended."""
    first = rotation.current
    behave(is_locked_down=True, limit=4)
    path, administrator = f"/v1/accounts/{first.fields.username}/keys", f"Bearer {target.superuser[1]}"
    _, strangers = target.server.request("POST", path, administrator, {})
    name, key = strangers["id"], strangers["key"]
    rotation.rotate()
    taken = {"password": new_password(), "username": first.fields.username}[word]
    rotation.previous = first.changed(username=name, password=key).changed(**{word: taken})
    rotation.create()
    rotation.set()
    assert target.refusal(name, key) is None
    assert accepted(target, first)


@pytest.mark.parametrize("status", [401, 403])
def test_a_previous_key_that_the_service_does_not_let_in_holds_nothing_up(
    rotation: SecretInRotation, target: HttpTarget, status: int
) -> None:
    rotation.rotate()
    assert rotation.previous is not None
    name = rotation.previous.fields.username
    if status == 403:
        target.bar(name)
    else:
        target.create_user(name, new_password())
    rotation.rotate()
    assert accepted(target, rotation.current)
    assert name in target.users()


def test_nobody_is_asked_for_unless_the_declaration_says_so(rotation: SecretInRotation, behave: Callable[..., None]) -> None:
    behave()
    rotation.current = document({**rotation.current.keys, "http": DECLARATION})
    rotation.rotate()
    superusers, rotation.rotation_id = NoSuperusers(), new_rotation_id()
    rotation.pending = rotation.strategy.next_document(replace(rotation.creation(), superusers=superusers))
    rotation.strategy.set_pending(replace(rotation.change(), superusers=superusers))
    assert superusers.asked == 0


def test_the_superuser_is_looked_up_once_in_a_step(rotation: SecretInRotation, superuser: SecretDocument) -> None:
    @dataclass
    class Counting(NoSuperusers):
        def login_for(self, document: SecretDocument) -> Login:
            self.asked += 1
            return given.login_for(document)

    rotation.rotate()
    rotation.create()
    given, superusers = rotation.change().superusers, Counting()
    rotation.strategy.set_pending(replace(rotation.change(), superusers=superusers))
    assert superusers.asked == 1
    assert password_of(superuser) not in repr(given.login_for(rotation.current))


def test_a_wrong_superusers_key_is_told_as_such(rotation: SecretInRotation, target: HttpTarget) -> None:
    users, wrong = target.users(), new_password()
    rotation.superuser = rotation.superuser.changed(password=wrong)
    with refused(LoginRefusedError, wrong, password_of(rotation.current)) as refusal:
        rotation.create()
    assert "refuses the key of the superuser administrator in create" in refusal.message
    assert target.users() == users


def test_a_session_to_which_nobody_was_named_asks_none(rotation: SecretInRotation) -> None:
    with refused(SuperuserUnusableError), log_in(rotation.current) as session:
        session.issue("rotation")  # type: ignore[attr-defined] # the session is an Issuer


def test_a_secret_cannot_say_itself_what_the_superusers_key_is_for(rotation: SecretInRotation, target: HttpTarget) -> None:
    account = rotation.current.fields.username
    rotation.current = document({**rotation.current.keys, "http": administered(account)})
    log = target.log()
    refusal = refused_login(SecretMalformedError, rotation.current)
    assert "http is wrong: create: only the stack may declare" in refusal.message
    assert refusal.error is not None
    assert "HttpTargets" in refusal.error.next_action
    assert "/v1/" not in target.log().removeprefix(log)


@pytest.mark.parametrize("arn", [None, ""])
def test_a_secret_that_names_no_superuser_is_told_so(rotation: SecretInRotation, arn: str | None) -> None:
    refusal = refused_login(SecretMalformedError, document({**rotation.current.keys, "masterarn": arn}))
    assert refusal.message == "the key masterarn is missing: acme: create has a placeholder of a superuser"
    assert refusal.error is not None
    assert "Add masterarn" in refusal.error.next_action


@pytest.mark.parametrize("ssl", [True, None])
def test_a_secret_cannot_take_tls_off_the_superusers_key(
    rotation: SecretInRotation, target: HttpTarget, *, ssl: bool | None
) -> None:
    with peers.wiretap(target.server.port) as tap:
        rotation.current = rotation.current.changed(port=tap.port)
        rotation.superuser = document({**rotation.superuser.keys, "port": tap.port, "ssl": ssl})
        with refused((TlsFailedError, ConnectionLostError), password_of(rotation.superuser)):
            rotation.create()
    assert b"/v1/me" in tap.everything_sent
    assert b"Bearer" not in tap.everything_sent


class TestTls:
    setups = (Setup("http", HttpTarget, with_tls=True),)

    def test_a_superusers_secret_cannot_take_it_off_the_key_in_use(
        self, rotation: SecretInRotation, target: HttpTarget
    ) -> None:
        rotation.superuser = document({**rotation.superuser.keys, "ssl": False})
        assert accepted(target, rotation.rotate())
