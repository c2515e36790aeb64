"""What Redis and Valkey say, in the words of `rotation/errors.py`: by the code that begins every error of theirs.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
"""

from collections.abc import Mapping

from redis import RedisError, ResponseError
from redis.exceptions import TimeoutError as DriverTimeoutError

from rotation.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    HostRefusedError,
    LoginRefusedError,
    PrivilegeMissingError,
    StatementRejectedError,
    TargetBusyError,
    TargetError,
    TargetNotReadyError,
    TargetReadOnlyError,
    TargetSaturatedError,
)
from rotation.models import Login

CODES: Mapping[str, tuple[type[TargetError], str, str | None]] = {
    "WRONGPASS": (LoginRefusedError, "user or password is wrong, or the user is off", None),
    "NOAUTH": (ConnectionLostError, "the server has ended the login", None),
    "NOPERM": (
        PrivilegeMissingError,
        "the session's user may not do that",
        "Who may set a password may do everything: leave the user as it is, and name a superuser's secret in masterarn.",
    ),
    "LOADING": (TargetNotReadyError, "the server is loading its data", None),
    "MASTERDOWN": (TargetNotReadyError, "the replica has lost its primary", None),
    "CLUSTERDOWN": (TargetNotReadyError, "the cluster is down", None),
    "READONLY": (TargetReadOnlyError, "the server is read-only", None),
    "BUSY": (TargetBusyError, "the server is busy with a script", "End it with SCRIPT KILL; the step can be repeated."),
    "TRYAGAIN": (TargetBusyError, "the cluster is moving slots", "The step can be repeated."),
    "OOM": (TargetSaturatedError, "the server is out of memory", "Raise maxmemory; the step can be repeated."),
    "DENIED": (
        HostRefusedError,
        "the server is in protected mode",
        "Give the user default a password, or let the server listen on the right address only.",
    ),
}
"""Error class, what it means, and the remedy where the class's own does not do."""

SATURATED = "max number of clients"
"""Of the answer to a client too many, which has no code of its own."""


def login_error(error: RedisError, login: Login) -> TargetError:
    """The tree's error for a failed login. The driver's text is read but never repeated."""
    if isinstance(error, DriverTimeoutError):
        return ConnectTimeoutError(f"{login.host} does not answer on port {login.port}")
    if (known := _known(error)) is not None:
        kind, what, remedy = known
        return kind(f"{login.host} refused the login of user {login.username}: {what}", remedy=remedy)
    if not isinstance(error, ResponseError):
        return ConnectionLostError(f"{login.host} closed the connection during the login")
    return StatementRejectedError(
        f"the login at {login.host} on port {login.port} failed in words that are not known",
        remedy="The server has to be Valkey, or Redis from version 6 on, with the command HELLO.",
    )


def statement_error(error: RedisError, name: str) -> TargetError:
    """The tree's error for a failed command."""
    if (known := _known(error)) is not None:
        kind, what, remedy = known
        return kind(f"{name} failed with {code_of(error)}: {what}", remedy=remedy)
    if not isinstance(error, ResponseError):
        return ConnectionLostError(f"the connection broke during {name}")
    return StatementRejectedError(f"{name} failed with {code_of(error)}")


def code_of(error: RedisError) -> str:
    """The word that the server's answer begins with."""
    code = str(error).partition(" ")[0]
    return code if code.isascii() and code.isalpha() and code.isupper() else "an unknown code"


def _known(error: RedisError) -> tuple[type[TargetError], str, str | None] | None:
    if not isinstance(error, ResponseError):
        return None
    if SATURATED in str(error):
        return TargetSaturatedError, "it has no connection to spare", None
    return CODES.get(code_of(error))
