"""The ports of the core: what a target engine and the secret store must do, whoever does it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from rotation.errors import StatementRejectedError
from rotation.models import Login, SecretDescription, SecretDocument, SecretVersion


@dataclass(frozen=True)
class EngineTraits:
    """Variation between engines that is data.

    Attributes:
        default_port: Used when the secret names none.
        max_username_bytes: Longest user name in UTF-8 bytes.
        max_password_length: Longest password in characters.
        min_password_length: Shortest password in characters.
        excluded_characters: What the target takes in no password.
        needs_host: Whether the secret has to say where the target is.
        has_clones: Whether two users can take turns.
        has_superusers: Whether a user with more rights can set another's password.
        proof_needs_host: Whether only a login at the secret's host proves a password. Without the key host, the session is
            one that the password did not open.
        keeps_old_password: Whether the target can hold two passwords of a user, so that nobody is cut off. Whether this
            very target did is asked of itself.
        issues_credentials: Whether the target makes the credentials itself; its sessions are of the kind `Issuer`.
        settles_within_seconds: How long a login with a credential just set may still be refused.
    """

    default_port: int
    max_username_bytes: int
    max_password_length: int
    min_password_length: int = 1
    excluded_characters: str = ""
    needs_host: bool = True
    has_clones: bool = True
    has_superusers: bool = True
    proof_needs_host: bool = False
    keeps_old_password: bool = False
    issues_credentials: bool = False
    settles_within_seconds: float = 0.0


class Session(Protocol):
    """A login that the target accepted.

    Where the target knows transactions, what is done through a session takes effect together, or not at all.
    """

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Give a user (the session's own, or another) a new password; repeatable.

        Args:
            username: Whose password.
            password: The new one.
            keep: The one that clients use today: it stays valid beside the new one where the target can hold two. Any
                other stops to be; without `keep` the new one alone is valid.

        Raises:
            PrivilegeMissingError: the session may not do that.
            PasswordRefusedError: the target's policy refuses the password.
        """

    def provide_clone(self, owner: str, clone: str) -> None:
        """Make sure that `clone` exists as `owner`'s alternate: what either creates belongs to `owner`. Repeatable.

        Raises:
            TargetMismatchError: a user of the clone's name exists and is not the owner's alternate.
        """

    def check(self) -> None:
        """Use the session as an application would."""


class CredentialLimitError(StatementRejectedError):
    """The target makes no further credential before another one has ended; to an operator one refusal among others."""


class Issuer(Session, Protocol):
    """A login at a target that makes credentials itself, such as API keys."""

    @property
    def most_credentials(self) -> int | None:
        """How many the target holds for a user at a time, two at least; None if there is no limit to be minded."""

    def call_on(self, superuser: Callable[[], Login]) -> None:
        """Say who does what the session may not do itself; asked for only if the target leaves something to its superuser.

        Comes before all that follows.
        """

    def issue(self, rotation_id: str) -> Mapping[str, str]:
        """Let the target make a further credential for the session's user.

        Args:
            rotation_id: The same for every attempt of one rotation, for targets that recognise a repeated request.

        Returns:
            The keys of the secret that change, `password` among them.

        Raises:
            CredentialLimitError: the target holds `most_credentials` already.
        """

    def revoke(self, login: Login) -> None:
        """End a credential; the session's own, as the target tells them apart, stays, and one that is gone is no error."""

    def revoke_strays(self, rotation_id: str) -> None:
        """End what the target made for this rotation and nobody has stored; the session's own credential stays.

        Attempts that die between the target's answer and its storing leave such credentials behind. A target that cannot
        tell what it made for whom keeps them.
        """


class Engine(Protocol):
    """One kind of target.

    Implementations translate every error of their driver into the tree under `TargetError`, and bound every wait by the
    invocation's deadline. They are made with an `Invocation` (`rotation/engines/invocation.py`) as their only argument.
    """

    traits: EngineTraits

    def log_in(self, login: Login) -> AbstractContextManager[Session]:
        """Log in with exactly this credential; leaving the block without error makes all its effects permanent.

        Raises:
            LoginRefusedError: the target knows the user and password combination to be wrong; nothing else raises this.
            TargetError: any other failure to log in, told apart by class.
        """


class SecretStore(Protocol):
    """The secret that is being rotated, at the version that is being rotated in."""

    def describe(self) -> SecretDescription:
        """Labels, tags and rotation state as they are now."""

    def version(self, stage: str) -> SecretVersion | None:
        """The version with the staging label; None if there is none or it has no value."""

    def unlabelled(self) -> Iterator[SecretVersion]:
        """A few versions that have lost all labels and are still kept, newest first; none if they may not be listed."""

    def put_pending(self, document: SecretDocument) -> bool:
        """Give the pending version its value; False if it has a different one already, which is then kept."""

    def move_current(self, from_version: str | None) -> None:
        """Make the pending version AWSCURRENT; AWSPENDING stays, the service removes it."""


class Superusers(Protocol):
    """Finds the superuser of a secret's target."""

    def login_for(self, document: SecretDocument) -> Login:
        """The superuser's login at the primary of the server that `document` names.

        Raises:
            SuperuserUnusableError: there is none, or its secret lacks what is needed.
            TargetMismatchError: it belongs to another server.
        """


EngineFor = Callable[[SecretDocument], Engine]
"""Finds the engine a secret names; raises SecretMalformedError for an unknown one."""
