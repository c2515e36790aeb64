"""A host with several addresses, and a DNS that does not answer."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from local.contract import peers
from local.contract.rotating import deadline_in, log_in, new_password, refused_login, resolving_to
from local.postgres import PostgresServer
from rotation.errors import DnsFailedError, LoginRefusedError, PortClosedError
from rotation.models import SecretDocument
from tests.contract.postgres.servers import log_of


@pytest.fixture
def second_address_is_never_called(server: PostgresServer) -> Iterator[None]:
    """127.0.0.2 listens on the server's port too."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.2", server.port))
        listening.listen()
        listening.setblocking(False)
        yield
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_the_next_address_is_tried_when_one_refuses(secret: SecretDocument) -> None:
    with log_in(secret, resolver=resolving_to("127.0.0.3", "127.0.0.1")) as session:
        session.check()


def test_the_last_address_has_the_last_word(secret: SecretDocument) -> None:
    refused_login(PortClosedError, secret, resolver=resolving_to("127.0.0.4", "127.0.0.3"))


@pytest.mark.usefixtures("second_address_is_never_called")
def test_a_refused_password_is_tried_once_whatever_the_number_of_addresses(
    secret: SecretDocument, server: PostgresServer
) -> None:
    before = log_of(server).count("FATAL")
    refused_login(
        LoginRefusedError, secret.changed(password=new_password()), resolver=resolving_to("127.0.0.1", "127.0.0.2")
    )
    assert log_of(server).count("FATAL") == before + 1


@pytest.mark.usefixtures("second_address_is_never_called")
def test_an_address_that_answers_is_not_followed_by_another(secret: SecretDocument) -> None:
    with log_in(secret, resolver=resolving_to("127.0.0.1", "127.0.0.2")) as session:
        session.check()


def test_one_address_that_swallows_packets_leaves_time_for_the_next(secret: SecretDocument) -> None:
    with peers.packets_swallowed() as port:
        refused_login(
            PortClosedError, secret.changed(port=port), seconds=6.5, resolver=resolving_to("127.0.0.1", "127.0.0.3")
        )


def test_a_dns_that_does_not_answer_is_not_waited_for_for_ever(secret: SecretDocument) -> None:
    released = threading.Event()

    def silent(*_: Any, **__: Any) -> list[Any]:
        released.wait()
        return []

    try:
        with deadline_in(2.8).enforced():
            refusal = refused_login(DnsFailedError, secret, seconds=2.8, resolver=silent)
        assert "did not answer" in refusal.message
    finally:
        released.set()
