"""What MySQL, MariaDB and PyMySQL say, as the tree's classes.

Everything has a number, which alone decides. Their texts quote statements and names, so they are never repeated, and read
only for the one number that means two things.

Sources: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html,
https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference, and what the servers of the contract
tests answer.
"""

import ssl
from collections.abc import Mapping

from pymysql import MySQLError

from rotation.engines.network import unreachable
from rotation.engines.tls import handshake_error
from rotation.errors import (
    AuthenticationUnsafeError,
    ConnectionLostError,
    ConnectTimeoutError,
    DatabaseMissingError,
    HostRefusedError,
    LoginRefusedError,
    PasswordRefusedError,
    PrivilegeMissingError,
    RoleLockedError,
    StatementRejectedError,
    TargetBusyError,
    TargetError,
    TargetNotReadyError,
    TargetReadOnlyError,
    TargetSaturatedError,
    TlsFailedError,
)
from rotation.models import Login

Meaning = tuple[type[TargetError], str]

ACCESS_DENIED, OPTION_PREVENTS, ACCESS_DENIED_SPECIFIC = 1045, 1290, 1227
WRONG_CURRENT_PASSWORD, EXPIRED = 3891, 1820

MEANINGS: Mapping[int, Meaning] = {
    1698: (AuthenticationUnsafeError, "the user authenticates by something else than a password, such as unix_socket"),
    1699: (AuthenticationUnsafeError, "the user authenticates by something else than a password"),
    1251: (AuthenticationUnsafeError, "the server asks for an authentication that the driver does not speak"),
    1275: (AuthenticationUnsafeError, "the user's password is stored in the format of MySQL 4.0"),
    1524: (AuthenticationUnsafeError, "the server has not loaded the user's authentication plugin"),
    2059: (AuthenticationUnsafeError, "the server asks for an authentication that the driver does not speak"),
    3118: (RoleLockedError, "the account is locked"),
    4151: (RoleLockedError, "the account is locked"),
    3955: (RoleLockedError, "the account is locked for a time because of failed logins"),
    4150: (RoleLockedError, "the account is blocked because of failed logins"),
    1862: (RoleLockedError, "the password has expired"),
    EXPIRED: (RoleLockedError, "the password has expired"),
    1129: (HostRefusedError, "this host is blocked because of connection errors"),
    1130: (HostRefusedError, "no user may come from this host"),
    1037: (TargetSaturatedError, "the server is out of memory"),
    1038: (TargetSaturatedError, "the server is out of memory"),
    1040: (TargetSaturatedError, "the server has too many connections"),
    1041: (TargetSaturatedError, "the server is out of memory"),
    1135: (TargetSaturatedError, "the server can begin no further thread"),
    1203: (TargetSaturatedError, "the user has too many connections"),
    1226: (TargetSaturatedError, "the user has used up one of its limits"),
    1053: (TargetNotReadyError, "the server is shutting down"),
    3032: (TargetNotReadyError, "the server is in offline mode"),
    3168: (TargetNotReadyError, "the server is not available"),
    OPTION_PREVENTS: (TargetReadOnlyError, "the server runs with an option that forbids it, such as read_only"),
    1792: (TargetReadOnlyError, "the session is read-only"),
    1836: (TargetReadOnlyError, "the server is read-only"),
    1205: (TargetBusyError, "a lock was not free in time"),
    1206: (TargetBusyError, "the server has no room for further locks"),
    1213: (TargetBusyError, "it collided with another session"),
    1317: (TargetBusyError, "somebody cancelled it"),
    1969: (TargetBusyError, "it took longer than its time limit"),
    3024: (TargetBusyError, "it took longer than its time limit"),
    1049: (DatabaseMissingError, "there is no such database"),
    1044: (PrivilegeMissingError, "the user has no access to the database"),
    1131: (PrivilegeMissingError, "an anonymous user may not set passwords"),
    1132: (PrivilegeMissingError, "the user may not set the passwords of others"),
    1142: (PrivilegeMissingError, "the user may not do that to the table"),
    1143: (PrivilegeMissingError, "the user may not do that to the column"),
    ACCESS_DENIED_SPECIFIC: (PrivilegeMissingError, "the user lacks the privilege that it needs"),
    1370: (PrivilegeMissingError, "the user may not do that to the routine"),
    1410: (PrivilegeMissingError, "the user may not create users"),
    1819: (PasswordRefusedError, "the server's password policy refuses the value"),
    3638: (PasswordRefusedError, "the server's password history knows the value"),
    WRONG_CURRENT_PASSWORD: (PasswordRefusedError, "the server wants the current password, and this is not it"),
    3892: (PasswordRefusedError, "the server wants the current password with a new one"),
    3159: (TlsFailedError, 'the server asks for TLS, but the secret says "ssl": false'),
    2026: (TlsFailedError, "the server does not offer TLS"),
    1158: (ConnectionLostError, "the connection broke"),
    1159: (ConnectionLostError, "the connection broke"),
    1160: (ConnectionLostError, "the connection broke"),
    1161: (ConnectionLostError, "the connection broke"),
    1927: (ConnectionLostError, "the server ended the session"),
    2006: (ConnectionLostError, "the connection broke"),
    2013: (ConnectionLostError, "the connection broke"),
    3169: (ConnectionLostError, "the server ended the session"),
    4031: (ConnectionLostError, "the server ended the session"),
}
"""Error class by number, and what it means."""

AT_LOGIN: Mapping[int, Meaning] = {ACCESS_DENIED: (LoginRefusedError, "the user or the password is wrong")}
AFTER_LOGIN: Mapping[int, Meaning] = {ACCESS_DENIED: (PrivilegeMissingError, "the user may not do that")}
"""The number for a refused password is also that for a missing global privilege."""


def number_of(error: Exception) -> int | None:
    """The error's number; None where the driver found the protocol broken, or the connection closed before."""
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) and number else None


def login_error(error: Exception, login: Login) -> TargetError:
    """The tree's error for a failed login."""
    number = number_of(error)
    cause = getattr(error, "original_exception", error.__context__)
    if isinstance(cause, ssl.SSLError):
        return handshake_error(cause, login)
    if isinstance(cause, OSError):
        return unreachable(cause, login)
    if number is None:
        return StatementRejectedError(f"what listens at {login.host} on port {login.port} does not speak MySQL's protocol")
    kind, what = {**MEANINGS, **AT_LOGIN}.get(number, (StatementRejectedError, "the meaning is not known"))
    if number == ACCESS_DENIED and not login.tls:
        what += ', or has to use TLS, but the secret says "ssl": false'
    return kind(f"{login.host} refused user {login.username} with error {number}: {what}")


def statement_error(error: MySQLError, name: str) -> TargetError:
    """The same for a failed statement."""
    if isinstance(error.__context__, TimeoutError):
        return ConnectTimeoutError(f"the server did not answer {name} in time")
    number = number_of(error)
    if number is None:
        return ConnectionLostError(f"the connection broke during {name}")
    kind, what = {**MEANINGS, **AFTER_LOGIN}.get(number, (StatementRejectedError, "the meaning is not known"))
    return kind(f"{name} failed with error {number}: {what}")


def unreadable(name: str) -> StatementRejectedError:
    """The error for an answer that neither server would give."""
    return StatementRejectedError(f"{name} was answered with something that cannot be read")


def demands_clear_password(error: MySQLError) -> bool:
    """Whether MariaDB takes no verifiers, because it has a password policy to hold every password to."""
    return number_of(error) == OPTION_PREVENTS and "strict-password-validation" in str(error)
