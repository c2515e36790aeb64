"""What is said to Redshift once it has accepted a login.

Redshift is told the MD5 digest that it keeps of a password, never the password. Sessions of one user cannot act as another,
so what a clone creates is its own. It gets what its owner may do in the database of the superuser's login; neither may read
or change what only the other has made, until somebody grants it.

Source: https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_commands.html
"""

import hashlib
import secrets
from collections.abc import Mapping

from psycopg import sql
from pydantic import SecretStr

from rotation.engines.postgres_session import PostgresSession
from rotation.errors import TargetMismatchError

_LONGEST_NAME = 127
_USERS = "SELECT usename FROM pg_user WHERE usename = %s OR usename = %s"
_USER = "SELECT usesuper, usecreatedb, useconnlimit, valuntil, useconfig FROM pg_user_info WHERE usename = %s"
_MORE_OF_USER = "SELECT syslogaccess, sessiontimeout FROM svl_user_info WHERE usename = %s"
_GROUPS = "SELECT g.groname FROM pg_group g, pg_user u WHERE u.usename = %s AND u.usesysid = ANY (g.grolist)"
_ROLES = "SELECT role_name FROM svv_user_grants WHERE user_name = %s"
_PRIVILEGES: Mapping[str, str] = {
    "DATABASE": """
        SELECT p.privilege, NULL, d.datname, has_database_privilege(o.usename, d.datname, p.privilege)
        FROM pg_database d, pg_user o, pg_user c, (SELECT 'CREATE' AS privilege UNION ALL SELECT 'TEMP') p
        WHERE o.usename = %s AND c.usename = %s AND d.datdba <> c.usesysid AND d.datname = current_database()
          AND has_database_privilege(o.usename, d.datname, p.privilege)
           <> has_database_privilege(c.usename, d.datname, p.privilege)
    """,
    "SCHEMA": """
        SELECT p.privilege, NULL, n.nspname, has_schema_privilege(o.usename, n.nspname, p.privilege)
        FROM pg_namespace n, pg_user o, pg_user c, (SELECT 'CREATE' AS privilege UNION ALL SELECT 'USAGE') p
        WHERE o.usename = %s AND c.usename = %s AND n.nspowner <> c.usesysid AND n.nspname NOT LIKE 'pg!_%%' ESCAPE '!'
          AND has_schema_privilege(o.usename, n.nspname, p.privilege)
           <> has_schema_privilege(c.usename, n.nspname, p.privilege)
    """,
    "TABLE": """
        SELECT privilege, nspname, relname, has_table_privilege(owner, named, privilege)
        FROM (
            SELECT p.privilege, n.nspname, t.relname, o.usename AS owner, c.usename AS clone,
                   quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS named
            FROM pg_class t, pg_namespace n, pg_user o, pg_user c,
                 (SELECT 'SELECT' AS privilege UNION ALL SELECT 'INSERT' UNION ALL SELECT 'UPDATE'
                  UNION ALL SELECT 'DELETE' UNION ALL SELECT 'REFERENCES') p
            WHERE o.usename = %s AND c.usename = %s AND n.oid = t.relnamespace AND t.relowner <> c.usesysid
              AND t.relkind IN ('r', 'v') AND n.nspname NOT LIKE 'pg!_%%' ESCAPE '!' AND n.nspname <> 'information_schema'
        ) tables
        WHERE has_table_privilege(owner, named, privilege) <> has_table_privilege(clone, named, privilege)
    """,
}
"""What one of two users may do and the other may not, whether by a grant, a group or as owner: privilege, schema, name,
and whether it is the owner who may. What the clone has made itself is left out."""


