"""Services that hold two keys of a user and no third one: room is made before the new key, and never AWSCURRENT's."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from local.contract import Setup, peers
from local.contract.issuing import revoke
from local.contract.rotating import SecretInRotation, document, log_in, new_password, password_of, refused
from local.contract.strategies import accepted
from local.targets.http import DECLARATION, HttpTarget
from rotation.errors import ConnectionLostError, StatementRejectedError
from rotation.models import SecretDocument
from rotation.protocols import CredentialLimitError

SETUPS = [Setup("http", HttpTarget)]
LIMITED = {**DECLARATION, "most_keys": 2}
WITHOUT_LIST = {name: request for name, request in LIMITED.items() if name != "list"}
BY_VALUE: dict[str, Any] = {
    **WITHOUT_LIST,
    "revoke": {
        "method": "POST",
        "path": "/v1/revocations",
        "headers": {"Authorization": "Basic {basic}"},
        "body": {"key": "{revoked_password}"},
    },
}


@pytest.fixture(autouse=True)
def two_keys(behave: Callable[..., None]) -> None:
    behave(limit=2)


@pytest.fixture
def rotation(rotation: SecretInRotation) -> SecretInRotation:
    return declaring(rotation, LIMITED)


def declaring(rotation: SecretInRotation, declared: Mapping[str, Any]) -> SecretInRotation:
    rotation.current = document({**rotation.current.keys, "http": declared})
    return rotation


@pytest.mark.parametrize("declared", [LIMITED, WITHOUT_LIST, BY_VALUE], ids=["all", "no list", "by value"])
def test_the_key_in_use_works_at_every_moment_of_many_rotations(
    rotation: SecretInRotation, target: HttpTarget, declared: Mapping[str, Any]
) -> None:
    declaring(rotation, declared)
    before = target.users() - {rotation.current.fields.username}
    for _ in range(5):
        for step in (rotation.create, rotation.set, rotation.test_and_finish):
            step()
            assert accepted(target, rotation.current)
            assert accepted(target, rotation.pending)
        assert rotation.previous is not None
        in_use = {rotation.current.fields.username, rotation.previous.fields.username}
        assert target.users() - before == in_use


def test_what_is_not_declared_is_not_done(rotation: SecretInRotation) -> None:
    """The service refuses the third key, and the one before the last is left to clients."""
    old = rotation.current
    rotation.rotate()
    declaring(rotation, DECLARATION)
    with refused(StatementRejectedError) as refusal:
        rotation.create()
    assert "answered create with the status 409" in refusal.message
    with log_in(old), log_in(rotation.current):
        pass


@pytest.mark.parametrize("is_idempotent", [True, False])
@pytest.mark.parametrize("cut", [b"DELETE /v1/keys/", b"POST /v1/keys"], ids=["revoke", "create"])
def test_an_answer_that_is_lost_costs_no_key(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None], cut: bytes, *, is_idempotent: bool
) -> None:
    """As if the function were killed between the service's deed and its own next one."""
    rotation.rotate()
    behave(limit=2, is_idempotent=is_idempotent)
    port = rotation.current.fields.port
    with peers.wiretap(target.server.port, cut=cut) as tap:
        rotation.current = rotation.current.changed(port=tap.port)
        assert rotation.previous is not None
        rotation.previous = rotation.previous.changed(port=tap.port)
        with refused(ConnectionLostError, password_of(rotation.current)):
            rotation.create()
    rotation.current = rotation.current.changed(port=port)
    rotation.previous = rotation.previous.changed(port=port)
    rotation.create_again()
    rotation.set()
    assert accepted(target, rotation.current)
    assert accepted(target, rotation.test_and_finish())


@pytest.mark.parametrize("is_idempotent", [True, False])
def test_any_number_of_attempts_that_die_before_the_key_is_stored_leave_one_that_works(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None], *, is_idempotent: bool
) -> None:
    rotation.rotate()
    behave(limit=2, is_idempotent=is_idempotent)
    rotation.create()
    for _ in range(3):
        rotation.create_again()
        assert accepted(target, rotation.current)
        assert accepted(target, rotation.pending)


