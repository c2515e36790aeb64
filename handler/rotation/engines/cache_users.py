"""Users of ElastiCache and of MemoryDB, whose passwords are set through AWS's API.

The secret is AWS's own: `username`, `password` and `user_arn`. A user holds two passwords, so no client is cut off.

The API sets passwords but checks none. If the secret also names the `host` of a cache, every login is a real one there
(with redis-py, which then has to be built in). Without it, nothing proves that AWSCURRENT opens anything: the user that
`user_arn` names must have the secret's user name and a password, the new password is set whatever the old one is, and
testSecret shows that AWS has brought the change to all caches, not that the password is right. Such steps carry
`"login_checked": false` in their log line. What the function may touch then is bounded by its role alone (CacheUserArns).

Sources: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/User-Secrets-Manager.html,
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html,
https://docs.aws.amazon.com/memorydb/latest/devguide/clusters.acls.html
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import SecretStr

from rotation.aws import AwsCalls
from rotation.engines import require_driver
from rotation.engines.invocation import Invocation
from rotation.engines.redis import RedisEngine
from rotation.errors import (
    AccessDeniedError,
    AuthenticationUnsafeError,
    LoginRefusedError,
    PrivilegeMissingError,
    RotationError,
    SecretMalformedError,
    TargetMismatchError,
    TargetNotReadyError,
)
from rotation.models import Login
from rotation.protocols import EngineTraits, Session

_LONGEST_CHANGE_SECONDS = 600.0
"""What AWS's own function waits for a change to reach all caches."""
_ACTIVE = "active"
_OVER = object()


@dataclass(frozen=True)
class CacheUser:
    """A user as AWS describes it."""

    arn: str
    name: str
    status: str
    authentication: str


class CacheUsersEngine(ABC):
    """Logs in to a user of one service for one invocation."""

    traits = EngineTraits(
        default_port=RedisEngine.traits.default_port,
        max_username_bytes=120,
        min_password_length=16,
        max_password_length=128,
        excluded_characters=',"/@',
        needs_host=False,
        has_clones=False,
        has_superusers=False,
        keeps_old_password=True,
        proof_needs_host=True,
        settles_within_seconds=_LONGEST_CHANGE_SECONDS,
    )
    service: ClassVar[str]
    arn_pattern: ClassVar[re.Pattern[str]]
    """Of which the first group is what the API knows the user by."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Find the user, and log in at the cache if the secret names one.

        A refusal counts once no change is under way: until then the cache may have to learn of the password.
        """
        arn = str(login.document.get("user_arn") or "")
        if (match := self.arn_pattern.fullmatch(arn)) is None:
            raise SecretMalformedError(f"the key user_arn is no ARN of a user of {self.service}")
        user = CacheUserSession(self, match[1], arn, login.username)
        is_active = user.look().status == _ACTIVE
        if not login.host:
            self.invocation.record.note(login_checked=False)
            yield user
            return
        require_driver("redis", f"{self.service} with the key host")
        engine = RedisEngine(self.invocation)
        with ExitStack() as stack:
            try:
                user.cache = stack.enter_context(engine.log_in(login))
            except LoginRefusedError:
                if is_active:
                    raise
                user.wait_until_active()
                user.cache = stack.enter_context(engine.log_in(login))
            yield user

    def call(self, operation: str, *, expected: type[RotationError] | tuple[()] = (), **parameters: Any) -> dict[str, Any]:
        """Call the service.

        Raises:
            AccessDeniedError: with a next step that fits.
            RotationError: as `AwsCalls` raises it.
        """
        calls: AwsCalls = self.invocation.aws(self.service)
        try:
            return calls(operation, expected=expected, **parameters)
        except AccessDeniedError as error:
            raise AccessDeniedError(
                error.message, remedy="Add the user's ARN to the stack's parameter CacheUserArns."
            ) from None

    @abstractmethod
    def describe(self, key: str) -> CacheUser:
        """The user as it is now.

        Raises:
            TargetMismatchError: there is none.
        """

    @abstractmethod
    def set_passwords(self, key: str, passwords: Sequence[str]) -> None:
        """Begin to replace all passwords by these.

        Raises:
            TargetBusyError: an earlier change is under way.
        """