class RedshiftSession(PostgresSession):
    """One login, one transaction."""

    password_encryption = b"md5"
    role_keyword = sql.SQL("USER")

    def begin(self, limit_seconds: float) -> None:
        """Open the transaction with a limit to its statements, which is one to their waits for locks as well."""
        self._execute("begin", "BEGIN")
        limit = sql.SQL("SET LOCAL statement_timeout TO {}").format(int(limit_seconds * 1000))
        self._execute("set_limit", limit)
        self._execute("set_path", "SET LOCAL search_path TO pg_catalog")

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Send the digest that Redshift keeps; it holds one a user."""
        statement = sql.SQL("ALTER USER {} PASSWORD {}").format(
            sql.Identifier(username), self._verifier(password.get_secret_value(), username)
        )
        self._execute("alter_role", statement)

    def provide_clone(self, owner: str, clone: str) -> None:
        """Make `clone` a user with the groups, roles, limits, defaults and privileges of `owner`, and no others.

        It is known by a group without privileges that names the owner, so that no other user can be taken for it.
        """
        present = {name for (name,) in self._execute("look_up", _USERS, owner, clone)}
        if owner not in present:
            raise TargetMismatchError(
                f"there is no user {owner}, whose alternate {clone} would be",
                remedy="A user name that ends in _clone is taken for an alternate: rename it, or choose single-user.",
            )
        mark = _mark(owner)
        if clone not in present:
            self._create(clone, mark)
        elif mark not in self._names(_GROUPS, clone):
            raise TargetMismatchError(
                f"the user {clone} exists and is not in the group {mark}",
                remedy=f"If it is meant to be the alternate, create the group {mark} with it in it; else rename it.",
            )
        self._share_limits(owner, clone)
        self._share_defaults(owner, clone)
        self._share_memberships(owner, clone, mark)
        self._share_privileges(owner, clone)

    def _create(self, clone: str, mark: str) -> None:
        """Make the clone, with a password that nobody knows: its own is set by whoever asked for it."""
        if not self._execute("look_up", "SELECT groname FROM pg_group WHERE groname = %s", mark):
            self._change("create_group", "CREATE GROUP {}", mark)
        password = self._verifier(secrets.token_urlsafe(32), clone)
        self._execute("create_role", sql.SQL("CREATE USER {} PASSWORD {}").format(sql.Identifier(clone), password))
        self._change("grant", "ALTER GROUP {} ADD USER {}", mark, clone)

    def _share_limits(self, owner: str, clone: str) -> None:
        for wanted, present in zip(self._limits(owner), self._limits(clone), strict=True):
            if wanted != present:
                self._execute("set_limits", sql.SQL("ALTER USER {} ").format(sql.Identifier(clone)) + wanted)

    def _limits(self, username: str) -> tuple[sql.Composable, ...]:
        """Each as the words that set it."""
        ((is_superuser, may_create, connections, end, _),) = self._execute("look_up", _USER, username)
        ((log_access, timeout),) = self._execute("look_up", _MORE_OF_USER, username)
        is_limited = str(connections or "").isdecimal()
        return (
            sql.SQL("CREATEUSER" if is_superuser else "NOCREATEUSER"),
            sql.SQL("CREATEDB" if may_create else "NOCREATEDB"),
            sql.SQL("SYSLOG ACCESS UNRESTRICTED" if log_access == "UNRESTRICTED" else "SYSLOG ACCESS RESTRICTED"),
            sql.SQL("CONNECTION LIMIT {}").format(int(connections)) if is_limited else sql.SQL("CONNECTION LIMIT UNLIMITED"),
            sql.SQL("VALID UNTIL {}").format(str(end or "infinity")),
            sql.SQL("SESSION TIMEOUT {}").format(int(timeout)) if timeout else sql.SQL("RESET SESSION TIMEOUT"),
        )

    def _share_defaults(self, owner: str, clone: str) -> None:
        wanted, present = self._defaults(owner), self._defaults(clone)
        for name in present.keys() - wanted.keys():
            statement = sql.SQL("ALTER USER {} RESET {}")
            self._execute("set_default", statement.format(sql.Identifier(clone), sql.Identifier(*name.split("."))))
        for name, value in wanted.items():
            if present.get(name) != value:
                self._set_default(clone, None, name, value)

    def _defaults(self, username: str) -> dict[str, str]:
        ((*_, configuration),) = self._execute("look_up", _USER, username)
        return dict(item.split("=", 1) for item in configuration or ())

    def _share_memberships(self, owner: str, clone: str, mark: str) -> None:
        wanted, present = self._names(_GROUPS, owner) | {mark}, self._names(_GROUPS, clone)
        for group in wanted - present:
            self._change("grant", "ALTER GROUP {} ADD USER {}", group, clone)
        for group in present - wanted:
            self._change("revoke", "ALTER GROUP {} DROP USER {}", group, clone)
        wanted, present = self._names(_ROLES, owner), self._names(_ROLES, clone)
        for role in wanted - present:
            self._change("grant", "GRANT ROLE {} TO {}", role, clone)
        for role in present - wanted:
            self._change("revoke", "REVOKE ROLE {} FROM {}", role, clone)

    def _share_privileges(self, owner: str, clone: str) -> None:
        for kind, query in _PRIVILEGES.items():
            for privilege, schema, name, is_owners in self._execute("look_up", query, owner, clone):
                statement = "GRANT {} ON {} {} TO {}" if is_owners else "REVOKE {} ON {} {} FROM {}"
                self._execute(
                    "grant" if is_owners else "revoke",
                    sql.SQL(statement).format(
                        sql.SQL(privilege),
                        sql.SQL(kind),
                        sql.Identifier(schema, name) if schema else sql.Identifier(name),
                        sql.Identifier(clone),
                    ),
                )

    def _names(self, query: str, username: str) -> set[str]:
        return {name for (name,) in self._execute("look_up", query, username)}

    def _change(self, name: str, statement: str, *identifiers: str) -> None:
        self._execute(name, sql.SQL(statement).format(*map(sql.Identifier, identifiers)))


def _mark(owner: str) -> str:
    name = f"alternate_of_{owner}"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    return f"alternate_of_{hashlib.sha256(owner.encode()).hexdigest()}"
