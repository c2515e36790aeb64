"""PostgreSQL servers in every state that the contract is about, and raw connections to them."""

import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql

from local.postgres import EMBEDDED_BIN_DIR, PostgresServer
from local.server_process import TlsFiles
from rotation.models import SecretDocument

DEBIAN_BIN_DIR = Path("/usr/lib/postgresql/15/bin")
_LONG_ENOUGH = 15.0
"""Seconds after which a server counts as stuck."""


class RuledServer(PostgresServer):
    """A server with its own pg_hba.conf."""

    def __init__(
        self,
        rules: Sequence[str],
        *,
        bin_dir: Path = EMBEDDED_BIN_DIR,
        tls: TlsFiles | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(bin_dir=bin_dir, tls=tls, settings={"log_connections": "on", **(settings or {})})
        self._rules = rules

    def _initialise_data(self) -> None:
        super()._initialise_data()
        (self._data / "pg_hba.conf").write_text("\n".join((*self._rules, "")))


class StandbyServer(PostgresServer):
    """A streaming replica of another server."""

    def __init__(self, primary: PostgresServer, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(settings=dict(settings or {}))
        self.superuser_password = primary.superuser_password
        self._primary = primary
        is_hot = self._settings.get("hot_standby") != "off"
        self.ready = "ready to accept read-only connections" if is_hot else "consistent recovery state reached"

    def _initialise_data(self) -> None:
        subprocess.run(
            [
                *(self._bin_dir / "pg_basebackup", "-h", self._primary.host, "-p", str(self._primary.port)),
                *("-U", self.superuser, "-D", self._data, "-R", "-X", "stream", "-c", "fast", "--no-sync"),
            ],
            env={"PGPASSWORD": self.superuser_password},
            cwd=self._folder,
            check=True,
            **self._account.process_options,
        )


def keys_of(server: PostgresServer, **more: Any) -> dict[str, Any]:
    """The keys of a secret that lead to the server over plaintext."""
    keys = {"engine": "postgres", "host": server.host, "port": server.port, "dbname": "postgres", "ssl": False}
    return {**keys, **more}


def superuser_keys(server: PostgresServer) -> dict[str, Any]:
    return keys_of(server, username=server.superuser, password=server.superuser_password)


def create_role(server: PostgresServer, name: str, password: str, options: str = "LOGIN") -> None:
    statement = sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(sql.Identifier(name), sql.SQL(options), password)
    with server.admin_connection() as admin:
        admin.execute(statement)


def administer(server: PostgresServer, statement: str, *names: str, dbname: str = "postgres") -> list[tuple[Any, ...]]:
    """Run a statement as the superuser; `{}` stands for a name."""
    with server.admin_connection(dbname) as admin:
        cursor = admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        return cursor.fetchall() if cursor.description else []


@contextmanager
def application(secret: SecretDocument) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection as an application makes it, without the engine."""
    fields = secret.fields
    with psycopg.connect(
        host=fields.host,
        port=fields.port,
        user=fields.username,
        password=fields.password.get_secret_value(),
        dbname=fields.dbname,
        sslmode="disable",
        autocommit=True,
    ) as connection:
        yield connection


def can_log_in(server: PostgresServer, name: str, password: str) -> bool:
    try:
        with psycopg.connect(
            host=server.host, port=server.port, user=name, password=password, dbname="postgres", sslmode="disable"
        ):
            return True
    except psycopg.OperationalError as error:
        if "password authentication failed" not in str(error):
            raise
        return False


def verifier_of(server: PostgresServer, name: str) -> str | None:
    """What the server has stored of the user's password."""
    with server.admin_connection() as admin:
        row = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()
    assert row is not None
    return cast("str | None", row[0])


def all_roles(server: PostgresServer) -> list[tuple[Any, ...]]:
    """Everything about roles that a rotation could change."""
    with server.admin_connection() as admin:
        return [
            *admin.execute("SELECT rolname, rolpassword, rolcanlogin, rolsuper FROM pg_authid ORDER BY 1").fetchall(),
            *admin.execute(
                "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2"
            ).fetchall(),
            *admin.execute("SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2").fetchall(),
        ]


def log_of(server: PostgresServer) -> str:
    """All that the server has written up to now."""
    mark = f"mark-{secrets.token_hex(8)}"
    with server.admin_connection() as admin:
        admin.execute(sql.SQL("DO $$ BEGIN RAISE LOG {}; END $$").format(mark))
    wait_for_log(server, mark)
    return "\n".join(server.log_lines)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what a server is about to do."""
    moment, end = threading.Event(), time.monotonic() + _LONG_ENOUGH
    while not condition():
        assert time.monotonic() < end, "it never became true"
        moment.wait(0.02)


def wait_for_log(server: PostgresServer, words: str) -> None:
    wait_for(lambda: any(words in line for line in server.log_lines))
