"""What PostgreSQL and libpq say, as the tree's classes.

A failed login carries no SQLSTATE: libpq hands on only the text. So logins are told apart by the phrases of libpq and of
the server, statements by their SQLSTATE. Words that are not known never count as a wrong password, or the strategies would
go on to try others; so that one refusal is known in all languages in which PostgreSQL says it.

Sources: https://www.postgresql.org/docs/current/errcodes-appendix.html, and the phrases as the servers of the contract
tests give them.
"""

import re

import psycopg

from rotation.errors import (
    AuthenticationUnsafeError,
    ConnectionLostError,
    ConnectTimeoutError,
    DatabaseMissingError,
    HostRefusedError,
    LoginRefusedError,
    PasswordRefusedError,
    PortClosedError,
    PrivilegeMissingError,
    RoleLockedError,
    StatementRejectedError,
    TargetBusyError,
    TargetError,
    TargetNotReadyError,
    TargetReadOnlyError,
    TargetSaturatedError,
    TargetUnreachableError,
    TlsFailedError,
)
from rotation.models import Login

LOGIN_PHRASES: tuple[tuple[str, type[TargetError], str], ...] = (
    ("password authentication failed", LoginRefusedError, "refused the password of user {user}"),
    ("is not permitted to log in", RoleLockedError, "does not let the role {user} log in"),
    ("too many connections for role", TargetSaturatedError, "has too many connections of user {user}"),
    ("too many connections for database", TargetSaturatedError, "has too many connections to the database {database}"),
    ("too many clients", TargetSaturatedError, "has too many connections"),
    ("remaining connection slots", TargetSaturatedError, "has only reserved connections left"),
    ("out of shared memory", TargetSaturatedError, "is out of memory for locks"),
    ('database "" does not exist', DatabaseMissingError, "has no database {database}"),
    ("not currently accepting connections", DatabaseMissingError, "has closed the database {database} to connections"),
    ("permission denied for database", PrivilegeMissingError, "does not let user {user} CONNECT to {database}"),
    ("no encryption", TlsFailedError, 'asks user {user} for TLS, but the secret says "ssl": false'),
    ("no pg_hba.conf entry", HostRefusedError, "has no pg_hba.conf entry for user {user} from here"),
    ("pg_hba.conf rejects", HostRefusedError, "rejects user {user} from here"),
    ("system is starting up", TargetNotReadyError, "is starting up"),
    ("system is shutting down", TargetNotReadyError, "is shutting down"),
    ("system is in recovery mode", TargetNotReadyError, "is recovering from a crash"),
    ("system is not accepting connections", TargetNotReadyError, "is a standby that takes no connections"),
    ("system is not yet accepting connections", TargetNotReadyError, "is not yet accepting connections"),
    (
        "unknown authentication type",
        AuthenticationUnsafeError,
        "keeps the password of user {user} in a form that libpq does not know",
    ),
    ("authentication method requirement", AuthenticationUnsafeError, "did not ask for SCRAM"),
    ("SASL authentication mechanisms", AuthenticationUnsafeError, "offers no way to authenticate that proves both sides"),
    ("over a non-SSL connection", AuthenticationUnsafeError, "asks for a binding to TLS on a connection without it"),
    ("incorrect server signature", AuthenticationUnsafeError, "could not prove that it knows the password: an impostor?"),
    ("Ident authentication failed", AuthenticationUnsafeError, "asks ident for user {user}, not for a password"),
    ("valid client certificate", TlsFailedError, "asks for a client certificate, and the function has none"),
    ("server does not support SSL", TlsFailedError, "does not offer TLS"),
    ("does not match host name", TlsFailedError, "has a certificate for another name"),
    ("root certificate file", TlsFailedError, "could not be verified: the CA bundle is unreadable"),
    ("unexpected eof", ConnectionLostError, "hung up during the TLS handshake"),
    ("SSL SYSCALL error", ConnectionLostError, "reset the connection during the TLS handshake"),
    ("SSL", TlsFailedError, "failed in the TLS handshake"),
    ("Connection refused", PortClosedError, "refuses connections on port {port}"),
    ("No route to host", TargetUnreachableError, "has no route from here"),
    ("Network is unreachable", TargetUnreachableError, "is in a network that is unreachable from here"),
    ("closed the connection", ConnectionLostError, "closed the connection during the login"),
)
"""Phrase, class, and how the message goes on after the host's name; the first match counts. Names in quotes are left out."""

