"""The ports of the core: what a target engine and the secret store must do, whoever does it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from rotation.models import Login, SecretDescription, SecretDocument, SecretVersion


@dataclass(frozen=True)
class EngineTraits:
    """Variation between engines that is data.

    Attributes:
        default_port: Used when the secret names none.
        max_username_bytes: Longest user name in UTF-8 bytes.
        max_password_length: Longest password in characters.
    """

    default_port: int
    max_username_bytes: int
    max_password_length: int


class Session(Protocol):
    """A login that the target accepted. What is done through it takes effect together, or not at all."""

    def set_password(self, username: str, password: SecretStr) -> None:
        """Give a user (the session's own, or another) a new password; repeatable.

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


class Engine(Protocol):
    """One kind of target.

    Implementations translate every error of their driver into the tree under `TargetError`, and bound every wait by the
    invocation's deadline.
    """

    traits: EngineTraits

    def log_in(self, login: Login) -> AbstractContextManager[Session]:
        """Log in with exactly this credential; leaving the block without error makes its effects permanent.

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
