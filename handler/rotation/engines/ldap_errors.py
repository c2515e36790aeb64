"""What directories say, as the tree's classes: by result code, Active Directory's codes and the password policy's control.

Of a diagnostic message only such codes are read: its words quote names and filters.

Sources: https://datatracker.ietf.org/doc/html/rfc4511#appendix-A,
https://datatracker.ietf.org/doc/html/draft-behera-ldap-password-policy-10#section-6.2,
https://learn.microsoft.com/en-us/windows/win32/debug/system-error-codes--1300-1699-
"""

import re
from collections.abc import Mapping

from rotation.engines.ldap_connection import Answer
from rotation.errors import (
    AuthenticationUnsafeError,
    HostRefusedError,
    LoginRefusedError,
    PasswordRefusedError,
    PrivilegeMissingError,
    RoleLockedError,
    RotationError,
    SecretMalformedError,
    StatementRejectedError,
    TargetBusyError,
    TargetMismatchError,
    TargetNotReadyError,
    TargetReadOnlyError,
    TargetSaturatedError,
    TlsFailedError,
)
from rotation.models import Login

POLICY_CONTROL = "1.3.6.1.4.1.42.2.27.8.5.1"
"""Asks for the reason why a password policy refuses a login or a password."""
MUST_CHANGE = 2
CONSTRAINT_VIOLATION = 19
_REFUSALS = frozenset({32, 49})
"""Of a login: there is no such entry, or its password is another; most servers say the latter for both."""

RESULTS: Mapping[int, tuple[type[RotationError], str]] = {
    3: (TargetBusyError, "it took longer than the server allows"),
    7: (AuthenticationUnsafeError, "the server takes no simple bind"),
    8: (TlsFailedError, "the server asks for a secured connection"),
    10: (TargetReadOnlyError, "the server refers to another one"),
    11: (TargetSaturatedError, "it exceeds a limit of the server"),
    13: (TlsFailedError, "the server asks for a secured connection"),
    32: (TargetMismatchError, "there is no such entry"),
    34: (SecretMalformedError, "the user name is no distinguished name"),
    48: (RoleLockedError, "the account has no password"),
    50: (PrivilegeMissingError, "the session's user may not do that"),
    51: (TargetSaturatedError, "the server is too busy"),
    52: (TargetNotReadyError, "the server is shutting down or not available"),
}
"""Result code, class, and what it means, where it means the same in every request."""

LOGIN_CODES: Mapping[str, tuple[type[RotationError], str]] = {
    "525": (LoginRefusedError, "does not know user {user}"),
    "52e": (LoginRefusedError, "refused the password of user {user}"),
    "530": (RoleLockedError, "does not let user {user} log in at this hour"),
    "531": (HostRefusedError, "does not let user {user} log in from here"),
    "532": (RoleLockedError, "lets user {user} in no more: the password has expired"),
    "533": (RoleLockedError, "has disabled the account of user {user}"),
    "568": (RoleLockedError, "finds user {user} in too many groups"),
    "569": (PrivilegeMissingError, "has not granted user {user} this type of logon"),
    "701": (RoleLockedError, "lets user {user} in no more: the account has expired"),
    "773": (RoleLockedError, "lets user {user} in only after a change of password"),
    "775": (RoleLockedError, "has locked the account of user {user} after refused logins"),
}
"""Active Directory's reasons for result code 49, as Windows' error codes."""

POLICY_LOGINS: Mapping[int | None, str] = {
    0: "lets user {user} in no more: the password has expired",
    1: "has locked the account of user {user}",
}
"""Errors of the password policy's control in the answer to a login."""

POLICY_PASSWORDS: Mapping[int | None, tuple[type[RotationError], str]] = {
    3: (PrivilegeMissingError, "the user may not change the own password"),
    5: (PasswordRefusedError, "it is too weak"),
    6: (PasswordRefusedError, "it is too short"),
    7: (PasswordRefusedError, "the present one is younger than the least age"),
    8: (PasswordRefusedError, "it is one of the last ones"),
}
"""The same in the answer to a change of password."""

AD_POLICY, AD_WRONG_OLD, AD_DENIED = "0000052d", "00000056", "00000005"
"""How a diagnostic message of Active Directory begins, as Windows' error codes: the new password is refused, the old one
is wrong, or the user may not change it."""
_POLICY_REMEDY = (
    "Wait until the least age of a password is over (a day, unless the policy says otherwise), or lower it; the strategy "
    "single-user-by-superuser is not bound by it. Else bring the password parameters of the stack in line with the policy."
)
_DATA = re.compile(r"\bdata ([0-9a-f]+)\b")
_ERROR_TAG = 0x81


def policy_error(answer: Answer) -> int | None:
    """The error in the password policy's control, which is the last part of its value."""
    value = answer.controls.get(POLICY_CONTROL) or b""
    return value[-1] if len(value) > 2 and value[-3:-1] == bytes([_ERROR_TAG, 1]) else None  # noqa: PLR2004 - tag, length


def windows_code(answer: Answer) -> str:
    """How Active Directory's diagnostic message begins."""
    return answer.text[:8].lower()


def login_error(answer: Answer, login: Login) -> RotationError:
    """The error for a refused bind."""
    if answer.code not in _REFUSALS:
        return request_error(answer, "bind", login)
    kind: type[RotationError] = LoginRefusedError
    what = "refused the password of user {user}"
    if (locked := POLICY_LOGINS.get(policy_error(answer))) is not None:
        kind, what = RoleLockedError, locked
    elif found := _DATA.search(answer.text):
        kind, what = LOGIN_CODES.get(found[1], (StatementRejectedError, f"refused user {{user}} with code {found[1]}"))
    return kind(f"{login.host} {what.format(user=login.username)}")


def password_error(answer: Answer, operation: str, login: Login) -> RotationError:
    """The error for a refused change of password."""
    code = windows_code(answer)
    kind, what = POLICY_PASSWORDS.get(policy_error(answer), (PasswordRefusedError, "no reason was given"))
    if code == AD_DENIED:
        return PrivilegeMissingError(f"{login.host} does not let the session's user set that password")
    if issubclass(kind, PrivilegeMissingError):
        return kind(f"{login.host} refuses the new password: {what}")
    if code == AD_POLICY or answer.code == CONSTRAINT_VIOLATION:
        return PasswordRefusedError(f"{login.host} refuses the new password by its policy: {what}", remedy=_POLICY_REMEDY)
    return request_error(answer, operation, login)


def request_error(answer: Answer, operation: str, login: Login) -> RotationError:
    """The error for any other refused request."""
    kind, what = RESULTS.get(answer.code, (StatementRejectedError, "which means nothing to the function"))
    return kind(f"{operation} at {login.host} ended with result code {answer.code}: {what}")
