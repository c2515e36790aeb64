"""The function's own engines and strategies, wired as in one invocation, with a clock that runs."""

import json
import secrets
import socket
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from pydantic import SecretStr

from rotation.deadline import Deadline
from rotation.engines import engine_for
from rotation.engines.name_resolution import Resolver
from rotation.engines.postgres import PostgresEngine
from rotation.errors import RotationError
from rotation.models import Login, SecretDocument
from rotation.protocols import Engine, Session
from rotation.settings import Settings
from rotation.step_record import StepRecord
from rotation.strategies.change import Change, Strategy, login_of
from rotation.tracing import Tracing

PATIENCE = 20.0
"""Seconds an invocation has left when a test does not care."""


def document(keys: Mapping[str, Any], **more: Any) -> SecretDocument:
    """A secret with these keys."""
    return SecretDocument.parse(json.dumps({**keys, **more}), "test's")


def new_password() -> str:
    return secrets.token_urlsafe(24)


def new_name(stem: str = "app") -> str:
    """A user name that no other test has."""
    return f"{stem}_{secrets.token_hex(4)}"


def deadline_in(seconds: float) -> Deadline:
    end = time.monotonic() + seconds
    return Deadline(lambda: int((end - time.monotonic()) * 1000), reserve_seconds=0.0)


def new_record() -> StepRecord:
    return StepRecord(Logger(service="contract", level="CRITICAL"), Tracing("contract"))


def settings_with(ca_bundle: str | None = None) -> Settings:
    return Settings.model_validate({"IDEMPOTENCY_TABLE": "none", "TLS_CA_BUNDLE": ca_bundle})


def engine_of(secret: SecretDocument, seconds: float = PATIENCE, ca_bundle: str | None = None) -> Engine:
    """The engine that the secret names, from the registry."""
    return engine_for(settings_with(ca_bundle), deadline_in(seconds), new_record())(secret)


def log_in(
    secret: SecretDocument, seconds: float = PATIENCE, *, ca_bundle: str | None = None, resolver: Resolver | None = None
) -> AbstractContextManager[Session]:
    """Log in as the secret says; a resolver takes the place of DNS."""
    if resolver is None:
        engine = engine_of(secret, seconds, ca_bundle)
    else:
        engine = PostgresEngine(settings_with(ca_bundle), deadline_in(seconds), new_record(), resolver)
    return engine.log_in(login_of(secret, engine.traits))


def resolving_to(*addresses: str) -> Resolver:
    """A DNS that gives these addresses for every name."""

    def answer(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return answer


@dataclass
class Refusal:
    """How a block failed."""

    error: RotationError | None = None

    @property
    def message(self) -> str:
        assert self.error is not None
        return self.error.message


@contextmanager
def refused(kind: type[RotationError], *secret_texts: str) -> Iterator[Refusal]:
    """The block fails with exactly this class, and nothing secret stands in what an operator or a log sees of it."""
    refusal = Refusal()
    with pytest.raises(RotationError) as caught:
        yield refusal
    seen = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert type(caught.value) is kind, seen
    for text in (*secret_texts, "SCRAM-SHA-256$"):
        assert text not in seen
    refusal.error = caught.value


def refused_login(
    kind: type[RotationError],
    secret: SecretDocument,
    seconds: float = PATIENCE,
    *,
    ca_bundle: str | None = None,
    resolver: Resolver | None = None,
) -> Refusal:
    """The login fails with exactly this class, without a word about the password."""
    with refused(kind, password_of(secret)) as refusal, log_in(secret, seconds, ca_bundle=ca_bundle, resolver=resolver):
        pytest.fail("the login was accepted")
    return refusal


def password_of(secret: SecretDocument) -> str:
    return secret.fields.password.get_secret_value()


@dataclass
class OneSuperuser:
    """The superuser of the one server there is."""

    secret: SecretDocument

    def login_for(self, document: SecretDocument) -> Login:
        return login_of(self.secret, engine_of(document).traits)


@dataclass
class SecretInRotation:
    """A secret at AWSCURRENT, rotated by a strategy as the steps do it."""

    strategy: Strategy
    current: SecretDocument
    superuser: SecretDocument
    previous: SecretDocument | None = None
    pending: SecretDocument = field(init=False)

    def create(self) -> SecretDocument:
        """createSecret."""
        password = SecretStr(new_password())
        self.pending = self.strategy.next_document(self.current, password, engine_of(self.current).traits)
        return self.pending

    def set(self, *, remembered: bool = False) -> str:
        """setSecret; gives the label of the credential that was accepted before."""
        engine = engine_of(self.current)
        self.strategy.check_user(self.current, self.pending, engine.traits)
        return self.strategy.set_pending(
            Change(
                engine=engine,
                current=self.current,
                pending=self.pending,
                previous=lambda: self.previous,
                superusers=OneSuperuser(self.superuser),
                pending_first=remembered,
            )
        )

    def test_and_finish(self) -> SecretDocument:
        """testSecret and finishSecret."""
        with log_in(self.pending) as session:
            session.check()
        self.previous, self.current = self.current, self.pending
        return self.current

    def rotate(self) -> SecretDocument:
        """All four steps; gives the new AWSCURRENT."""
        self.create()
        self.set()
        return self.test_and_finish()
