"""PostgreSQL in Redshift's place, which cannot be had: it speaks the same protocol and asks for MD5 passwords.

Redshift's own catalogue (`pg_user_info`, `svl_user_info`, `svv_user_grants`) is a fake: views of what PostgreSQL knows of
its roles. Nobody has roles, access to the system log or a session timeout there.
"""

from secrets import token_hex
from typing import Any, ClassVar

from psycopg import sql

from local.postgres import PostgresServer
from local.targets.postgres import PostgresTarget
from rotation.models import SecretDocument

_FAKE_CATALOGUE = """
    CREATE VIEW pg_catalog.pg_user_info AS
    SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper,
           CASE rolconnlimit WHEN -1 THEN 'UNLIMITED' ELSE rolconnlimit::text END AS useconnlimit,
           rolvaliduntil::text AS valuntil, rolconfig AS useconfig FROM pg_roles;
    CREATE VIEW pg_catalog.svl_user_info AS
    SELECT rolname AS usename, oid AS usesysid, 'RESTRICTED' AS syslogaccess, NULL::int AS sessiontimeout FROM pg_roles;
    CREATE VIEW pg_catalog.svv_user_grants AS SELECT ''::text AS user_name, ''::text AS role_name WHERE false
"""


class FakeRedshiftServer(PostgresServer):
    """PostgreSQL that asks for MD5 passwords."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._settings["allow_system_table_mods"] = "on"

    def _initialise_data(self) -> None:
        super()._initialise_data()
        # Whoever has a SCRAM verifier, as the superuser has, is asked for SCRAM under this rule too.
        (self._data / "pg_hba.conf").write_text("host all all all md5\n")


class RedshiftTarget(PostgresTarget):
    """Users may read what they were granted, and own what they make."""

    server_class: ClassVar[type[PostgresServer]] = FakeRedshiftServer
    # What a user makes is its own alone, so this is no target `WithOwners`.
    create_object = None  # type: ignore[assignment]
    change_object = None  # type: ignore[assignment]

    def _prepare(self) -> None:
        super()._prepare()
        self._administer(_FAKE_CATALOGUE)
        self.title += " in the place of Redshift"

    def create_user(self, name: str, password: str) -> None:
        with self.server.admin_connection() as admin:
            digest = admin.pgconn.encrypt_password(password.encode(), name.encode(), b"md5").decode()
        self._administer(f"CREATE USER {{}} PASSWORD '{digest}'", name)

    def users(self) -> set[str]:
        return {name for (name,) in self._administer("SELECT usename FROM pg_user")}

    def give_rights(self, name: str) -> None:
        names = [f"{kind}_{token_hex(4)}" for kind in ("readers", "by_group", "by_grant", "schema")]
        group, of_group, granted, schema = names
        self._administer("CREATE GROUP {}", group)
        self._administer("CREATE TABLE {} (id int)", of_group)
        self._administer("CREATE SCHEMA {}", schema)
        self._administer("CREATE TABLE {}.{} (id int)", schema, granted)
        self._administer("GRANT SELECT ON {} TO GROUP {}", of_group, group)
        self._administer("ALTER GROUP {} ADD USER {}", group, name)
        self._administer("GRANT USAGE, CREATE ON SCHEMA {} TO {}", schema, name)
        self._administer("GRANT SELECT, INSERT ON {}.{} TO {}", schema, granted, name)
        self._administer("GRANT CREATE ON DATABASE postgres TO {}", name)
        self._administer("ALTER USER {} CONNECTION LIMIT 17 VALID UNTIL '2999-01-01' CREATEDB", name)
        self._administer('ALTER USER {} SET search_path = "$user", public', name)
        self._administer("ALTER USER {} SET statement_timeout = 123456", name)

    def rights(self, name: str) -> tuple[list[tuple[Any, ...]], ...]:
        quoted = sql.Literal(name).as_string()
        user = self._administer(
            "SELECT rolconnlimit, coalesce(rolvaliduntil::text, 'infinity'), rolcanlogin, rolcreatedb, rolconfig "
            f"FROM pg_roles WHERE rolname = {quoted}"
        )
        groups = self._administer(
            "SELECT g.groname FROM pg_group g JOIN pg_user u ON u.usesysid = ANY (g.grolist) "
            f"WHERE u.usename = {quoted} AND g.groname NOT LIKE 'alternate%' ORDER BY 1"
        )
        privileges = self._administer(
            "SELECT table_schema, table_name, privilege_type FROM information_schema.table_privileges "
            f"WHERE grantee = {quoted} AND grantor <> grantee ORDER BY 1, 2, 3"
        )
        return user, groups, privileges

    def use_rights(self, secret: SecretDocument) -> None:
        with self._application(secret) as connection:
            ((by_group, schema, by_grant, path),) = connection.execute(
                """
                SELECT g.relname, n.nspname, t.relname, current_setting('search_path')
                FROM pg_class g, pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
                WHERE g.relname LIKE 'by_group%' AND has_table_privilege(g.oid, 'SELECT')
                  AND t.relname LIKE 'by_grant%' AND has_table_privilege(t.oid, 'INSERT')
                """
            ).fetchall()
            connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(by_group)))
            connection.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(sql.Identifier(schema, by_grant)))
            connection.execute(sql.SQL("CREATE TABLE {} (id int)").format(sql.Identifier(schema, f"own_{token_hex(4)}")))
        if path != '"$user", public':
            raise PermissionError(f"search_path {path}")
