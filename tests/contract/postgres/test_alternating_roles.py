"""Owner and clone on PostgreSQL: one owner of all objects, the same session defaults, and no way around either."""

from typing import Any

import pytest
from psycopg import sql

from local.contract import peers
from local.contract.rotating import SecretInRotation, document, new_name, new_password, password_of, refused
from local.postgres import PostgresServer
from rotation.errors import ConnectionLostError, TargetMismatchError
from rotation.models import CURRENT, PENDING, SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.single_user import SingleUser
from tests.contract.postgres.servers import administer, all_roles, application, can_log_in, create_role, superuser_keys

DEFAULTS = {
    "search_path": '"$user", "we""ird, schema", \'\', public',
    "statement_timeout": "'1ms'",
    "lock_timeout": "'1ms'",
    "work_mem": "'5MB'",
    "timezone": "'Asia/Tokyo'",
    "app.tenant": "'a=b, \"c\" ''d'' \\'",
    "session_preload_libraries": "'auto_explain', 'passwordcheck'",
    "default_transaction_read_only": "on",
    "application_name": "''",
}


@pytest.fixture
def rotation(secret: SecretDocument, superuser: SecretDocument) -> SecretInRotation:
    return SecretInRotation(AlternatingUsers(), secret, superuser)


@pytest.fixture
def database(server: PostgresServer) -> str:
    """A database of its own, where everybody may make tables."""
    name = new_name("db")
    administer(server, "CREATE DATABASE {}", name)
    administer(server, "GRANT CREATE ON SCHEMA public TO PUBLIC", dbname=name)
    return name


def run(secret: SecretDocument, statement: str, *names: str) -> list[tuple[Any, ...]]:
    """Run a statement as an application; `{}` stands for a name."""
    with application(secret) as connection:
        cursor = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        return cursor.fetchall() if cursor.description else []


class TestObjects:
    def test_what_either_makes_belongs_to_the_owner_and_both_may_do_anything_with_it(
        self, rotation: SecretInRotation, server: PostgresServer, database: str
    ) -> None:
        rotation.current = rotation.current.changed(dbname=database)
        owner = rotation.current.fields.username
        for turn in range(10):
            maker = rotation.current
            table = f"t{turn}"
            run(maker, "CREATE TABLE {} (id serial PRIMARY KEY)", table)
            taker = rotation.rotate()
            assert taker.fields.username != maker.fields.username
            run(taker, "ALTER TABLE {} ADD x int DEFAULT 1", table)
            run(taker, "INSERT INTO {} DEFAULT VALUES", table)
            run(maker, "CREATE INDEX ON {} (x)", table)
            run(maker, "GRANT SELECT ON {} TO pg_monitor", table)
        owners = administer(server, "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^t[0-9]'", dbname=database)
        assert owners == [(owner,)]
        for turn in range(10):
            run(rotation.current if turn % 2 else maker, "DROP TABLE {}", f"t{turn}")

    def test_an_owner_who_acts_as_a_third_role_has_a_clone_that_does_so_too(
        self, rotation: SecretInRotation, server: PostgresServer, database: str
    ) -> None:
        rotation.current = rotation.current.changed(dbname=database)
        owner, team = rotation.current.fields.username, new_name("team")
        administer(server, "CREATE ROLE {}", team)
        administer(server, "GRANT {} TO {}", team, owner)
        administer(server, "ALTER ROLE {} SET role = {}", owner, team)
        for table in ("t0", "t1", "t2"):
            run(rotation.current, "CREATE TABLE {} ()", table)
            rotation.rotate()
        owners = administer(server, "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^t[0-9]'", dbname=database)
        assert owners == [(team,)]

    def test_an_owner_who_insists_on_its_own_role_is_still_acted_as(
        self, rotation: SecretInRotation, server: PostgresServer
    ) -> None:
        owner = rotation.current.fields.username
        administer(server, "ALTER ROLE {} SET role = 'none'", owner)
        assert run(rotation.rotate(), "SELECT current_user") == [(owner,)]

    def test_a_clone_that_was_only_granted_the_owner_acts_as_it_from_now_on(
        self, rotation: SecretInRotation, server: PostgresServer
    ) -> None:
        owner = rotation.current.fields.username
        clone, password = owner + "_clone", new_password()
        create_role(server, clone, password)
        administer(server, "GRANT {} TO {}", owner, clone)
        rotation.current = rotation.current.changed(username=clone, password=password)
        assert run(rotation.current, "SELECT current_user") == [(clone,)]
        rotation.rotate()
        assert run(rotation.rotate(), "SELECT session_user, current_user") == [(clone, owner)]

    def test_a_clone_keeps_its_own_password_by_itself(self, rotation: SecretInRotation, server: PostgresServer) -> None:
        """Acting as the owner, it might not change its own password: the single user strategy has to step back."""
        clone = rotation.rotate()
        alone = SecretInRotation(SingleUser(), clone, rotation.superuser)
        alone.rotate()
        assert can_log_in(server, clone.fields.username, password_of(alone.current))


