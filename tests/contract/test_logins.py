"""What every engine makes of a login: it works, or it fails with the class that names the cause."""

from typing import Any

import pytest

from rotation.engines import ENGINES
from rotation.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    DeadlineExceededError,
    DnsFailedError,
    LoginRefusedError,
    PortClosedError,
)
from rotation.models import SecretDocument
from tests.contract import peers
from tests.contract.rotating import deadline_in, log_in, new_name, new_password, password_of, refused, refused_login
from tests.contract.stages import STAGES, Stage

SHORT = 3.5
"""Seconds that an invocation has left: enough to connect, and soon over."""


def test_every_registered_engine_has_a_stage() -> None:
    assert set(STAGES) == set(ENGINES)


def test_the_right_password_opens_a_session_that_works(secret: SecretDocument) -> None:
    with log_in(secret) as session:
        session.check()


def test_a_wrong_password_is_refused(secret: SecretDocument) -> None:
    wrong = new_password()
    refused_login(LoginRefusedError, secret.changed(password=wrong))


def test_an_unknown_user_is_refused(secret: SecretDocument) -> None:
    refused_login(LoginRefusedError, secret.changed(username=new_name("ghost")))


def test_a_name_that_dns_does_not_know(secret: SecretDocument) -> None:
    refusal = refused_login(DnsFailedError, secret.changed(host="nowhere.invalid"))
    assert "nowhere.invalid" in refusal.message


def test_a_name_that_is_none(secret: SecretDocument) -> None:
    for host in ("a..b", "x" * 64 + ".test", "/tmp", "127.0.0.1,127.0.0.1"):
        refused_login(DnsFailedError, secret.changed(host=host))


def test_a_closed_port(secret: SecretDocument) -> None:
    with peers.closed_port() as port:
        refusal = refused_login(PortClosedError, secret.changed(port=port))
    assert str(port) in refusal.message


@pytest.mark.parametrize("network", [peers.silent_port, peers.packets_swallowed])
def test_swallowed_packets_end_as_such_within_the_time_that_is_left(secret: SecretDocument, network: Any) -> None:
    deadline = deadline_in(SHORT)
    with deadline.enforced(), network() as port:
        refused_login(ConnectTimeoutError, secret.changed(port=port), SHORT)
    assert deadline.remaining() > 0


def test_a_frozen_server_does_not_answer(secret: SecretDocument, stage: Stage) -> None:
    stage.freeze()
    try:
        refused_login(ConnectTimeoutError, secret, SHORT)
    finally:
        stage.thaw()


@pytest.mark.parametrize("answer", [peers.hang_up, peers.reset])
def test_a_peer_that_breaks_off(secret: SecretDocument, answer: Any) -> None:
    with peers.answering(answer) as port:
        refused_login(ConnectionLostError, secret.changed(port=port))


def test_nothing_is_begun_when_no_time_is_left(secret: SecretDocument) -> None:
    with peers.wiretap(secret.fields.port or 0) as tap:
        refused_login(DeadlineExceededError, secret.changed(port=tap.port), 0.05)
    assert tap.sent == []


def test_a_session_that_is_thrown_out(secret: SecretDocument, stage: Stage) -> None:
    with refused(ConnectionLostError, password_of(secret)), log_in(secret) as session:
        stage.end_sessions(secret.fields.username)
        session.check()


def test_a_server_that_freezes_in_a_session_is_left_when_the_time_is_up(secret: SecretDocument, stage: Stage) -> None:
    try:
        with (
            refused(DeadlineExceededError, password_of(secret)),
            deadline_in(SHORT).enforced(),
            log_in(secret, SHORT) as session,
        ):
            stage.freeze()
            session.check()
    finally:
        stage.thaw()
    with log_in(secret) as session:
        session.check()
