"""PostgreSQL and Aurora PostgreSQL, with psycopg 3.

The server must ask for SCRAM (or MD5, for passwords not rotated yet) itself: with `trust` a test would prove nothing, and a
request for the clear password is refused.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotation.deadline import Deadline
from rotation.engines.name_resolution import Resolver, addresses_of
from rotation.errors import ConfigurationInvalidError, TargetUnreachableError, TlsFailedError
from rotation.models import Login
from rotation.protocols import EngineTraits, Session
from rotation.settings import Settings
from rotation.step_record import StepRecord

if TYPE_CHECKING:
    import psycopg

RDS_BUNDLE = Path(__file__).parent.parent / "certificates" / "rds-global-bundle.pem"

_SHARE = 0.8
"""Of the time that is left: a wait's own error says more than the deadline's interruption, so it has to come first."""
_LEAST_CONNECT_SECONDS = 2.0
"""libpq's own minimum."""
_LEAST_SECONDS_LEFT = _LEAST_CONNECT_SECONDS / _SHARE
_LEAST_SECONDS_TO_EXPLAIN = 0.2
_MOST_CONNECT_SECONDS, _MOST_STATEMENT_SECONDS = 10.0, 30.0


class PostgresEngine:
    """Logs in to PostgreSQL for one invocation."""

    # A SCRAM verifier has a fixed length, so the password's is bounded only by what clients accept.
    traits = EngineTraits(default_port=5432, max_username_bytes=63, max_password_length=256)

    def __init__(
        self, settings: Settings, deadline: Deadline, record: StepRecord, resolver: Resolver = socket.getaddrinfo
    ) -> None:
        self._resolver = resolver
        self._ca_bundle = settings.tls_ca_bundle
        self._deadline = deadline
        self._record = record

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Log in; leaving the block commits, and an error leaves it to the server to roll back the closed session."""
        # The driver is imported with the first login: createSecret and finishSecret do without it.
        from rotation.engines.postgres_session import PostgresSession

        with closing(self._connect(login)) as connection:
            session = PostgresSession(connection, login.username, self._record)
            session.begin(min(_MOST_STATEMENT_SECONDS, _SHARE * self._deadline.seconds_for("a statement")))
            yield session
            session.commit()

    def _connect(self, login: Login) -> "psycopg.Connection":
        """Connect to the first address that can be reached; what that one answers is final."""
        ca_file = self._ca_file() if login.tls else ""
        with self._record.call("target", "resolve"):
            addresses = addresses_of(login.host, login.port, self._seconds_to_connect(), self._resolver)
        while True:
            seconds = self._seconds_to_connect(len(addresses))
            try:
                with self._record.call("target", "connect"):
                    return self._connect_to(addresses.pop(0), login, ca_file, seconds)
            except TargetUnreachableError:
                if not addresses or self._deadline.remaining() < _LEAST_SECONDS_LEFT:
                    raise

    def _connect_to(self, address: str, login: Login, ca_file: str, seconds: float) -> "psycopg.Connection":
        import psycopg

        from rotation.engines.postgres_errors import login_error
        from rotation.engines.postgres_tls import explained

        try:
            return psycopg.connect(
                **_tls(login, ca_file),
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
            )
        except psycopg.Error as error:
            failure = login_error(error, login)
        if isinstance(failure, TlsFailedError):
            seconds = max(_LEAST_SECONDS_TO_EXPLAIN, min(seconds, _SHARE * self._deadline.remaining()))
            failure = explained(failure, login, address, ca_file, seconds)
        raise failure

    def _seconds_to_connect(self, addresses: int = 1) -> float:
        """How long one address may take, so that each of them gets its turn."""
        remaining = self._deadline.seconds_for("the connection to the database", at_least=_LEAST_SECONDS_LEFT)
        return max(_LEAST_CONNECT_SECONDS, min(_MOST_CONNECT_SECONDS, _SHARE * remaining / addresses))

    def _ca_file(self) -> str:
        """The file of authorities to trust.

        `system` is looked up here, because the libpq of the driver's wheel knows no operating system's place for it.
        """
        chosen = self._ca_bundle or str(RDS_BUNDLE)
        path = ssl.get_default_verify_paths().cafile if chosen == "system" else chosen
        if path is None or not Path(path).is_file():
            raise ConfigurationInvalidError("TLS_CA_BUNDLE: there is no such file")
        return path


def _tls(login: Login, ca_file: str) -> dict[str, Any]:
    """Verification in full, or, where the secret says so, none at all; nothing in between."""
    if not login.tls:
        return {"host": login.host, "sslmode": "disable"}
    return {
        "host": login.tls_server_name or login.host,
        "sslmode": "verify-full",
        "sslrootcert": ca_file,
        "ssl_min_protocol_version": "TLSv1.2",
    }
