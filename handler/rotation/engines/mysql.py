"""MySQL, Aurora MySQL and MariaDB, with PyMySQL.

The server has to check the password by a challenge, or ask for it through TLS with a certificate that was verified. With
`"ssl": false`, `caching_sha2_password` is refused: it works only as long as the server has the password in its cache, which
it never has of a new one; otherwise it asks for the password itself, encrypted with a key that nobody vouches for.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Never

from rotation.engines.invocation import Invocation
from rotation.engines.network import open_socket, seconds_to_answer
from rotation.engines.tls import ca_file, context, server_name
from rotation.errors import AuthenticationUnsafeError, RotationError
from rotation.models import Login
from rotation.protocols import EngineTraits, Session

if TYPE_CHECKING:
    import pymysql

_REVEALING = ("mysql_clear_password", "mysql_old_password", "dialog")
_NOT_SPOKEN = ("client_ed25519", "parsec", "auth_gssapi_client")
_REVEALING_WITHOUT_TLS = ("caching_sha2_password", "sha256_password")


class MySqlEngine:
    """Logs in to MySQL for one invocation."""

    traits: ClassVar[EngineTraits] = EngineTraits(
        default_port=3306, max_username_bytes=32, max_password_length=255, keeps_old_password=True
    )

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Log in. Every statement takes effect at once: statements about users know no transactions."""
        # The driver is imported with the first login: createSecret does without it.
        from rotation.engines.mysql_session import MySqlSession

        with closing(self._connect(login)) as connection:
            session = MySqlSession(connection, login, self._invocation, keeps_old=self.traits.keeps_old_password)
            session.begin(seconds_to_answer(self._invocation))
            yield session

    def _connect(self, login: Login) -> "pymysql.Connection[Any]":
        import pymysql
        from pymysql.constants import CLIENT

        from rotation.engines.mysql_errors import login_error

        trusted = context(ca_file(self._invocation.settings)) if login.tls else None
        channel = open_socket(self._invocation, login)
        seconds = seconds_to_answer(self._invocation)
        connection: pymysql.Connection[Any] = pymysql.Connection(
            host=server_name(login),  # held against the certificate; the way there is the socket
            port=login.port,
            user=login.username,
            password=login.password.get_secret_value().encode(),  # the driver would take latin-1
            database=login.dbname,
            charset="utf8mb4",
            read_timeout=seconds,
            write_timeout=seconds,
            autocommit=True,
            local_infile=False,
            # An expired password opens a session in which nothing but a new password can be set: just what is needed.
            client_flag=CLIENT.HANDLE_EXPIRED_PASSWORDS,
            auth_plugin_map=_refusals(login),
            program_name="secret-rotation",
            defer_connect=True,
            ssl=trusted,
            ssl_disabled=trusted is None,
        )
        try:
            with self._invocation.call("log_in"):
                connection.connect(channel)
        except RotationError:
            raise
        except Exception as error:  # noqa: BLE001 - the driver lets out whatever goes wrong as it reads a broken answer
            raise login_error(error, login) from None
        return connection


class MariaDbEngine(MySqlEngine):
    """Logs in to MariaDB, whose users have one password, and may have longer names."""

    traits = EngineTraits(default_port=3306, max_username_bytes=80, max_password_length=255)


def _refusals(login: Login) -> dict[str, Any]:
    """The driver's plugin by the name of each authentication that must not take place."""
    reasons = dict.fromkeys(_REVEALING, "would reveal the password")
    reasons |= dict.fromkeys(_NOT_SPOKEN, "is not spoken here")
    if not login.tls:
        reasons |= dict.fromkeys(_REVEALING_WITHOUT_TLS, "would reveal the password without TLS")
    return {plugin: partial(_Refusal, f"{plugin}, which {reason}", login) for plugin, reason in reasons.items()}


class _Refusal:
    """An authentication plugin that sends nothing."""

    def __init__(self, what: str, login: Login, _connection: object) -> None:
        self._what = what
        self._login = login

    def authenticate(self, _packet: object) -> Never:
        raise AuthenticationUnsafeError(
            f"{self._login.host} asks user {self._login.username} for {self._what}",
            remedy="Use TLS, and let the user authenticate by caching_sha2_password or mysql_native_password.",
        )
