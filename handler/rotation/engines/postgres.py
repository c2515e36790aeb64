"""PostgreSQL and Aurora PostgreSQL, with psycopg 3.

The server must ask for SCRAM (or MD5, for passwords not rotated yet) itself: with `trust` a test would prove nothing, and a
request for the clear password is refused.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from rotation.engines.invocation import Invocation
from rotation.engines.network import SHARE, first_reachable, seconds_to_answer
from rotation.engines.tls import RDS_BUNDLE, ca_file, server_name
from rotation.errors import TlsFailedError
from rotation.models import Login
from rotation.protocols import EngineTraits, Session

if TYPE_CHECKING:
    import psycopg

    from rotation.engines.postgres_session import PostgresSession

_LEAST_SECONDS_TO_EXPLAIN = 0.2


def _session(connection: "psycopg.Connection", username: str, invocation: Invocation) -> "PostgresSession":
    # The driver is imported with the first login: createSecret does without it.
    from rotation.engines.postgres_session import PostgresSession

    return PostgresSession(connection, username, invocation)


@dataclass(frozen=True)
class Dialect:
    """What differs between products that speak PostgreSQL's protocol.

    Attributes:
        session: Speaks the product's SQL.
        authorities: Who signs the servers' certificates.
        options: Of psycopg's `connect`, beside those that all have.
    """

    session: Callable[["psycopg.Connection", str, Invocation], "PostgresSession"] = _session
    authorities: str = RDS_BUNDLE
    options: Mapping[str, Any] = field(default_factory=dict)


class PostgresEngine:
    """Logs in to PostgreSQL for one invocation."""

    # A SCRAM verifier has a fixed length, so the password's is bounded only by what clients accept.
    traits = EngineTraits(default_port=5432, max_username_bytes=63, max_password_length=256)

    def __init__(self, invocation: Invocation, dialect: Dialect = Dialect()) -> None:
        self._invocation = invocation
        self._dialect = dialect

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Log in; leaving the block commits, and an error leaves it to the server to roll back the closed session."""
        authorities = ca_file(self._invocation.settings, self._dialect.authorities) if login.tls else ""
        connect = partial(self._connect, login, authorities)
        with closing(first_reachable(self._invocation, login, connect)) as connection:
            session = self._dialect.session(connection, login.username, self._invocation)
            session.begin(seconds_to_answer(self._invocation))
            yield session
            session.commit()

    def _connect(self, login: Login, authorities: str, address: str, seconds: float) -> "psycopg.Connection":
        import psycopg

        from rotation.engines.postgres_errors import login_error
        from rotation.engines.postgres_tls import explained

        try:
            return psycopg.connect(
                **_tls(login, authorities),
                hostaddr=address,
                port=login.port,
                user=login.username,
                password=login.password.get_secret_value(),
                dbname=login.dbname or "postgres",
                connect_timeout=int(seconds),
                require_auth="scram-sha-256,md5",
                gssencmode="disable",
                application_name="secret-rotation",
                client_encoding="UTF8",
                autocommit=True,  # the session begins its transaction itself, together with its limits
                **self._dialect.options,
            )
        except psycopg.Error as error:
            failure = login_error(error, login)
        if isinstance(failure, TlsFailedError):
            seconds = max(_LEAST_SECONDS_TO_EXPLAIN, min(seconds, SHARE * self._invocation.deadline.remaining()))
            failure = explained(failure, login, address, authorities, seconds)
        raise failure


def _tls(login: Login, authorities: str) -> dict[str, Any]:
    """Verification in full, or, where the secret says so, none at all; nothing in between."""
    if not login.tls:
        return {"host": login.host, "sslmode": "disable"}
    return {
        "host": server_name(login),
        "sslmode": "verify-full",
        "sslrootcert": authorities,
        "ssl_min_protocol_version": "TLSv1.2",
    }