REFUSALS_IN_OTHER_LANGUAGES = (
    "Passwort-Authentifizierung",  # de
    "la autentificación password falló",  # es
    "authentification par mot de passe échouée",  # fr
    "autenticazione con password fallita",  # it
    "のパスワード認証に失敗",  # ja
    "პაროლით ავთენტიფიკაცია",  # ka
    "password 인증을 실패",  # ko
    "не прошёл проверку подлинности (по паролю)",  # ru
    "Lösenordsautentisering misslyckades",  # sv
    "не пройшов автентифікацію за допомогою пароля",  # uk
    "的密码认证失败",  # zh_CN
    "密碼驗證使用者",  # zh_TW
)
"""`password authentication failed` where the server's lc_messages is not English, as PostgreSQL 15 is translated."""

STATEMENT_STATES: tuple[tuple[str, type[TargetError], str], ...] = (
    ("25006", TargetReadOnlyError, "the server is read-only"),
    ("42501", PrivilegeMissingError, "the session's user may not do that"),
    ("55P03", TargetBusyError, "a lock was not free in time"),
    ("57014", TargetBusyError, "it was cancelled, by its time limit or by somebody"),
    ("57P", ConnectionLostError, "the server ended the session"),
    ("08", ConnectionLostError, "the connection broke"),
    ("53", TargetSaturatedError, "the server is out of resources"),
    ("40", TargetBusyError, "it collided with another transaction"),
    ("23505", TargetBusyError, "another session made the same role"),
    ("42710", TargetBusyError, "another session made the same role"),
)
"""SQLSTATE or class of states, error class, and what it means; the first match counts."""

PASSWORD_STATES: tuple[tuple[str, type[TargetError], str], ...] = (
    ("22023", PasswordRefusedError, "the server's password policy refuses the value"),
)
"""The same for the statement that sets a password; elsewhere these states mean something else."""

_STATE = re.compile("[0-9A-Z]{5}")
_COLLISION = "tuple concurrently"
"""Of PostgreSQL's answer when two sessions alter one role: it has no state of its own, only that for internal errors."""


def login_error(error: psycopg.Error, login: Login) -> TargetError:
    """The tree's error for a failed login. The driver's text is read but never repeated."""
    database = login.dbname or "postgres"
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return ConnectTimeoutError(f"{login.host} does not answer on port {login.port}")
    text = _without_names(str(error), login.username, database)
    for phrase, kind, what in LOGIN_PHRASES:
        if phrase in text:
            return kind(f"{login.host} {what.format(user=login.username, port=login.port, database=database)}")
    if any(phrase in text for phrase in REFUSALS_IN_OTHER_LANGUAGES):
        return LoginRefusedError(f"{login.host} refused the password of user {login.username}")
    return StatementRejectedError(f"the login at {login.host} on port {login.port} failed in words that are not known")


def statement_error(error: psycopg.Error, name: str) -> TargetError:
    """The tree's error for a failed statement, by its SQLSTATE."""
    state = error.sqlstate
    if state is None:
        return ConnectionLostError(f"the connection broke during {name}")
    if not _STATE.fullmatch(state):
        return unreadable(name)
    for prefix, kind, what in (*STATEMENT_STATES, *(PASSWORD_STATES if name == "alter_role" else ())):
        if state.startswith(prefix):
            return kind(f"{name} failed with SQLSTATE {state}: {what}")
    if _COLLISION in str(error):
        return TargetBusyError(f"{name} failed because another session altered the same role")
    return StatementRejectedError(f"{name} failed with SQLSTATE {state}")


def unreadable(name: str) -> StatementRejectedError:
    """The error for an answer that PostgreSQL would not give."""
    return StatementRejectedError(f"{name} was answered with something that cannot be read")


def _without_names(text: str, *names: str) -> str:
    """The text with nothing in its quotes: a name may hold any phrase, and a certificate's comes from the other side."""
    for name in names:
        text = text.replace(f'"{name}"', '""')
    return re.sub(r'"[^"\n]*"', '""', text)
