"""What a service may answer, and what becomes of it."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from local.contract import Setup, peers
from local.contract.logins import SHORT
from local.contract.rotating import deadline_in, document, log_in, password_of, refused, refused_login
from local.targets.http import DECLARATION, HttpTarget
from rotation.engines.http_exchange import STATUSES
from rotation.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    LoginRefusedError,
    PrivilegeMissingError,
    RotationError,
    StatementRejectedError,
    TargetNotReadyError,
    TargetSaturatedError,
)
from rotation.models import SecretDocument

SETUPS = [Setup("http", HttpTarget)]
SENTINEL = "Sentinel-7f3a"
EXPECTED: dict[int, type[RotationError]] = {
    **dict.fromkeys(range(300, 600), StatementRejectedError),
    **dict.fromkeys(range(500, 600), TargetNotReadyError),
    401: LoginRefusedError,
    403: PrivilegeMissingError,
    429: TargetSaturatedError,
}


@pytest.mark.parametrize(
    "status", [300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 409, 418, 422, 429, 500, 502, 503]
)
def test_every_status_has_a_reason(secret: SecretDocument, behave: Callable[..., None], status: int) -> None:
    behave(answer=(status, f'{{"error": "{SENTINEL}"}}'))
    refusal = refused_login(EXPECTED[status], secret)
    assert SENTINEL not in str(refusal.error)
    assert status == 401 or f"answered check with the status {status}" in refusal.message


def test_the_table_names_nothing_that_is_not_expected() -> None:
    # A key that passed the check is valid, so that 401 is another matter for every other request.
    assert {status: kind for status, (kind, _) in STATUSES.items() if status != 401}.items() <= EXPECTED.items()


def test_a_redirect_is_not_followed(secret: SecretDocument, target: HttpTarget, behave: Callable[..., None]) -> None:
    behave(answer=(307, "{}"))
    refused_login(StatementRejectedError, secret)
    assert "/elsewhere" not in target.log()


@pytest.mark.parametrize("status", [403, 404])
def test_a_service_may_refuse_keys_with_other_statuses(
    secret: SecretDocument, behave: Callable[..., None], status: int
) -> None:
    check = {**DECLARATION["check"], "refused": [401, status]}
    declared = document({**secret.keys, "http": {**DECLARATION, "check": check}})
    behave(answer=(status, "{}"))
    refused_login(LoginRefusedError, declared)


def test_success_may_be_declared(secret: SecretDocument, behave: Callable[..., None]) -> None:
    declared = document({**secret.keys, "http": {**DECLARATION, "check": {**DECLARATION["check"], "success": [202]}}})
    refused_login(StatementRejectedError, declared)
    behave(answer=(202, ""))
    with log_in(declared):
        pass


@pytest.mark.parametrize("page", ["<html>Welcome</html>", "{", "\x00", "NaN,", "[" * 100_000])
def test_a_page_for_people_proves_nothing(secret: SecretDocument, behave: Callable[..., None], page: str) -> None:
    behave(answer=(200, page))
    assert "other than JSON" in refused_login(StatementRejectedError, secret).message


def test_an_answer_without_end_is_not_read(secret: SecretDocument, behave: Callable[..., None]) -> None:
    behave(answer=(200, " " * 1_000_001))
    assert "more than" in refused_login(StatementRejectedError, secret).message


@pytest.mark.parametrize("name", ["create", "revoke", "list"])
def test_what_a_valid_key_may_not_do_is_no_refused_login(secret: SecretDocument, name: str) -> None:
    """Any other key's authorization, in the request that follows the check."""
    request = {**DECLARATION[name], "headers": {"Authorization": "Bearer other"}, "body": {"for": "{rotation_id}"}}
    if name == "revoke":
        request["body"] = None
    declared = document({**secret.keys, "http": {**DECLARATION, name: request}})
    with refused(PrivilegeMissingError, password_of(secret)) as refusal, log_in(declared) as session:
        issuer: Any = session
        match name:
            case "create":
                issuer.issue("rotation")
            case "list":
                issuer.revoke_strays("rotation")
            case _:
                issuer._revoke("key_0", "")
    assert f"answered {name} with the status 401" in refusal.message


def answers(*parts: bytes) -> peers.Answer:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)

    return answer


@pytest.mark.parametrize("head", [b"Content-Length: 100\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n64\r\n{}"])
def test_an_answer_that_breaks_off_is_a_lost_connection(secret: SecretDocument, head: bytes) -> None:
    with peers.answering(answers(b"HTTP/1.1 200 OK\r\n" + head)) as port:
        refused_login(ConnectionLostError, secret.changed(port=port))


@pytest.mark.parametrize("text", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"])
def test_what_is_no_http_is_told_so(secret: SecretDocument, text: bytes) -> None:
    with peers.answering(answers(text)) as port:
        refusal = refused_login(StatementRejectedError, secret.changed(port=port))
    assert "other than HTTP" in refusal.message


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_an_answer_that_trickles_ends_within_the_time_that_is_left(secret: SecretDocument, head: bytes) -> None:
    """By the engine's own limit, not by the deadline's: each byte comes well within a wait's limit."""

    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        connection.settimeout(0.1)
        while True:
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                connection.sendall(b" ")

    deadline = deadline_in(SHORT)
    with peers.answering(trickle) as port, deadline.enforced():
        refused_login(ConnectTimeoutError, secret.changed(port=port), SHORT)
    assert deadline.remaining() > 0
