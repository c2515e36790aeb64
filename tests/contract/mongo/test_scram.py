"""The proof of a password, by the specification's own conversations: a server shows only that it works."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from rotation.engines.mongo_scram import SHA_1, SHA_256, Scram, strongest
from rotation.errors import AuthenticationUnsafeError, SecretMalformedError

# https://github.com/mongodb/specifications/blob/master/source/auth/auth.md and, for SHA-256, RFC 7677.
CONVERSATIONS = {
    SHA_1: (
        "fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=10000",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,p=MC2T8BvbmWRckDw8oWl5IVghwCY=",
        "v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0=",
    ),
    SHA_256: (
        "rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}
NONCE, CHALLENGE, PROOF, SIGNATURE = CONVERSATIONS[SHA_256]


class StubServer:
    """Says what it is told to, and remembers what it heard."""

    def __init__(self, *payloads: str, done: tuple[bool, ...] = (False, True)) -> None:
        self.heard: list[str] = []
        self.commands: list[Mapping[str, Any]] = []
        self._answers = [
            {"conversationId": 7, "payload": payload.encode(), "done": is_done}
            for payload, is_done in zip(payloads, done, strict=True)
        ]

    def __call__(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        self.commands.append(command)
        self.heard.append(command["payload"].decode())
        return self._answers.pop(0)


def log_in(server: StubServer, mechanism: str = SHA_256, username: str = "user", password: str = "pencil") -> None:
    Scram(mechanism, username, SecretStr(password)).log_in(server, CONVERSATIONS[mechanism][0])


@pytest.mark.parametrize("mechanism", CONVERSATIONS)
def test_the_specifications_conversation(mechanism: str) -> None:
    nonce, challenge, proof, signature = CONVERSATIONS[mechanism]
    server = StubServer(challenge, signature)
    log_in(server, mechanism)
    assert server.heard == [f"n,,n=user,r={nonce}", proof]
    assert server.commands[0]["mechanism"] == mechanism
    assert server.commands[1]["conversationId"] == 7


def test_an_old_server_gets_the_empty_message_that_it_waits_for() -> None:
    server = StubServer(CHALLENGE, SIGNATURE, "", done=(False, False, True))
    log_in(server)
    assert server.heard[2] == ""


def test_a_login_that_does_not_end_is_none() -> None:
    with pytest.raises(AuthenticationUnsafeError):
        log_in(StubServer(CHALLENGE, SIGNATURE, "", done=(False, False, False)))


def test_no_two_logins_say_the_same() -> None:
    heard = set()
    for _ in range(2):
        server = StubServer("", done=(False,))
        with pytest.raises(AuthenticationUnsafeError):
            Scram(SHA_256, "user", SecretStr("pencil")).log_in(server)
        heard.add(server.heard[0])
    assert len(heard) == 2


@pytest.mark.parametrize(
    "challenge",
    {
        "a nonce of its own": CHALLENGE.replace("r=rOpr", "r=xOpr"),
        "too few rounds": CHALLENGE.replace("i=4096", "i=4095"),
        "too many rounds": CHALLENGE.replace("i=4096", "i=1000001"),
        "no rounds": CHALLENGE.removesuffix(",i=4096"),
        "rounds that are no number": CHALLENGE.replace("i=4096", "i=many"),
        "no salt": CHALLENGE.replace("s=", "x="),
        "salt that is no base64": CHALLENGE.replace("s=W22", "s=W2"),
        "nothing": "",
    }.items(),
    ids=lambda item: item[0],
)
def test_the_password_is_not_used_on_an_unsafe_challenge(challenge: tuple[str, str]) -> None:
    server = StubServer(challenge[1], done=(False,))
    with pytest.raises(AuthenticationUnsafeError):
        log_in(server)
    assert len(server.heard) == 1


@pytest.mark.parametrize("signature", [CONVERSATIONS[SHA_1][3], "v=", "", "e=other-error"])
def test_a_server_that_does_not_know_the_password_is_not_believed(signature: str) -> None:
    with pytest.raises(AuthenticationUnsafeError):
        log_in(StubServer(CHALLENGE, signature))


def test_a_name_cannot_be_taken_for_another_part_of_the_message() -> None:
    server = StubServer("", done=(False,))
    with pytest.raises(AuthenticationUnsafeError):
        log_in(server, username="{app,b},r=x")
    assert server.heard == [f"n,,n={{app=2Cb}}=2Cr=3Dx,r={NONCE}"]


def test_passwords_are_prepared_as_other_clients_do_it() -> None:
    """The fullwidth letters are the plain ones to SASLprep, and the soft hyphen is nothing."""
    server = StubServer(CHALLENGE, SIGNATURE)
    log_in(server, password="\uff50\uff45\uff4e\u00ad\uff43\uff49\uff4c")
    assert server.heard[1] == PROOF


def test_a_password_that_cannot_be_proven_is_told_so() -> None:
    with pytest.raises(SecretMalformedError) as caught:
        log_in(StubServer(CHALLENGE, done=(False,)), password="pen\u0007cil")
    assert "pen" not in str(caught.value)


def test_the_strongest_mechanism_is_taken() -> None:
    assert strongest([SHA_1, SHA_256]) == SHA_256
    assert strongest(["PLAIN", SHA_1]) == SHA_1
    assert strongest([]) == SHA_1


@pytest.mark.parametrize("offered", [["PLAIN"], ["MONGODB-X509"], ["MONGODB-AWS", "MONGODB-CR"]])
def test_nothing_weaker_is_taken(offered: list[str]) -> None:
    with pytest.raises(AuthenticationUnsafeError):
        strongest(offered)