def test_a_key_that_nobody_knows_and_the_service_does_not_list_is_told_with_its_remedy(
    rotation: SecretInRotation, behave: Callable[..., None]
) -> None:
    behave(limit=2, is_idempotent=False)
    declaring(rotation, WITHOUT_LIST)
    rotation.create()
    with refused(CredentialLimitError) as refusal:
        rotation.create_again()
    assert refusal.error is not None
    assert refusal.error.reason == "statement_rejected"
    assert "answered create with the status 409: it holds as many keys as it may" in refusal.message
    assert "End those keys" in refusal.error.next_action
    assert "http.list" in refusal.error.next_action
    with log_in(rotation.current):
        pass


@pytest.mark.parametrize("declared", [LIMITED, BY_VALUE], ids=["by name", "by value"])
def test_the_key_of_a_rotation_that_was_given_up_makes_room(
    rotation: SecretInRotation, target: HttpTarget, declared: Mapping[str, Any]
) -> None:
    declaring(rotation, declared)
    rotation.rotate()
    abandoned = rotation.create()
    rotation.unlabelled = (abandoned.changed(host="localhost"), abandoned)
    rotation.create()
    assert not accepted(target, abandoned)
    assert accepted(target, rotation.current)
    rotation.set()
    assert accepted(target, rotation.test_and_finish())


@pytest.mark.parametrize("declared", [LIMITED, BY_VALUE], ids=["by name", "by value"])
def test_the_key_in_use_makes_no_room(rotation: SecretInRotation, behave: Callable[..., None], declared: Any) -> None:
    """Whatever else is stored under its name or with its value, and although the service is full."""
    behave(limit=1)
    declaring(rotation, declared)
    same_name, same_value = rotation.current.changed(password=new_password()), rotation.current.changed(username="other")
    rotation.unlabelled = (same_name, same_value, rotation.current)
    for previous in rotation.unlabelled:
        rotation.previous = previous
        with refused(CredentialLimitError, password_of(rotation.current)):
            rotation.create()
        with log_in(rotation.current):
            pass


@pytest.mark.parametrize("declared", [LIMITED, BY_VALUE], ids=["by name", "by value"])
def test_a_session_does_not_end_its_own_key(rotation: SecretInRotation, declared: Any) -> None:
    declaring(rotation, declared)
    revoke(rotation.current, rotation.current)
    with log_in(rotation.current):
        pass


def test_a_key_of_another_target_makes_no_room(rotation: SecretInRotation, target: HttpTarget) -> None:
    old = rotation.current
    rotation.rotate()
    rotation.previous = old.changed(host="localhost")
    with refused(CredentialLimitError):
        rotation.create()
    assert accepted(target, old)


def test_where_three_fit_the_one_before_the_last_lives_until_the_new_one_is_proven(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    behave(limit=3, is_idempotent=False)
    old = rotation.current
    declaring(rotation, {**DECLARATION, "most_keys": 3})
    rotation.rotate()
    orphan = rotation.create()
    assert accepted(target, old)
    rotation.create_again()
    assert accepted(target, old)
    assert not accepted(target, orphan)
    rotation.set()
    assert not accepted(target, old)


def test_a_service_may_say_that_it_is_full_by_another_status(secret: SecretDocument, behave: Callable[..., None]) -> None:
    create = {**DECLARATION["create"], "full": [403]}
    declared = document({**secret.keys, "http": {**LIMITED, "create": create}})
    behave(limit=1)
    with refused(StatementRejectedError), log_in(declared) as session:
        session.issue("rotation")  # type: ignore[attr-defined] # the session is an Issuer
    with refused(CredentialLimitError), log_in(declared) as session:
        behave(answer=(403, "{}"))
        session.issue("rotation")  # type: ignore[attr-defined] # the session is an Issuer


def test_a_key_that_was_ended_by_hand_is_as_good_as_ended(rotation: SecretInRotation, target: HttpTarget) -> None:
    old = rotation.current
    rotation.rotate()
    revoke(rotation.current, old)
    rotation.rotate()
    assert accepted(target, rotation.current)
