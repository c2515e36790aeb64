"""PostgreSQL 18 (PyPI's, without TLS) or, with a certificate, Debian's PostgreSQL 15; both log every statement."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, ClassVar

import psycopg
from psycopg import sql

from local.postgres import EMBEDDED_BIN_DIR, PostgresServer
from local.server_process import TlsFiles, program
from local.targets.served import ServedTarget
from rotation.errors import RoleLockedError, RotationError
from rotation.models import SecretDocument

_DEBIAN_BIN_DIR = "/usr/lib/postgresql/15/bin"
_LIMITS = "CONNECTION LIMIT 17 VALID UNTIL '2999-01-01'"
_REFUSED = "password authentication failed"


class PostgresTarget(ServedTarget[PostgresServer]):
    """Users keep their own tables, as applications do."""

    title = "PostgreSQL"
    is_transactional: ClassVar[bool] = True
    barring: ClassVar[str] = "somebody makes the database user NOLOGIN"
    unbarring: ClassVar[str] = "the user gets LOGIN back"
    barred_as: ClassVar[type[RotationError]] = RoleLockedError
    server_class: ClassVar[type[PostgresServer]] = PostgresServer

    def __init__(self, tls: TlsFiles | None = None) -> None:
        installed = program("postgres", _DEBIAN_BIN_DIR, install="apt-get install -y postgresql-15") if tls else None
        server = self.server_class(
            bin_dir=installed.parent if installed else EMBEDDED_BIN_DIR,
            tls=tls,
            settings={"log_statement": "all", "log_connections": "on"},
        )
        super().__init__(server, tls)

    def _prepare(self) -> None:
        ((version,),) = self._administer("SHOW server_version")
        self.title = f"PostgreSQL {version}"

    @property
    def keys(self) -> Mapping[str, Any]:
        return {**super().keys, "dbname": "postgres"}

    @property
    def superuser(self) -> tuple[str, str]:
        return self.server.superuser, self.server.superuser_password

    def create_user(self, name: str, password: str) -> None:
        with self.server.admin_connection() as admin:
            verifier = admin.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        self._administer(f"CREATE ROLE {{}} LOGIN PASSWORD '{verifier}'", name)
        self._administer("CREATE SCHEMA AUTHORIZATION {}", name)

    def users(self) -> set[str]:
        return {name for (name,) in self._administer("SELECT rolname FROM pg_roles")}

    def refusal(self, name: str, password: str) -> str | None:
        try:
            with self._connect(name, password) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            if _REFUSED not in str(error):
                raise
            return _REFUSED
        return None

    def bar(self, name: str) -> None:
        self._administer("ALTER ROLE {} NOLOGIN", name)

    def unbar(self, name: str) -> None:
        self._administer("ALTER ROLE {} LOGIN", name)

    def give_rights(self, name: str) -> None:
        role = f"readers_{token_hex(4)}"
        self._administer("CREATE ROLE {}", role)
        self._administer("CREATE TABLE {} (id int)", role)
        self._administer("GRANT SELECT ON {} TO {}", role, role)
        self._administer("GRANT {} TO {}", role, name)
        self._administer(f"ALTER ROLE {{}} {_LIMITS} CREATEDB", name)
        self._administer('ALTER ROLE {} SET search_path = "$user", public', name)

    def rights(self, name: str) -> object:
        """What a session of the user may do, whichever role it acts as, and how many of them there may be."""
        connection_limit = self._administer(
            f"SELECT rolconnlimit, rolvaliduntil, rolcanlogin FROM pg_roles WHERE rolname = {_quoted(name)}"
        )
        member_of = self._administer(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'readers%' "
            f"AND pg_has_role({_quoted(name)}, oid, 'member') ORDER BY 1"
        )
        return connection_limit, member_of

    def use_rights(self, secret: SecretDocument) -> None:
        with self._application(secret) as connection:
            ((table,),) = connection.execute(
                "SELECT r.rolname FROM pg_roles r WHERE r.rolname LIKE 'readers%' AND pg_has_role(r.oid, 'usage')"
            ).fetchall()
            connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            ((path, may_create),) = connection.execute(
                "SELECT current_setting('search_path'), rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchall()
        if (path, may_create) != ('"$user", public', True):
            raise PermissionError(f"search_path {path}, CREATEDB {may_create}")

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        with self._application(secret) as connection:
            yield lambda: connection.execute("SELECT 1")

    def create_object(self, secret: SecretDocument, name: str) -> None:
        with self._application(secret) as connection:
            connection.execute(sql.SQL("CREATE TABLE {} (id int)").format(sql.Identifier(name)))

    def change_object(self, secret: SecretDocument, name: str) -> None:
        column = sql.Identifier(f"c_{token_hex(4)}")
        with self._application(secret) as connection:
            connection.execute(sql.SQL("ALTER TABLE {} ADD {} int").format(sql.Identifier(name), column))

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        with self.server.admin_connection() as admin, admin.transaction(force_rollback=True):
            admin.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 17").format(sql.Identifier(name)))
            yield

    def end_sessions(self, name: str) -> None:
        self._administer(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = {_quoted(name)}")

    def log(self) -> str:
        if not self.server.is_running:
            return "\n".join(self.server.log_lines)
        mark = f"mark-{token_hex(8)}"
        self._administer(f"DO $$ BEGIN RAISE LOG '{mark}'; END $$")
        return self.server.log_up_to(mark)

    def _application(self, secret: SecretDocument) -> psycopg.Connection[tuple[Any, ...]]:
        return self._connect(secret.fields.username, secret.fields.password.get_secret_value())

    def _connect(self, name: str, password: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=self.server.host,
            port=self.server.port,
            user=name,
            password=password,
            dbname="postgres",
            sslmode="require" if self._tls else "disable",
            connect_timeout=3,
            autocommit=True,
        )

    def _administer(self, statement: str, *names: str) -> list[tuple[Any, ...]]:
        with self.server.admin_connection() as admin:
            cursor = admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return cursor.fetchall() if cursor.description else []


def _quoted(name: str) -> str:
    """As a literal in a statement in which braces stand for names."""
    literal = "'" + name.replace("'", "''") + "'"
    return literal.replace("{", "{{").replace("}", "}}")
