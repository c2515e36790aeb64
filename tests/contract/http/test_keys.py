"""Services that differ in what they offer: no key is lost, and none is left where the service lets itself be asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from local.contract import Setup, peers
from local.contract.rotating import (
    SecretInRotation,
    document,
    invocation,
    log_in,
    new_password,
    password_of,
    refused,
    settings_with,
)
from local.contract.strategies import accepted
from local.targets.http import DECLARATION, HttpTarget
from rotation.engines import engine_for
from rotation.errors import ConnectionLostError, LoginRefusedError, StatementRejectedError
from rotation.models import SecretDocument
from rotation.strategies.change import login_of

SETUPS = [Setup("http", HttpTarget)]
BEARER = {"Authorization": "Bearer {password}"}
WITHOUT_LIST = {name: request for name, request in DECLARATION.items() if name != "list"}
WITHOUT_NAMES: dict[str, Any] = {
    "create": {"method": "POST", "path": "/v1/keys", "headers": BEARER, "answer": {"password": "/key"}},
    "check": {"method": "GET", "path": "/v1/me", "headers": BEARER},
    "revoke": {"method": "POST", "path": "/v1/revocations", "headers": BEARER, "body": {"key": "{revoked_password}"}},
}


def declare(rotation: SecretInRotation, declared: Any) -> None:
    rotation.current = document({**rotation.current.keys, "http": declared})


def made(target: HttpTarget, before: set[str]) -> set[str]:
    return target.users() - before


def test_an_answer_that_is_lost_costs_no_key(rotation: SecretInRotation, target: HttpTarget) -> None:
    before = target.users()
    port = rotation.current.fields.port
    with peers.wiretap(target.server.port, cut=b"POST /v1/keys") as tap:
        rotation.current = rotation.current.changed(port=tap.port)
        with refused(ConnectionLostError, password_of(rotation.current)):
            rotation.create()
    rotation.current = rotation.current.changed(port=port)
    (orphan,) = made(target, before)
    assert rotation.create_again().fields.username == orphan
    rotation.set()
    assert accepted(target, rotation.test_and_finish())


def test_where_repeated_requests_make_further_keys_those_are_found_by_their_label_and_end(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    behave(is_idempotent=False, limit=5)
    before = target.users()
    orphans = {rotation.create().fields.username, rotation.create_again().fields.username}
    pending = rotation.create_again()
    assert made(target, before) == orphans | {pending.fields.username}
    rotation.set()
    assert made(target, before) == {pending.fields.username}
    assert accepted(target, rotation.current)


def test_the_keys_of_other_rotations_are_no_strays(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    behave(is_idempotent=False, limit=5)
    other = rotation.create()
    rotation.create()
    rotation.set()
    assert accepted(target, other)


def test_where_nothing_is_offered_a_stray_stays_and_the_rotation_goes_on(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    behave(is_idempotent=False, limit=5)
    declare(rotation, WITHOUT_LIST)
    before = target.users()
    rotation.create()
    rotation.create_again()
    rotation.set()
    assert len(made(target, before)) == 2
    assert accepted(target, rotation.test_and_finish())


def test_a_service_that_holds_no_further_key_says_so(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    behave(limit=1)
    with refused(StatementRejectedError) as refusal:
        rotation.create()
    assert "answered create with the status 409" in refusal.message
    assert accepted(target, rotation.current)


def test_a_new_key_that_has_not_reached_all_machines_is_waited_for(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    behave(lag=5)
    rotation.create()
    assert rotation.set() == "AWSCURRENT"
    assert accepted(target, rotation.pending)


def test_a_new_key_that_never_arrives_ends_nothing(
    rotation: SecretInRotation, target: HttpTarget, behave: Callable[..., None]
) -> None:
    first = rotation.current
    rotation.rotate()
    behave(lag=1_000)
    rotation.create()
    with refused(LoginRefusedError, password_of(rotation.pending)):
        rotation.set()
    assert accepted(target, first)


def test_keys_without_names_end_by_their_value(rotation: SecretInRotation, target: HttpTarget) -> None:
    """Sent in the body and in a header, and nowhere else."""
    rotation.current = document({**rotation.current.keys, "username": "app", "http": WITHOUT_NAMES})
    keys = [password_of(rotation.current), *(password_of(rotation.rotate()) for _ in range(3))]
    assert rotation.current.fields.username == "app"
    statuses = [target.server.request("GET", "/v1/me", f"Bearer {key}")[0] for key in keys]
    assert statuses == [401, 401, 200, 200]
    requests = [line.split(" HTTP/")[0] for line in target.log().splitlines()]
    assert [key for key in keys if any(key in line for line in requests)] == []


@pytest.mark.parametrize("pointer", ["/nowhere", "", "/key/0", "/label/a~1b"])
def test_a_key_that_is_not_where_it_was_declared_is_ended_again(
    rotation: SecretInRotation, target: HttpTarget, pointer: str
) -> None:
    before = target.users()
    declare(
        rotation, {**DECLARATION, "create": {**DECLARATION["create"], "answer": {"username": "/id", "password": pointer}}}
    )
    with refused(StatementRejectedError) as refusal:
        rotation.create()
    assert "http.create.answer" in str(refusal.error)
    assert made(target, before) == set()


@pytest.mark.parametrize("pointer", ["/nowhere", "", "/keys/0/id"])
def test_a_list_that_is_not_where_it_was_declared_is_told_so(rotation: SecretInRotation, pointer: str) -> None:
    answer = {**DECLARATION["list"]["answer"], "keys": pointer}
    declare(rotation, {**DECLARATION, "list": {**DECLARATION["list"], "answer": answer}})
    rotation.create()
    with refused(StatementRejectedError) as refusal:
        rotation.set()
    assert "http.list.answer" in str(refusal.error)


def test_a_service_that_gives_the_same_key_again_has_made_none(rotation: SecretInRotation) -> None:
    """It repeats itself, although this is another rotation."""
    declared = {**DECLARATION, "create": {**DECLARATION["create"], "headers": {**BEARER, "Idempotency-Key": "always"}}}
    declare(rotation, declared)
    rotation.rotate()
    with refused(StatementRejectedError, password_of(rotation.current)):
        rotation.create()
    assert rotation.previous is not None
    with log_in(rotation.current):
        pass


def test_a_declaration_of_the_stack_serves_all_secrets_that_name_it(secret: SecretDocument) -> None:
    named = document({**secret.keys, "http": "acme"})
    settings = settings_with().model_copy(update={"http_targets": {"acme": DECLARATION}})
    engine = engine_for(replace(invocation(), settings=settings))(named)
    with engine.log_in(login_of(named, engine.traits)):
        pass
    with pytest.raises(LoginRefusedError), engine.log_in(login_of(named.changed(password=new_password()), engine.traits)):
        pass
