"""What is said to Redis: the login, and the commands of its access control lists.

Source: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

import hashlib
import secrets
import socket
from typing import Any, NoReturn, Self

import redis
from pydantic import SecretStr
from redis._parsers import _RESP3Parser
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.retry import Retry

from rotation.engines.invocation import Invocation
from rotation.engines.redis_errors import code_of, login_error, statement_error
from rotation.engines.redis_users import User, marker_of, users_in
from rotation.errors import (
    AuthenticationUnsafeError,
    PrivilegeMissingError,
    StatementRejectedError,
    TargetMismatchError,
    TargetReadOnlyError,
)
from rotation.models import Login

_SAVE_USERS = ("ACL", "SAVE")
_SAVE_CONFIGURATION = ("CONFIG", "REWRITE")
_NO_ACL_FILE = "not configured to use an ACL file"
_NO_CONFIGURATION_FILE = "without a config file"
_PROBE_BYTES = 32


class _PlainParser(_RESP3Parser):
    """Leaves the server's errors as they are: the driver takes some for a lost connection, a refused password even."""

    @classmethod
    def parse_error(cls, response: str) -> redis.ResponseError:
        return redis.ResponseError(response)


class _OneConnection(Connection):
    """The driver on a socket that is connected already; where the driver would connect again, it fails."""

    def __init__(self, ready: socket.socket, **options: Any) -> None:
        self._ready: socket.socket | None = ready
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> socket.socket:
        ready, self._ready = self._ready, None
        if ready is None:
            raise ConnectionAbortedError
        return ready


