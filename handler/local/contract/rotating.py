"""The function's own engines and strategies, wired as in one invocation, with a clock that runs."""

import json
import secrets
import socket
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from pydantic import SecretStr

from rotation.aws import AwsCalls, AwsClients
from rotation.deadline import Deadline
from rotation.engines import engine_for
from rotation.engines.invocation import Invocation, Resolver
from rotation.errors import RotationError
from rotation.models import Login, SecretDocument
from rotation.passwords import new_password as composed_password
from rotation.protocols import Engine, EngineTraits, Session
from rotation.settings import PasswordSettings, Settings
from rotation.step_record import StepRecord
from rotation.strategies.change import Change, Creation, Strategy, login_of
from rotation.tracing import Tracing

Kind = type[RotationError] | tuple[type[RotationError], ...]
clients: dict[str, Any] = {}
"""What takes the place of AWS's clients, by service: for targets that are reached through AWS's API."""
PATIENCE = 20.0
"""Seconds an invocation has left when a test does not care."""
CUSTOM_ENGINES: dict[str, str] = {}
"""Engines that are not of this project, by name; test modules enter theirs by `Setup`."""
HTTP_TARGETS: dict[str, Any] = {}
"""What the stack declares of services that make keys, by name."""


def document(keys: Mapping[str, Any], **more: Any) -> SecretDocument:
    """A secret with these keys."""
    return SecretDocument.parse(json.dumps({**keys, **more}), "test's")


def new_password() -> str:
    return secrets.token_urlsafe(24)


def fitting_password(traits: EngineTraits) -> SecretStr:
    """As createSecret makes it by default."""
    return composed_password(PasswordSettings(), traits)


def new_name(stem: str = "app") -> str:
    """A user name that no other test has."""
    return f"{stem}_{secrets.token_hex(4)}"


def new_rotation_id() -> str:
    return str(uuid.uuid4())


def deadline_in(seconds: float) -> Deadline:
    end = time.monotonic() + seconds
    return Deadline(lambda: int((end - time.monotonic()) * 1000), reserve_seconds=0.0)


def new_record() -> StepRecord:
    return StepRecord(Logger(service="contract", level="CRITICAL"), Tracing("contract"))


def settings_with(ca_bundle: str | None = None) -> Settings:
    given = {"IDEMPOTENCY_TABLE": "none", "TLS_CA_BUNDLE": ca_bundle, "CUSTOM_ENGINES": CUSTOM_ENGINES}
    return Settings.model_validate({**given, "HTTP_TARGETS": json.dumps(HTTP_TARGETS)})


def invocation(
    seconds: float = PATIENCE, ca_bundle: str | None = None, resolver: Resolver = socket.getaddrinfo
) -> Invocation:
    """An invocation that has so many seconds left; a resolver takes the place of DNS."""
    record = new_record()

    def calls(service: str) -> AwsCalls:
        if (client := clients.get(service)) is not None:
            return AwsCalls(service, client, record)
        return AwsClients().calls(service, record)

    return Invocation(settings_with(ca_bundle), deadline_in(seconds), record, calls, resolver)


def engine_of(
    secret: SecretDocument,
    seconds: float = PATIENCE,
    ca_bundle: str | None = None,
    resolver: Resolver = socket.getaddrinfo,
) -> Engine:
    """The engine that the secret names, from the registry."""
    return engine_for(invocation(seconds, ca_bundle, resolver))(secret)


def log_in(
    secret: SecretDocument,
    seconds: float = PATIENCE,
    *,
    ca_bundle: str | None = None,
    resolver: Resolver = socket.getaddrinfo,
) -> AbstractContextManager[Session]:
    """Log in as the secret says; a resolver takes the place of DNS."""
    engine = engine_of(secret, seconds, ca_bundle, resolver)
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
def refused(kind: Kind, *secret_texts: str) -> Iterator[Refusal]:
    """The block fails with exactly this class, and nothing secret stands in what an operator or a log sees of it.

    Of a tuple, one of its classes.
    """
    refusal = Refusal()
    with pytest.raises(RotationError) as caught:
        yield refusal
    seen = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert type(caught.value) in (kind if isinstance(kind, tuple) else (kind,)), seen
    for text in (*secret_texts, "SCRAM-SHA-256$"):
        assert text not in seen
    refusal.error = caught.value


def refused_login(
    kind: Kind,
    secret: SecretDocument,
    seconds: float = PATIENCE,
    *,
    ca_bundle: str | None = None,
    resolver: Resolver = socket.getaddrinfo,
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
    ca_bundle: str | None = None
    previous: SecretDocument | None = None
    unlabelled: Sequence[SecretDocument] = ()
    pending: SecretDocument = field(init=False)
    rotation_id: str = field(default_factory=new_rotation_id)

    def create(self) -> SecretDocument:
        """CreateSecret of a new rotation."""
        self.rotation_id = new_rotation_id()
        return self.create_again()

    def create_again(self) -> SecretDocument:
        """CreateSecret of the same rotation."""
        self.pending = self.strategy.next_document(self.creation())
        return self.pending

    def creation(self) -> Creation:
        """What createSecret has to make the next document of."""
        return Creation(
            engine=engine_of(self.current, ca_bundle=self.ca_bundle),
            current=self.current,
            previous=lambda: self.previous,
            unlabelled=lambda: self.unlabelled,
            superusers=OneSuperuser(self.superuser),
            rotation_id=self.rotation_id,
            new_password=fitting_password,
        )

    def set(self, *, remembered: bool = False) -> str:
        """setSecret; gives the label of the credential that was accepted before."""
        change = self.change(remembered=remembered)
        self.strategy.check_user(self.current, self.pending, change.engine.traits)
        return self.strategy.set_pending(change)

    def change(self, *, remembered: bool = False) -> Change:
        """What setSecret is to do."""
        return Change(
            engine=engine_of(self.current, ca_bundle=self.ca_bundle),
            current=self.current,
            pending=self.pending,
            previous=lambda: self.previous,
            unlabelled=lambda: self.unlabelled,
            superusers=OneSuperuser(self.superuser),
            rotation_id=self.rotation_id,
            pending_first=remembered,
            pauses=self.pauses,
        )

    def pauses(self, at_most: float) -> Iterator[None]:
        """As many as tests need, and no time in them."""
        return iter([None] * (10 if at_most else 0))

    def test_and_finish(self) -> SecretDocument:
        """TestSecret and finishSecret."""
        with log_in(self.pending, ca_bundle=self.ca_bundle) as session:
            session.check()
        self.previous, self.current = self.current, self.pending
        return self.current

    def rotate(self) -> SecretDocument:
        """All four steps; gives the new AWSCURRENT."""
        self.create()
        self.set()
        return self.test_and_finish()
