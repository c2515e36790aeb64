"""What the demo and the contract suite need of a real server. Nothing here goes through the code under test."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from local.server_process import TlsFiles
from rotation.errors import RotationError
from rotation.models import SecretDocument


class Target(Protocol):
    """A server that checks passwords, and writes into its log as much as it can be made to.

    Attributes:
        title: Product and version, known once it runs.
        is_transactional: Whether a session that fails leaves nothing behind.
        barring: What `bar` does, as a sentence that begins with "somebody".
        unbarring: What `unbar` does, as a sentence.
        barred_as: What the engine makes of a login by a barred user.
    """

    title: str
    is_transactional: ClassVar[bool]
    barring: ClassVar[str]
    unbarring: ClassVar[str]
    barred_as: ClassVar[type[RotationError]]

    def __init__(self, tls: TlsFiles | None = None) -> None:
        """Plan a server; with a certificate it speaks TLS."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @property
    def keys(self) -> Mapping[str, Any]:
        """The keys of a secret that lead to the server: all but engine, user name and password."""

    @property
    def superuser(self) -> tuple[str, str]:
        """User name and password."""

    def create_user(self, name: str, password: str) -> None: ...

    def users(self) -> set[str]: ...

    def refusal(self, name: str, password: str) -> str | None:
        """What the server answers to a login that it refuses for its credentials; None if it accepts.

        The answer quotes no password. Any other failure is raised.
        """

    def bar(self, name: str) -> None:
        """Keep a user from logging in, as an administrator would."""

    def unbar(self, name: str) -> None: ...

    def log(self) -> str:
        """All that the server has written up to now."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def freeze(self) -> None:
        """Let it answer nobody."""

    def thaw(self) -> None: ...


class WithSessions(Target, Protocol):
    """A target whose clients stay connected."""

    def session(self, secret: SecretDocument) -> AbstractContextManager[Callable[[], object]]:
        """An application's open session, as a function that uses it and fails if it is gone."""

    def end_sessions(self, name: str) -> None:
        """Throw the user out."""


class WithRights(Target, Protocol):
    """A target whose users differ in what they may do."""

    def give_rights(self, name: str) -> None:
        """Give a user one of everything that a user can have: grants, roles, limits, demands on its connections."""

    def rights(self, name: str) -> object:
        """All of that, as it can be compared between users, by the names of neither."""

    def use_rights(self, secret: SecretDocument) -> None:
        """Do what only a user with these rights may; fails if it may not."""


@runtime_checkable
class WithOwners(Target, Protocol):
    """A target where what a user makes belongs to it."""

    def create_object(self, secret: SecretDocument, name: str) -> None:
        """Make something, such as a table."""

    def change_object(self, secret: SecretDocument, name: str) -> None:
        """Do to it what only its owner may."""


class WithLocks(Target, Protocol):
    """A target on which a user may be locked by somebody's transaction."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Keep others from changing the user."""


class WithPolicy(Target, Protocol):
    """A target that can be particular about passwords."""

    def policy(self) -> AbstractContextManager[None]:
        """Refuse every new password, because it is too weak, for example."""