class RedisSession:
    """One login."""

    def __init__(self, connection: Connection, username: str, invocation: Invocation) -> None:
        self._connection = connection
        self._username = username
        self._invocation = invocation

    @classmethod
    def begin(cls, ready: socket.socket, login: Login, invocation: Invocation) -> Self:
        """Log in on a connected socket, and make sure that the password was looked at.

        Raises:
            LoginRefusedError: user or password is wrong, or the user is switched off: Redis does not tell these apart.
            AuthenticationUnsafeError: the user has no password.
        """
        connection = _OneConnection(
            ready,
            host=login.host,
            port=login.port,
            username=login.username,
            password=login.password.get_secret_value(),
            socket_timeout=ready.gettimeout(),
            protocol=3,
            parser_class=_PlainParser,
            driver_info=None,
            retry=Retry(NoBackoff(), 0),
        )
        with invocation.call("hello"):
            try:
                connection.connect()  # type: ignore[no-untyped-call]
            except redis.RedisError as error:
                raise login_error(error, login) from None
        session = cls(connection, login.username, invocation)
        session._refuse_any_password()
        return session

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Replace all passwords by these, and store that where the server finds it after a restart, in one transaction.

        A change that a restart would undo is worse than none: the secret would hold a password that never comes back. So
        the server has to store its users once before anything is changed, and what it could not store is taken back.
        Storing writes down all users, or all of the configuration, with whatever else was changed at run time.
        """
        self._refuse_where_others_would_not_learn_of_it()
        save = self._way_to_save(username)
        new = _hash(password)
        hashes = [_hash(keep), new] if keep is not None else [new]
        self._execute("multi", "MULTI")
        self._execute("acl_setuser", "ACL", "SETUSER", username, "resetpass", *(f"#{each}" for each in hashes))
        self._execute("save", *save)
        changed, saved = self._execute("exec", "EXEC")
        if isinstance(changed, redis.ResponseError):
            raise statement_error(changed, "acl_setuser")
        if isinstance(saved, redis.ResponseError):
            self._execute("take_back", "ACL", "SETUSER", username, f"!{new}")
            raise _not_saved()

    def provide_clone(self, owner: str, clone: str) -> None:
        """Give `clone` exactly the rights of `owner`, as they are now; its passwords and whether it is on stay its own.

        Redis knows neither roles nor comments, so a clone is recognised by a selector that no command belongs to: it
        allows nothing, and names the owner. Selectors exist since Redis 7, and in every Valkey.
        """
        self._refuse_where_others_would_not_learn_of_it()
        users = users_in(self._execute("acl_list", "ACL", "LIST"))
        original, existing = users.get(owner.encode()), users.get(clone.encode())
        if original is None:
            raise TargetMismatchError(
                f"there is no user {owner}, whose alternate {clone} would be",
                remedy="A user name that ends in _clone is taken for an alternate: rename it, or choose single-user.",
            )
        if original.takes_any_password:
            raise _takes_any_password(owner)
        marker = marker_of(owner)
        if existing is not None and not existing.has_marker(marker):
            raise TargetMismatchError(
                f"the user {clone} exists and is not the alternate of {owner}",
                remedy=f"If it is meant to be: ACL SETUSER {clone} '{marker.decode()}'; else rename it.",
            )
        alternate = (existing or User.new()).with_rights_of(original, marker)
        if alternate != existing:
            self._execute("acl_setuser", "ACL", "SETUSER", clone, "reset", *alternate.rules)

    def check(self) -> None:
        """Let the server answer the user. A user may lack the right to PING; then the refusal is the answer."""
        answer = self._ask("check", "PING")
        if isinstance(answer, redis.ResponseError) and code_of(answer) != "NOPERM":
            raise statement_error(answer, "check")

    def _refuse_any_password(self) -> None:
        """Try a wrong password: a user with `nopass` takes it, and a login as that user proves nothing.

        The question needs no right, unlike all commands that tell. It leaves a line in ACL LOG, and the login as it is.
        """
        answer = self._ask("probe", "AUTH", self._username, secrets.token_hex(_PROBE_BYTES))
        if not isinstance(answer, redis.ResponseError):
            raise _takes_any_password(self._username)
        if code_of(answer) != "WRONGPASS":
            raise statement_error(answer, "probe")

    def _refuse_where_others_would_not_learn_of_it(self) -> None:
        server: dict[Any, Any] = {**(self._connection.handshake_metadata or {})}
        if server.get(b"mode") == b"cluster":
            raise StatementRejectedError(
                "the server is a node of a cluster, and no other node would learn of the change",
                remedy="Such clusters are not supported; those of ElastiCache and MemoryDB have engines of their own.",
            )
        if server.get(b"role") != b"master":
            raise TargetReadOnlyError("the server is a replica, and its primary would not learn of the change")

    def _way_to_save(self, username: str) -> tuple[str, ...]:
        """The command that stores the server's users, after it was seen to work."""
        answer = self._ask("save", *_SAVE_USERS)
        if not isinstance(answer, redis.ResponseError):
            return _SAVE_USERS
        if _NO_ACL_FILE not in str(answer):
            self._raise_not_saved(answer)
        if set(username) & {"'", '"'}:
            raise StatementRejectedError(
                "a user whose name holds quotes cannot be stored in the server's configuration: it would not start again",
                remedy="Give the server an ACL file (aclfile), or rename the user.",
            )
        answer = self._ask("save", *_SAVE_CONFIGURATION)
        if isinstance(answer, redis.ResponseError):
            if _NO_CONFIGURATION_FILE in str(answer):
                raise StatementRejectedError(
                    "the server has no file for its users, so a restart would bring the old password back",
                    remedy="Start the server with an ACL file (aclfile) or a configuration file.",
                )
            self._raise_not_saved(answer)
        return _SAVE_CONFIGURATION

    def _raise_not_saved(self, answer: redis.ResponseError) -> NoReturn:
        error = statement_error(answer, "save")
        if isinstance(error, PrivilegeMissingError) or code_of(answer) != "ERR":
            raise error
        raise _not_saved()

    def _execute(self, name: str, *command: str | bytes) -> Any:
        """The server's answer.

        Raises:
            TargetError: it is an error.
        """
        with self._invocation.call(name):
            answer = self._answer(name, *command)
            if isinstance(answer, redis.ResponseError):
                raise statement_error(answer, name)
            return answer

    def _ask(self, name: str, *command: str | bytes) -> Any:
        """The same, where an error of the server is an answer."""
        with self._invocation.call(name):
            return self._answer(name, *command)

    def _answer(self, name: str, *command: str | bytes) -> Any:
        try:
            self._connection.send_command(*command)  # type: ignore[no-untyped-call]
            return self._connection.read_response()
        except redis.ResponseError as error:
            return error
        except redis.RedisError as error:
            raise statement_error(error, name) from None


def _hash(password: SecretStr) -> str:
    return hashlib.sha256(password.get_secret_value().encode()).hexdigest()


def _takes_any_password(username: str) -> AuthenticationUnsafeError:
    return AuthenticationUnsafeError(
        f"the user {username} takes any password (nopass)",
        remedy="Give the user a password with ACL SETUSER, which ends nopass, and store it in the secret.",
    )


def _not_saved() -> StatementRejectedError:
    return StatementRejectedError(
        "the server could not store its users, so nothing was changed",
        remedy="See the server's log; the file (aclfile, or the configuration) and its folder must be writable for it.",
    )
