"""SCRAM, by which both sides prove that they know the password and neither tells it.

The client side of RFC 5802 and, with SHA-256, of RFC 7677, as MongoDB carries it in `saslStart` and `saslContinue`. The
stronger mechanism that the user has is taken; SHA-1 remains for users of DocumentDB who have no other. Mechanisms that send
the password itself (`PLAIN`) or need none are refused.

Source: https://github.com/mongodb/specifications/blob/master/source/auth/auth.md
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from rotation.errors import AuthenticationUnsafeError, SecretMalformedError

SHA_256, SHA_1 = "SCRAM-SHA-256", "SCRAM-SHA-1"
SCRAMS = (SHA_256, SHA_1)
"""The strongest first."""
_DIGESTS = {SHA_256: "sha256", SHA_1: "sha1"}
_LEAST_ROUNDS, _MOST_ROUNDS = 4096, 1_000_000
"""What the specification allows at least, and what a server cannot use to keep the function busy."""
_HEADER = "n,,"
"""No binding to the TLS channel: MongoDB knows none."""

Send = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Sends a command and gives the answer, or raises."""


@dataclass(frozen=True)
class Scram:
    """One user's password, to be proven by one mechanism."""

    mechanism: str
    username: str
    password: SecretStr

    def log_in(self, send: Send, nonce: str | None = None) -> None:
        """Prove the password to the server, and let the server prove it too.

        Args:
            send: Whatever it raises is passed on.
            nonce: Takes the place of a random one in tests.

        Raises:
            AuthenticationUnsafeError: the server did not prove that it knows the password.
            SecretMalformedError: the password cannot be proven by this mechanism.
        """
        nonce = nonce or b64encode(secrets.token_bytes(24)).decode()
        first = f"n={self.username.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        start = {"saslStart": 1, "mechanism": self.mechanism, "payload": f"{_HEADER}{first}".encode()}
        reply = send({**start, "options": {"skipEmptyExchange": True}})
        try:
            challenge = bytes(reply["payload"]).decode()
            proof, expected = self._proof(first, challenge, nonce)
            go_on = {"saslContinue": 1, "conversationId": reply["conversationId"]}
            reply = send({**go_on, "payload": proof.encode()})
            if not hmac.compare_digest(_parts(bytes(reply["payload"]).decode())["v"].encode(), expected):
                raise AuthenticationUnsafeError("the server did not prove that it knows the password")
            if not reply["done"]:  # before MongoDB 4.4 there is one more message, without content
                reply = send({**go_on, "payload": b""})
            if not reply["done"]:
                raise AuthenticationUnsafeError("the server does not end the login")
        except (KeyError, ValueError, TypeError):
            raise AuthenticationUnsafeError("the server's answers are none of SCRAM") from None

    def _proof(self, first: str, challenge: str, nonce: str) -> tuple[str, bytes]:
        """The client's last message, and the signature that the server has to answer with."""
        parts = _parts(challenge)
        rounds, salt, server_nonce = int(parts["i"]), b64decode(parts["s"]), parts["r"]
        if not server_nonce.startswith(nonce) or not _LEAST_ROUNDS <= rounds <= _MOST_ROUNDS:
            raise AuthenticationUnsafeError("the server's challenge is not as safe as SCRAM demands")
        digest = _DIGESTS[self.mechanism]
        key = hashlib.pbkdf2_hmac(digest, self._prepared(), salt, rounds)
        client_key = hmac.digest(key, b"Client Key", digest)
        stored_key = hashlib.new(digest, client_key).digest()
        last = f"c={b64encode(_HEADER.encode()).decode()},r={server_nonce}"
        conversation = f"{first},{challenge},{last}".encode()
        signature = hmac.digest(stored_key, conversation, digest)
        proof = bytes(mine ^ theirs for mine, theirs in zip(client_key, signature, strict=True))
        server_key = hmac.digest(key, b"Server Key", digest)
        return f"{last},p={b64encode(proof).decode()}", b64encode(hmac.digest(server_key, conversation, digest))

    def _prepared(self) -> bytes:
        """What the mechanism makes of the password before it is hashed."""
        password = self.password.get_secret_value()
        if self.mechanism == SHA_1:
            # MongoDB's own step, from the time before SCRAM. It is not what protects the password.
            return hashlib.md5(f"{self.username}:mongo:{password}".encode(), usedforsecurity=False).hexdigest().encode()
        if password.isascii() and password.isprintable():
            return password.encode()
        from pymongo.saslprep import saslprep

        try:
            return str(saslprep(password)).encode()
        except ValueError:
            raise SecretMalformedError("the key password holds characters that SCRAM-SHA-256 does not allow") from None


def strongest(offered: Iterable[str]) -> str:
    """The mechanism to log in by, out of those that the server names for the user.

    Servers that name none (before MongoDB 4.0 and DocumentDB 5.0.1) know SHA-1 only.

    Raises:
        AuthenticationUnsafeError: none of them is a SCRAM.
    """
    offered = list(offered) or [SHA_1]
    for mechanism in SCRAMS:
        if mechanism in offered:
            return mechanism
    raise AuthenticationUnsafeError("the server offers no SCRAM for the user")


def _parts(message: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.split(",") if "=" in part)