class CacheUserSession:
    """What is done to one user, as itself.

    Attributes:
        cache: The session at the cache, if the secret names one.
    """

    def __init__(self, engine: CacheUsersEngine, key: str, arn: str, username: str) -> None:
        self.cache: Session | None = None
        self._engine = engine
        self._key = key
        self._arn = arn
        self._username = username

    def look(self) -> CacheUser:
        """The user as it is now, if it is the one of the secret.

        Raises:
            TargetMismatchError: it is not: a secret must not be usable to change somebody else's password.
            AuthenticationUnsafeError: it needs no password.
        """
        try:
            user = self._engine.describe(self._key)
        except TargetMismatchError as error:
            raise TargetMismatchError(error.message, remedy="Correct user_arn in the secret, or create the user.") from None
        if user.arn != self._arn or user.name != self._username:
            raise TargetMismatchError(
                f"the user that user_arn names is not {self._username}",
                remedy="Let username and user_arn name the same user, of this account and region.",
            )
        if user.authentication == "no-password":
            raise AuthenticationUnsafeError(
                f"the user {self._username} needs no password",
                remedy="Give the user a password, and store it in the secret.",
            )
        if user.authentication != "password":
            raise TargetMismatchError(
                f"the user {self._username} does not log in with a password",
                remedy="Users who authenticate by IAM have nothing to rotate: use another user, or detach the secret.",
            )
        return user

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Let AWS replace the passwords; when they are at all caches, `check` tells."""
        if username != self._username:
            raise PrivilegeMissingError(
                f"the session of {self._username} may not set the password of {username}",
                remedy="A cache user's password is set through its own secret.",
            )
        self.wait_until_active()
        both = [each.get_secret_value() for each in (keep, password) if each is not None]
        self._engine.set_passwords(self._key, list(dict.fromkeys(both)))

    def provide_clone(self, owner: str, clone: str) -> None:
        raise PrivilegeMissingError("cache users have no clones", remedy="Choose the strategy single-user.")

    def check(self) -> None:
        """Wait until all caches know the user as it is, then use the session at the secret's cache if there is one."""
        self.wait_until_active()
        if self.cache is not None:
            self.cache.check()

    def wait_until_active(self) -> None:
        """As long as AWS's own function does, or as the invocation lasts.

        Raises:
            TargetNotReadyError: the time is up.
        """
        pauses = self._engine.invocation.deadline.pauses(_LONGEST_CHANGE_SECONDS)
        while self.look().status != _ACTIVE:
            if next(pauses, _OVER) is _OVER:
                raise TargetNotReadyError(
                    f"the user {self._username} is being changed and not active yet",
                    remedy="The step can be repeated. A change may take AWS minutes: raise the parameter Timeout to 900.",
                )


class ElastiCacheEngine(CacheUsersEngine):
    """Users of ElastiCache; they are known by an id, and several may have one name."""

    service = "elasticache"
    arn_pattern = re.compile(r"arn:[a-z-]+:elasticache:[a-z0-9-]+:\d{12}:user:([a-zA-Z][a-zA-Z0-9-]*)")

    def describe(self, key: str) -> CacheUser:
        answer = self.call("describe_users", expected=TargetMismatchError, UserId=key)
        return _described(answer, "UserName")

    def set_passwords(self, key: str, passwords: Sequence[str]) -> None:
        self.call("modify_user", UserId=key, Passwords=passwords)


class MemoryDbEngine(CacheUsersEngine):
    """Users of MemoryDB; they are known by their name."""

    service = "memorydb"
    arn_pattern = re.compile(r"arn:[a-z-]+:memorydb:[a-z0-9-]+:\d{12}:user/([a-zA-Z][a-zA-Z0-9-]*)")

    def describe(self, key: str) -> CacheUser:
        answer = self.call("describe_users", expected=TargetMismatchError, UserName=key)
        return _described(answer, "Name")

    def set_passwords(self, key: str, passwords: Sequence[str]) -> None:
        self.call("update_user", UserName=key, AuthenticationMode={"Type": "password", "Passwords": passwords})


def _described(answer: Mapping[str, Any], name_key: str) -> CacheUser:
    if not answer["Users"]:
        raise TargetMismatchError("AWS knows no such user")
    user = answer["Users"][0]
    return CacheUser(user["ARN"], user[name_key], user["Status"], user["Authentication"]["Type"])
