"""What is said to PostgreSQL once it has accepted a login.

The server is told a SCRAM verifier, never the password, so `log_statement` and pg_stat_activity have nothing to reveal.
Identifiers are composed, values are bound or, in utility statements that know no parameters, quoted by the driver.
"""

import re
from typing import Any, ClassVar

import psycopg
from psycopg import sql
from pydantic import SecretStr

from rotation.engines.invocation import Invocation
from rotation.engines.postgres_errors import statement_error, unreadable
from rotation.errors import TargetMismatchError

_ROLES = """
    SELECT r.rolname,
           EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid
                   WHERE m.member = r.oid AND o.rolname = %s)
    FROM pg_roles r WHERE r.rolname = ANY (%s)
"""
_LIMITS = """
    SELECT c.rolname, o.rolconnlimit, coalesce(o.rolvaliduntil, 'infinity')::text
    FROM pg_roles c JOIN pg_roles o ON o.rolname = %s
    WHERE c.rolname = %s AND (c.rolconnlimit, coalesce(c.rolvaliduntil, 'infinity'))
        <> (o.rolconnlimit, coalesce(o.rolvaliduntil, 'infinity'))
"""
_SETTINGS = """
    SELECT d.datname, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
    FROM pg_db_role_setting s
    JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    CROSS JOIN unnest(s.setconfig) c
    WHERE r.rolname = %s AND c <> 'role=none'
"""
_LISTS = frozenset({"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"})
"""Parameters that are stored as a list of quoted names and have to be set as one; pg_dump keeps the same table."""
_LIST_ITEM = re.compile(r'\s*("(?:[^"]|"")*"|[^,]+?)\s*(?:,|$)')
_LOCK_SHARE = 0.9
"""Of a statement's limit, so that a wait for a lock ends as such."""


class PostgresSession:
    """One login, one transaction.

    Attributes:
        password_encryption: What is made of a password, by libpq's name for it.
        role_keyword: What the product calls a role whose defaults are set.
    """

    password_encryption: ClassVar[bytes] = b"scram-sha-256"
    role_keyword: ClassVar[sql.SQL] = sql.SQL("ROLE")

    def __init__(self, connection: psycopg.Connection, username: str, invocation: Invocation) -> None:
        self._connection = connection
        self._username = username
        self._invocation = invocation

    def begin(self, limit_seconds: float) -> None:
        """Open the transaction, and let the server itself end statements and lock waits that last longer.

        So none of them takes effect after it was reported as failed. One message says it all, which saves a round trip;
        the startup options would save another, but poolers refuse them. The search path keeps functions of other users
        out of a superuser's statements.
        """
        limit = int(limit_seconds * 1000)
        self._execute(
            "begin",
            sql.SQL(
                "BEGIN; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; "
                "SET LOCAL search_path = pg_catalog, pg_temp"
            ).format(limit, int(limit * _LOCK_SHARE)),
        )

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Send a verifier for the new password; PostgreSQL holds one a role."""
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(username), self._verifier(password.get_secret_value(), username)
        )
        if username == self._username:
            # Whoever acts as another role (`ALTER ROLE … SET role`) may change the own password only as itself.
            statement = sql.SQL("SET LOCAL ROLE NONE; ") + statement
        self._execute("alter_role", statement)

    def provide_clone(self, owner: str, clone: str) -> None:
        """Make `clone` a login whose sessions act as `owner` (`SET role`), so that ownership never splits.

        It also gets the owner's limits and session defaults, which membership does not pass on. If the owner acts as a
        third role, that is one of them, and the clone does the same.
        """
        is_member = dict(self._execute("look_up", _ROLES, owner, [owner, clone]))
        if owner not in is_member:
            raise TargetMismatchError(
                f"there is no role {owner}, whose alternate {clone} would be",
                remedy="A user name that ends in _clone is taken for an alternate: rename it, or choose single-user.",
            )
        names = {"owner": sql.Identifier(owner), "clone": sql.Identifier(clone)}
        if clone not in is_member:
            self._execute("create_role", sql.SQL("CREATE ROLE {clone} LOGIN").format(**names))
            self._execute("grant", sql.SQL("GRANT {owner} TO {clone}").format(**names))
        elif not is_member[clone]:
            raise TargetMismatchError(
                f"the user {clone} exists and is not a member of {owner}",
                remedy=f"If it is meant to be the alternate, GRANT {owner} TO {clone}; else rename it.",
            )
        for _, connections, end in self._execute("look_up", _LIMITS, owner, clone):
            limits = sql.SQL("ALTER ROLE {clone} CONNECTION LIMIT {connections} VALID UNTIL {end}")
            self._execute("set_limits", limits.format(**names, connections=connections, end=end))
        self._set_default(clone, None, "role", owner)
        for database, name, value in self._execute("look_up", _SETTINGS, owner):
            self._set_default(clone, database, name, value)

    def _verifier(self, password: str, username: str) -> sql.Literal:
        """What the server keeps of a password."""
        kept = self._connection.pgconn.encrypt_password(password.encode(), username.encode(), self.password_encryption)
        return sql.Literal(kept.decode())

    def _set_default(self, role: str, database: str | None, name: str, value: str) -> None:
        """Set what a parameter is when a session of the role begins, in one database or in all.

        Args:
            role: Whose sessions.
            database: None for all.
            name: A parameter; one of an extension has two parts.
            value: As the catalogue stores it.
        """
        scope = sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
        statement = sql.SQL("ALTER {} {}{} SET {} TO {}").format(
            self.role_keyword,
            sql.Identifier(role),
            scope,
            sql.Identifier(*name.split(".")),
            sql.SQL(", ").join(map(sql.Literal, _items(value) if name in _LISTS else [value])),
        )
        self._execute("set_default", statement)

    def check(self) -> None:
        """Run a query: a login alone would not notice a server that accepts and then fails."""
        self._execute("check", "SELECT 1")

    def commit(self) -> None:
        """Make it permanent."""
        self._execute("commit", "COMMIT")

    def _execute(self, name: str, statement: str | sql.Composed, *values: object) -> list[tuple[Any, ...]]:
        with self._invocation.call(name):
            try:
                cursor = self._connection.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                raise statement_error(error, name) from None
            except (LookupError, OverflowError, TypeError, ValueError):  # the driver's, from reading values
                raise unreadable(name) from None


def _items(value: str) -> list[str]:
    """The names in a stored list, such as `"$user", public`; quotes inside of names are doubled there."""
    return [item[1:-1].replace('""', '"') if item.startswith('"') else item for item in _LIST_ITEM.findall(value)]