class TestDefaults:
    @pytest.mark.parametrize("name", DEFAULTS)
    def test_the_clones_sessions_begin_like_the_owners(
        self, rotation: SecretInRotation, server: PostgresServer, name: str
    ) -> None:
        owner = rotation.current.fields.username
        administer(server, f"ALTER ROLE {{}} SET {name} = {DEFAULTS[name]}", owner)
        rotation.create()
        rotation.set()
        assert name in self._stored(server, owner)
        assert self._stored(server, owner + "_clone") == self._stored(server, owner)

    def test_defaults_for_one_database_are_for_that_database(
        self, rotation: SecretInRotation, server: PostgresServer, database: str
    ) -> None:
        owner = rotation.current.fields.username
        administer(server, "ALTER ROLE {} SET work_mem = '5MB'", owner)
        administer(server, "ALTER ROLE {} IN DATABASE {} SET work_mem = '7MB'", owner, database)
        clone = rotation.rotate()
        assert run(clone, "SHOW work_mem") == [("5MB",)]
        assert run(clone.changed(dbname=database), "SHOW work_mem") == [("7MB",)]

    def test_a_change_arrives_with_the_next_rotation(self, rotation: SecretInRotation, server: PostgresServer) -> None:
        owner = rotation.current.fields.username
        for size in ("5MB", "6MB", "7MB"):
            administer(server, f"ALTER ROLE {{}} SET work_mem = '{size}'", owner)
            rotation.rotate()
            assert self._stored(server, owner + "_clone")["work_mem"] == size

    def test_the_schemas_are_found_in_the_same_order(
        self, rotation: SecretInRotation, server: PostgresServer, database: str
    ) -> None:
        rotation.current = rotation.current.changed(dbname=database)
        owner = rotation.current.fields.username
        administer(server, "CREATE SCHEMA {}", 'we"ird, schema', dbname=database)
        administer(server, "GRANT ALL ON SCHEMA {} TO {}", 'we"ird, schema', owner, dbname=database)
        administer(server, 'ALTER ROLE {} SET search_path = "$user", {}, public', owner, 'we"ird, schema')
        run(rotation.rotate(), "CREATE TABLE here ()")
        found = administer(server, "SELECT schemaname FROM pg_tables WHERE tablename = 'here'", dbname=database)
        assert found == [('we"ird, schema',)]

    @staticmethod
    def _stored(server: PostgresServer, role: str) -> dict[str, str]:
        with server.admin_connection() as admin:
            rows = admin.execute(
                "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole WHERE rolname = %s",
                [role],
            ).fetchall()
        pairs = dict(setting.split("=", 1) for (setting,) in rows)
        return {name.lower(): value for name, value in pairs.items() if name != "role"}


