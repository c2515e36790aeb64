"""What MongoDB and DocumentDB say, as the tree's classes, by the code of the answer.

Their words are not repeated: they may quote the command. They are read in one case only, where Atlas gives one code to
everything.

What cannot be told apart: a user whom `authenticationRestrictions` keep out gets the answer for a wrong password, and a
server with too many connections closes new ones without a word.

Source: https://www.mongodb.com/docs/manual/reference/error-codes/
"""

from collections.abc import Mapping
from typing import Any

from rotation.errors import (
    AuthenticationUnsafeError,
    ConnectionLostError,
    LoginRefusedError,
    PasswordRefusedError,
    PrivilegeMissingError,
    StatementRejectedError,
    TargetBusyError,
    TargetError,
    TargetNotReadyError,
    TargetReadOnlyError,
    TargetSaturatedError,
)
from rotation.models import Login

UNAUTHORIZED, ROLE_EXISTS, USER_EXISTS = 13, 51002, 51003
_ATLAS, _ATLAS_REFUSAL = 8000, "bad auth"

Meaning = tuple[type[TargetError], str]

CODES: Mapping[int, Meaning] = {
    11: (StatementRejectedError, "there is no such user"),
    UNAUTHORIZED: (PrivilegeMissingError, "the session's user may not do that"),
    31: (StatementRejectedError, "there is no such role"),
    # Somebody else is at it.
    24: (TargetBusyError, "a lock was not free in time"),
    46: (TargetBusyError, "a lock was not free in time"),
    50: (TargetBusyError, "it was cancelled by a time limit of the server"),
    64: (TargetBusyError, "the replicas did not confirm the change in time"),
    112: (TargetBusyError, "it collided with another change"),
    117: (TargetBusyError, "it collided with another operation"),
    262: (TargetBusyError, "it was cancelled by a time limit of the server"),
    11000: (TargetBusyError, "another session made the same user or role"),
    11601: (TargetBusyError, "somebody cancelled it"),
    USER_EXISTS: (TargetBusyError, "another session made the same user"),
    # A member that is not the primary.
    10058: (TargetReadOnlyError, "the server is not the primary"),
    10107: (TargetReadOnlyError, "the server is not the primary"),
    13435: (TargetReadOnlyError, "the server is not the primary"),
    # Start, end and change of the primary.
    6: (TargetNotReadyError, "the router does not reach the server behind it"),
    7: (TargetNotReadyError, "the router does not find the server behind it"),
    89: (TargetNotReadyError, "the router does not reach the server behind it"),
    91: (TargetNotReadyError, "the server is shutting down"),
    94: (TargetNotReadyError, "the replica set is not initialised"),
    100: (TargetNotReadyError, "too few replicas are there to confirm the change"),
    133: (TargetNotReadyError, "the replica set has no primary"),
    189: (TargetNotReadyError, "the primary has stepped down"),
    11600: (TargetNotReadyError, "the server is shutting down"),
    11602: (TargetNotReadyError, "the replica set is changing its primary"),
    13436: (TargetNotReadyError, "the server is neither primary nor secondary, or is recovering"),
    # Resources.
    39: (TargetSaturatedError, "the server may not open more files"),
    146: (TargetSaturatedError, "the server is out of memory for it"),
    14031: (TargetSaturatedError, "the server's disk is full"),
    # The session.
    391: (ConnectionLostError, "the server wants the session to log in again"),
    9001: (ConnectionLostError, "the connection broke"),
}
"""Class and meaning by code, for every command; other codes are `statement_rejected`."""

LOGIN_CODES: Mapping[int, Meaning] = {
    18: (LoginRefusedError, "refused the password of user {user} in the database {database}"),
    334: (AuthenticationUnsafeError, "does not let user {user} log in by SCRAM"),
}
"""The same for a login, where these codes mean something else or something more."""

PASSWORD_CODES: Mapping[int, Meaning] = {
    **CODES,
    2: (PasswordRefusedError, "the server does not take such a password"),
}
"""The same for the command that sets a password, where a bad value is the password."""


RIGHTS: Mapping[str, str] = {
    "updateUser": "changeOwnPassword for its own, changePassword and grantRole for others",
    "usersInfo": "viewUser on all databases, as userAdminAnyDatabase has it",
    "createUser": "createUser and grantRole, as userAdminAnyDatabase has them",
    "createRole": "createRole, as userAdminAnyDatabase has it",
}
"""The actions that a command needs."""


def login_error(answer: Mapping[str, Any], login: Login, database: str) -> TargetError:
    """The tree's error for a refusal during the login."""
    code = answer.get("code")
    meaning = LOGIN_CODES.get(code) if isinstance(code, int) else None
    if code == _ATLAS and _ATLAS_REFUSAL in str(answer.get("errmsg")):
        meaning = LOGIN_CODES[18]
    if meaning is None:
        return command_error(answer, "the login")
    kind, what = meaning
    return kind(f"{login.host} {what.format(user=login.username, database=database)}")


def command_error(answer: Mapping[str, Any], name: str, codes: Mapping[int, Meaning] = CODES) -> TargetError:
    """The tree's error for a refused command."""
    code = answer.get("code")
    if not isinstance(code, int):
        return StatementRejectedError(f"{name} failed without a code")
    kind, what = codes.get(code, (StatementRejectedError, "it is none that means something to the rotation"))
    needed = f" (it takes {RIGHTS[name]})" if code == UNAUTHORIZED and name in RIGHTS else ""
    return kind(f"{name} failed with code {code}: {what}{needed}")
