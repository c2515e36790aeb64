"""MariaDB (Debian's), which logs every statement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, ClassVar

import pymysql

from local.mariadb import MariaDbServer, stored_password
from local.server_process import TlsFiles
from local.targets.served import ServedTarget
from rotation.errors import RoleLockedError, RotationError
from rotation.models import SecretDocument

_REFUSED = 1045
_LIMITS = "REQUIRE {tls} WITH MAX_USER_CONNECTIONS 17 MAX_STATEMENT_TIME 90 PASSWORD EXPIRE INTERVAL 300 DAY"
_DATABASE = "shop"


class MariaDbTarget(ServedTarget[MariaDbServer]):
    """Users work in one database, as an application's do."""

    title = "MariaDB"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "somebody locks the database user's account"
    unbarring: ClassVar[str] = "the account is unlocked"
    barred_as: ClassVar[type[RotationError]] = RoleLockedError

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(MariaDbServer(tls=tls), tls)

    def _prepare(self) -> None:
        ((version,),) = self.administer("SELECT VERSION()")
        self.title = f"MariaDB {version.split('-')[0]}"
        self.administer(f"CREATE DATABASE {_DATABASE}")

    @property
    def superuser(self) -> tuple[str, str]:
        return self.server.superuser, self.server.superuser_password

    def create_user(self, name: str, password: str) -> None:
        stored = stored_password(password)
        self.administer("CREATE USER %s@'%%' IDENTIFIED BY PASSWORD %s", name, stored)
        self.administer(f"GRANT INSERT, CREATE, ALTER ON {_DATABASE}.* TO %s@'%%'", name)
        own = f"own_{token_hex(4)}"
        self.administer(f"CREATE TABLE {_DATABASE}.{own} (id int)")
        self.administer(f"GRANT DELETE ON {_DATABASE}.{own} TO %s@'%%'", name)

    def users(self) -> set[str]:
        return {name for (name,) in self.administer("SELECT User FROM mysql.user WHERE is_role = 'N'")}

    def refusal(self, name: str, password: str) -> str | None:
        try:
            with self._connect(name, password) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except pymysql.OperationalError as error:
            if error.args[0] != _REFUSED:
                raise
            return f"error {_REFUSED}"
        return None

    def bar(self, name: str) -> None:
        self.administer("ALTER USER %s@'%%' ACCOUNT LOCK", name)

    def unbar(self, name: str) -> None:
        self.administer("ALTER USER %s@'%%' ACCOUNT UNLOCK", name)

    def give_rights(self, name: str) -> None:
        """One of each kind, and one taken away."""
        mine = token_hex(4)
        table, role, routine = f"goods_{mine}", f"readers_{mine}", f"greet_{mine}"
        self.administer(f"CREATE ROLE {role}")
        self.administer(f"CREATE TABLE {_DATABASE}.{table} (id int, price int, secret int)")
        self.administer(f"CREATE PROCEDURE {_DATABASE}.{routine}() SELECT 'hello'")
        self.administer(f"GRANT SELECT (id, price) ON {_DATABASE}.{table} TO {role}")
        for statement in (
            f"GRANT {role} TO %s@'%%' WITH ADMIN OPTION",
            f"SET DEFAULT ROLE {role} FOR %s@'%%'",
            "GRANT PROCESS ON *.* TO %s@'%%'",
            f"GRANT ALL PRIVILEGES ON `mine\\_{mine}`.* TO %s@'%%' WITH GRANT OPTION",
            f"GRANT UPDATE (price), INSERT (id, price) ON {_DATABASE}.{table} TO %s@'%%'",
            f"GRANT EXECUTE ON PROCEDURE {_DATABASE}.{routine} TO %s@'%%'",
            f"REVOKE INSERT ON {_DATABASE}.* FROM %s@'%%'",
            f"ALTER USER %s@'%%' {_LIMITS.format(tls='SSL' if self._tls else 'NONE')}",
        ):
            self.administer(statement, name)

    def rights(self, name: str) -> object:
        """What the server's own tables say, other than the mark of a clone."""
        places = ("mysql.db", "mysql.tables_priv", "mysql.columns_priv", "mysql.procs_priv", "mysql.roles_mapping")
        found: dict[str, object] = {}
        for place in places:
            rows = self._rows(f"SELECT * FROM {place} WHERE User = %s AND Host = '%%'", name)
            own = {"User", "Timestamp", "Grantor"}
            found[place] = sorted(
                str({key: value for key, value in row.items() if key not in own})
                for row in rows
                if not str(row.get("Db")).startswith("alternate-of-")
            )
        (account,) = self._rows("SELECT * FROM mysql.user WHERE User = %s AND Host = '%%'", name)
        own = {"User", "Password", "authentication_string", "password_expired"}
        ((lifetime,),) = self.administer(
            "SELECT JSON_VALUE(Priv, '$.password_lifetime') FROM mysql.global_priv WHERE User = %s AND Host = '%%'", name
        )
        return found, {key: value for key, value in account.items() if key not in own}, lifetime

    def use_rights(self, secret: SecretDocument) -> None:
        with self._application(secret) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT CURRENT_ROLE()")
            ((role,),) = cursor.fetchall()
            mine = role.removeprefix("readers_")
            cursor.execute(f"SELECT id, price FROM {_DATABASE}.goods_{mine}")
            cursor.execute(f"UPDATE {_DATABASE}.goods_{mine} SET price = 1")
            cursor.execute(f"CALL {_DATABASE}.greet_{mine}()")
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS mine_{mine}")
            try:
                cursor.execute(f"SELECT secret FROM {_DATABASE}.goods_{mine}")
            except pymysql.OperationalError:
                return
        raise PermissionError("more is allowed than was granted")

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        with self._application(secret) as connection, connection.cursor() as cursor:
            yield lambda: cursor.execute("SELECT 1")

    def run_as(self, secret: SecretDocument, statement: str) -> None:
        """Run a statement as an application does."""
        with self._application(secret) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def create_object(self, secret: SecretDocument, name: str) -> None:
        self.run_as(secret, f"CREATE TABLE {_DATABASE}.{name} (id int)")

    def change_object(self, secret: SecretDocument, name: str) -> None:
        self.run_as(secret, f"ALTER TABLE {_DATABASE}.{name} ADD c_{token_hex(4)} int")

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        # All users are locked together.
        with self.server.admin_connection() as admin, admin.cursor() as cursor:
            cursor.execute("LOCK TABLES mysql.global_priv WRITE")
            yield

    def end_sessions(self, name: str) -> None:
        self.administer("KILL USER %s", name)

    @contextmanager
    def policy(self) -> Iterator[None]:
        self.administer("INSTALL SONAME 'simple_password_check'")
        self.administer("SET GLOBAL simple_password_check_minimal_length = 200")
        try:
            yield
        finally:
            self.administer("UNINSTALL SONAME 'simple_password_check'")

    def log(self) -> str:
        return self.server.log()

    def administer(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser; `%s` stands for each value."""
        with self.server.admin_connection() as admin, admin.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def _rows(self, statement: str, name: str) -> list[dict[str, Any]]:
        with self.server.admin_connection() as admin, admin.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(statement, (name,))
            return list(cursor.fetchall())

    def _application(self, secret: SecretDocument) -> "pymysql.Connection[Any]":
        return self._connect(secret.fields.username, secret.fields.password.get_secret_value())

    def _connect(self, name: str, password: str) -> "pymysql.Connection[Any]":
        return pymysql.connect(
            host=self.server.host,
            port=self.server.port,
            user=name,
            password=password.encode(),
            charset="utf8mb4",
            connect_timeout=3,
            autocommit=True,
            **({"ssl_ca": str(self._tls.authority)} if self._tls else {"ssl_disabled": True}),
        )
