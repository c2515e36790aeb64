"""What every engine does at a login, on a real server and on the ways that lead to none."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from local.contract import peers
from local.contract.rotating import deadline_in, log_in, new_name, new_password, password_of, refused, refused_login
from local.targets.target import Target, WithSessions
from rotation.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    DeadlineExceededError,
    DnsFailedError,
    LoginRefusedError,
    PortClosedError,
)
from rotation.models import SecretDocument

SHORT = 3.5
"""Seconds that an invocation has left: enough to connect, and soon over."""
Network = Callable[[], AbstractContextManager[int]]


class Logins:
    """Of every engine."""

    def test_the_right_password_opens_a_session_that_works(self, secret: SecretDocument, ca_bundle: str | None) -> None:
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.check()

    def test_a_wrong_password_is_refused(self, secret: SecretDocument, ca_bundle: str | None) -> None:
        wrong = new_password()
        refused_login(LoginRefusedError, secret.changed(password=wrong), ca_bundle=ca_bundle)

    def test_an_unknown_user_is_refused(self, secret: SecretDocument, ca_bundle: str | None) -> None:
        refused_login(LoginRefusedError, secret.changed(username=new_name("ghost")), ca_bundle=ca_bundle)

    def test_a_barred_user_is_refused_by_its_own_reason(
        self, secret: SecretDocument, target: Target, ca_bundle: str | None
    ) -> None:
        target.bar(secret.fields.username)
        refused_login(target.barred_as, secret, ca_bundle=ca_bundle)
        target.unbar(secret.fields.username)
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.check()

    def test_a_name_that_dns_does_not_know(self, secret: SecretDocument, ca_bundle: str | None) -> None:
        refusal = refused_login(DnsFailedError, secret.changed(host="nowhere.invalid"), ca_bundle=ca_bundle)
        assert "nowhere.invalid" in refusal.message

    def test_a_name_that_is_none(self, secret: SecretDocument, ca_bundle: str | None) -> None:
        for host in ("a..b", "x" * 64 + ".test", "/tmp", "127.0.0.1,127.0.0.1"):  # noqa: S108 - a socket's folder, to libpq
            refused_login(DnsFailedError, secret.changed(host=host), ca_bundle=ca_bundle)

    def test_a_closed_port(self, secret: SecretDocument, ca_bundle: str | None) -> None:
        with peers.closed_port() as port:
            closed = secret.changed(host=peers.LOOPBACK, port=port)
            refusal = refused_login(PortClosedError, closed, ca_bundle=ca_bundle)
        assert str(port) in refusal.message

    @pytest.mark.parametrize("network", [peers.silent_port, peers.packets_swallowed])
    def test_swallowed_packets_end_as_such_within_the_time_that_is_left(
        self, secret: SecretDocument, network: Network, ca_bundle: str | None
    ) -> None:
        deadline = deadline_in(SHORT)
        with deadline.enforced(), network() as port:
            refused_login(ConnectTimeoutError, secret.changed(host=peers.LOOPBACK, port=port), SHORT, ca_bundle=ca_bundle)
        assert deadline.remaining() > 0

    def test_a_frozen_server_does_not_answer(self, secret: SecretDocument, target: Target, ca_bundle: str | None) -> None:
        target.freeze()
        try:
            refused_login(ConnectTimeoutError, secret, SHORT, ca_bundle=ca_bundle)
        finally:
            target.thaw()

    @pytest.mark.parametrize("answer", [peers.hang_up, peers.reset])
    def test_a_peer_that_breaks_off(self, secret: SecretDocument, answer: peers.Answer, ca_bundle: str | None) -> None:
        with peers.answering(answer) as port:
            broken = secret.changed(host=peers.LOOPBACK, port=port)
            refused_login(ConnectionLostError, broken, ca_bundle=ca_bundle)

    def test_nothing_is_begun_when_no_time_is_left(self, secret: SecretDocument, ca_bundle: str | None) -> None:
        with peers.wiretap(secret.fields.port or 0) as tap:
            refused_login(
                DeadlineExceededError, secret.changed(host=peers.LOOPBACK, port=tap.port), 0.05, ca_bundle=ca_bundle
            )
        assert tap.sent == []


class Sessions:
    """Of engines whose target is `WithSessions`."""

    def test_a_session_that_is_thrown_out(self, secret: SecretDocument, target: WithSessions, ca_bundle: str | None) -> None:
        with refused(ConnectionLostError, password_of(secret)), log_in(secret, ca_bundle=ca_bundle) as session:
            target.end_sessions(secret.fields.username)
            session.check()

    def test_a_server_that_freezes_in_a_session_is_left_when_the_time_is_up(
        self, secret: SecretDocument, target: WithSessions, ca_bundle: str | None
    ) -> None:
        """By the engine's own limit or by the deadline's."""
        try:
            with (
                refused((DeadlineExceededError, ConnectionLostError, ConnectTimeoutError), password_of(secret)),
                deadline_in(SHORT).enforced(),
                log_in(secret, SHORT, ca_bundle=ca_bundle) as session,
            ):
                target.freeze()
                session.check()
        finally:
            target.thaw()
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.check()