class TestHostility:
    def test_functions_of_the_user_do_not_run_as_the_superuser(
        self, rotation: SecretInRotation, server: PostgresServer, database: str
    ) -> None:
        owner = rotation.current.fields.username
        administer(server, "ALTER DATABASE {} OWNER TO {}", database, owner)
        mine = rotation.current.changed(dbname=database)
        run(mine, "CREATE SCHEMA trap")
        for name, arguments, answer in (
            ("split_part", "text, text, int", "text"),
            ("substr", "text, int", "text"),
            ("strpos", "text, text", "int"),
            ("set_config", "text, text, boolean", "text"),
        ):
            run(
                mine,
                f"CREATE FUNCTION trap.{name}({arguments}) RETURNS {answer} LANGUAGE plpgsql AS $$ BEGIN "
                f"EXECUTE 'ALTER ROLE \"{owner}\" SUPERUSER'; RETURN NULL; END $$",
            )
        run(mine, "ALTER DATABASE {} SET search_path = trap, pg_catalog", database)
        run(mine, "ALTER ROLE {} SET search_path = trap, pg_catalog", owner)
        run(mine, "ALTER ROLE {} SET work_mem = '5MB'", owner)
        rotation.superuser = document(superuser_keys(server), dbname=database)
        rotation.rotate()
        assert administer(server, f"SELECT rolsuper FROM pg_roles WHERE rolname = '{owner}'") == [(False,)]

    def test_a_member_of_somebodys_role_cannot_have_that_roles_password_set(
        self, rotation: SecretInRotation, server: PostgresServer
    ) -> None:
        victim, password = new_name("victim"), new_password()
        create_role(server, victim, password)
        administer(server, "GRANT {} TO {}", victim, rotation.current.fields.username)
        rotation.create()
        rotation.current = rotation.current.changed(cloneof=victim)
        rotation.pending = rotation.pending.changed(username=victim)
        with refused(TargetMismatchError):
            rotation.set()
        assert can_log_in(server, victim, password)

    @pytest.mark.parametrize("victim", ["postgres", "pg_monitor"])
    def test_a_claim_to_be_somebodys_clone_changes_nothing(
        self, rotation: SecretInRotation, server: PostgresServer, victim: str
    ) -> None:
        rotation.create()
        rotation.current = rotation.current.changed(cloneof=victim)
        rotation.pending = rotation.pending.changed(username=victim)
        before = all_roles(server)
        with refused(TargetMismatchError):
            rotation.set()
        assert all_roles(server) == before

    def test_a_stranger_of_the_clones_name_is_not_changed(self, rotation: SecretInRotation, server: PostgresServer) -> None:
        stranger = rotation.current.fields.username + "_clone"
        create_role(server, stranger, new_password())
        rotation.create()
        before = all_roles(server)
        with refused(TargetMismatchError) as refusal:
            rotation.set()
        assert f"GRANT {rotation.current.fields.username}" in str(refusal.error)
        assert all_roles(server) == before

    def test_a_group_of_the_clones_name_that_has_the_owner_as_a_member_is_no_clone(
        self, rotation: SecretInRotation, server: PostgresServer
    ) -> None:
        owner = rotation.current.fields.username
        administer(server, "CREATE ROLE {}", owner + "_clone")
        administer(server, "GRANT {} TO {}", owner + "_clone", owner)
        rotation.create()
        before = all_roles(server)
        with refused(TargetMismatchError):
            rotation.set()
        assert all_roles(server) == before


class TestLostAnswers:
    def test_a_commit_whose_answer_is_lost_is_rolled_forward(
        self, rotation: SecretInRotation, server: PostgresServer
    ) -> None:
        rotation.create()
        with peers.wiretap(server.port, cut=b"COMMIT") as tap:
            rotation.superuser = rotation.superuser.changed(port=tap.port)
            with refused(ConnectionLostError, password_of(rotation.pending)):
                rotation.set()
            rotation.superuser = rotation.superuser.changed(port=server.port)
        assert rotation.set() == CURRENT
        rotation.test_and_finish()

    def test_so_it_is_for_a_single_user(
        self, secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
    ) -> None:
        with peers.wiretap(server.port, cut=b"COMMIT") as tap:
            rotation = SecretInRotation(SingleUser(), secret.changed(port=tap.port), superuser)
            rotation.create()
            with refused(ConnectionLostError, password_of(rotation.pending)):
                rotation.set()
            tap.cut = None
            assert rotation.set() == PENDING
            rotation.test_and_finish()
