"""What all strategies share: the contract, and finding out which credential the target accepts today."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from rotation.errors import CredentialUnknownError, LoginRefusedError, SecretMalformedError, TargetMismatchError
from rotation.models import CURRENT, PENDING, PREVIOUS, Login, SecretDocument
from rotation.protocols import Engine, EngineTraits, Session, Superusers
from rotation.settings import StrategyName

UNLABELLED = "unlabelled"
"""Stands for a staging label where a version has none."""
_OVER = object()


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a strategy works with, whatever it is to do.

    Attributes:
        previous: Fetches the AWSPREVIOUS document on demand; few rotations need it.
        unlabelled: Fetches documents that have lost their labels, when nothing else helps: a label may have been taken by
            hand from the very version whose password the target has, or a rotation given up that had made a key.
        rotation_id: The ClientRequestToken.
    """

    engine: Engine
    current: SecretDocument
    previous: Callable[[], SecretDocument | None]
    unlabelled: Callable[[], Iterable[SecretDocument]] = tuple
    superusers: Superusers
    rotation_id: str


@dataclass(frozen=True, kw_only=True)
class Creation(Work):
    """What createSecret has to make the next document of.

    Attributes:
        new_password: Makes a password that fits the engine.
    """

    new_password: Callable[[EngineTraits], SecretStr]


@dataclass(frozen=True, kw_only=True)
class Change(Work):
    """The change of credential that setSecret is to make.

    Attributes:
        pending_first: An earlier run is remembered to have made the change: try its result before the old login, so that
            a repetition does not produce refused logins, which a server may count against the user.
        pauses: Pauses between tries, for that many seconds in all if the invocation's deadline allows it.
    """

    pending: SecretDocument
    pending_first: bool
    pauses: Callable[[float], Iterator[None]]

    def candidates(self) -> Iterator[tuple[str, SecretDocument]]:
        """Staging labels and documents whose logins are worth trying, likeliest first."""
        known = [(CURRENT, self.current), (PENDING, self.pending)]
        if self.engine.traits.proof_needs_host and not self.current.fields.host:
            # Nothing tells whether the pending one is set already, so it is set again.
            yield known[0]
            return
        # Where both may be valid, only a refused pending one tells that there is something to do.
        yield from reversed(known) if self.pending_first or self.engine.traits.keeps_old_password else known
        if (previous := self.previous()) is not None and self._is_ours(previous):
            yield PREVIOUS, previous
        yield from ((UNLABELLED, document) for document in self.unlabelled() if self._is_ours(document))

    def _is_ours(self, document: SecretDocument) -> bool:
        """Whether it is for this target, and for the user of AWSCURRENT or the one whose turn it is."""
        if not is_same_target(self.current, document, self.engine.traits):
            return False
        return document.fields.username in {self.current.fields.username, self.pending.fields.username}

    @contextmanager
    def accepted(self) -> Iterator[tuple[str, Session]]:
        """Log in with the first credential that the target accepts; gives its staging label and the session.

        Raises:
            CredentialUnknownError: the target accepts none.
            TargetError: a login failed for any other reason; no further one is tried then.
        """
        refused = []
        with ExitStack() as stack:
            for stage, document in self.candidates():
                try:
                    session = stack.enter_context(self.engine.log_in(login_of(document, self.engine.traits)))
                except LoginRefusedError:
                    refused.append(stage)
                    continue
                yield stage, session
                return
        fields = self.current.fields
        raise CredentialUnknownError(
            f"{fields.host} accepts none of the passwords of {', '.join(refused)} for user {fields.username}"
        )

    def is_interruption(self) -> bool:
        """Whether the target refuses AWSCURRENT now; asked only where it could have kept it."""
        if not self.engine.traits.keeps_old_password:
            return True
        try:
            with self.engine.log_in(login_of(self.current, self.engine.traits)):
                return False
        except LoginRefusedError:
            return True


class Strategy(Protocol):
    """Decides whom a new credential is for, and makes the target accept it."""

    name: StrategyName
    needs_superuser: bool
    interrupts_clients: bool
    """Whether the old credential stops working when the new one is set, unless the target can keep it: the source of a
    credential gap."""
    acts_at_creation: bool
    """Whether `next_document` changes the target."""

    def is_possible(self, traits: EngineTraits) -> bool:
        """Whether such an engine can do it."""

    def next_document(self, creation: Creation) -> SecretDocument:
        """The document that createSecret stores."""

    def take_back(self, creation: Creation, document: SecretDocument) -> None:
        """Undo what `next_document` did to the target, because another document was stored first."""

    def check_user(self, current: SecretDocument, pending: SecretDocument, traits: EngineTraits) -> None:
        """Refuse a pending document for another user than the one whose turn it is.

        Raises:
            TargetMismatchError: the users do not match.
        """

    def set_pending(self, change: Change) -> str:
        """Make the target accept the pending credential; returns the label of the credential it accepted before.

        AWSPENDING means that it was accepted already and nothing was changed.
        """


@contextmanager
def settled(engine: Engine, login: Login, pauses: Callable[[], Iterator[None]]) -> Iterator[Session]:
    """Log in with a credential that was just set, which the target may refuse for a while.

    Args:
        engine: Of the target.
        login: The new credential.
        pauses: Asked for at the first refusal; when they are over, the refusal is final.
    """
    left: Iterator[None] | None = None
    with ExitStack() as stack:
        while True:
            try:
                session = stack.enter_context(engine.log_in(login))
                break
            except LoginRefusedError:
                left = pauses() if left is None else left
                if next(left, _OVER) is _OVER:
                    raise
        yield session


def login_of(document: SecretDocument, traits: EngineTraits) -> Login:
    """The login that a document describes.

    Raises:
        SecretMalformedError: the key host is missing, and the engine needs it.
    """
    fields = document.fields
    if not fields.host and traits.needs_host:
        raise SecretMalformedError("the key host is missing")
    return Login(
        host=fields.host or "",
        port=fields.port or traits.default_port,
        dbname=fields.dbname,
        username=fields.username,
        password=fields.password,
        tls=fields.ssl is not False,
        tls_server_name=fields.tls_server_name,
        document=document.keys,
    )


def check_same_target(current: SecretDocument, pending: SecretDocument, traits: EngineTraits) -> None:
    """A secret must not be usable to change a password elsewhere (confused deputy).

    Raises:
        TargetMismatchError: engine, host, port or user_arn differ.
    """
    for key, mine, theirs in (
        ("engine", current.fields.engine, pending.fields.engine),
        ("host", current.fields.host, pending.fields.host),
        ("user_arn", current.fields.user_arn, pending.fields.user_arn),
        ("port", current.fields.port or traits.default_port, pending.fields.port or traits.default_port),
    ):
        if mine != theirs:
            raise TargetMismatchError(f"{key} differs between AWSCURRENT and AWSPENDING")


def check_same_user(current: SecretDocument, pending: SecretDocument) -> None:
    """Refuse a pending document for another user.

    Raises:
        TargetMismatchError: the users differ.
    """
    if current.fields.username != pending.fields.username:
        raise TargetMismatchError("username differs between AWSCURRENT and AWSPENDING")


def is_same_target(one: SecretDocument, other: SecretDocument, traits: EngineTraits) -> bool:
    """Whether engine, host and port are the same."""
    try:
        check_same_target(one, other, traits)
    except TargetMismatchError:
        return False
    return True
