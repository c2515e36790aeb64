"""Who is taken for a user's alternate in MariaDB, and what becomes of what either has made."""

import pytest

from local.contract.rotating import SecretInRotation, log_in, new_name, new_password, password_of, refused
from local.contract.strategies import accepted
from local.mariadb import stored_password
from local.targets.mariadb import MariaDbTarget
from rotation.errors import AuthenticationUnsafeError, PrivilegeMissingError, TargetMismatchError
from rotation.models import SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers


@pytest.fixture
def rotation(app: SecretDocument, root: SecretDocument) -> SecretInRotation:
    return SecretInRotation(AlternatingUsers(), app, root, None)


def grants(mariadb: MariaDbTarget, user: str) -> list[str]:
    """Without the mark, and without the names."""
    lines = [line.replace(user, "…") for (line,) in mariadb.administer("SHOW GRANTS FOR %s@'%%'", user)]
    return sorted(line.split(" IDENTIFIED BY")[0] for line in lines if "alternate-of-" not in line)


def written(mariadb: MariaDbTarget) -> list[str]:
    """The statements about users in the statement log."""
    lines = (line.partition("Query\t")[2] for line in mariadb.log().splitlines())
    return [
        line for line in lines if line.startswith(("GRANT", "REVOKE", "CREATE USER", "ALTER USER", "SET PASSWORD", "SET D"))
    ]


def create(mariadb: MariaDbTarget, name: str, more: str = "") -> None:
    mariadb.administer(f"CREATE USER %s@'%%' IDENTIFIED BY PASSWORD %s {more}", name, stored_password(new_password()))


class TestWhoIsTheClone:
    def test_the_one_that_another_function_made_with_the_same_rights(
        self, rotation: SecretInRotation, mariadb: MariaDbTarget
    ) -> None:
        owner = rotation.current.fields.username
        create(mariadb, f"{owner}_clone")
        for (line,) in mariadb.administer("SHOW GRANTS FOR %s@'%%'", owner):
            if "IDENTIFIED" not in line:
                mariadb.administer(line.replace(owner, f"{owner}_clone"))
        rotation.rotate()
        assert accepted(mariadb, rotation.current)

    def test_the_one_whose_making_was_interrupted(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        owner = rotation.current.fields.username
        create(mariadb, f"{owner}_clone", "PASSWORD EXPIRE")
        rotation.rotate()
        assert accepted(mariadb, rotation.current)
        assert grants(mariadb, f"{owner}_clone") == grants(mariadb, owner)

    def test_nobody_who_has_no_rights_but_a_password(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        clone = f"{rotation.current.fields.username}_clone"
        create(mariadb, clone)
        rotation.create()
        with refused(TargetMismatchError) as refusal:
            rotation.set()
        assert refusal.error is not None
        # The remedy is the statement to run.
        statement = refusal.error.next_action.removeprefix("If it is meant to be the alternate, ").partition(";")[0]
        mariadb.administer(statement)
        rotation.set()
        assert accepted(mariadb, rotation.pending)

    def test_nobody_who_has_no_rights_as_the_owner_has_none(
        self, rotation: SecretInRotation, mariadb: MariaDbTarget, root: SecretDocument
    ) -> None:
        owner = new_name()
        create(mariadb, owner)
        create(mariadb, f"{owner}_clone")
        with refused(TargetMismatchError), log_in(root) as session:
            session.provide_clone(owner, f"{owner}_clone")

    def test_the_mark_of_another_owner_is_none(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        other = rotation.rotate()
        owner, password = new_name(), new_password()
        mariadb.create_user(owner, password)
        marks = [line for (line,) in mariadb.administer("SHOW GRANTS FOR %s@'%%'", other.fields.username)]
        create(mariadb, f"{owner}_clone")
        for line in marks:
            if "alternate-of-" in line:
                mariadb.administer(line.replace(other.fields.username, f"{owner}_clone"))
        rotation.current = rotation.current.changed(username=owner, password=password)
        rotation.create()
        with refused(TargetMismatchError):
            rotation.set()


class TestRights:
    def test_what_the_owner_lost_the_clone_loses(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        owner = rotation.current.fields.username
        mariadb.give_rights(owner)
        clone = rotation.rotate().fields.username
        rotation.rotate()
        mariadb.administer("REVOKE ALL PRIVILEGES, GRANT OPTION FROM %s@'%%'", owner)
        mariadb.administer("GRANT SELECT ON shop.* TO %s@'%%'", owner)
        mariadb.administer("ALTER USER %s@'%%' REQUIRE NONE WITH MAX_USER_CONNECTIONS 3 PASSWORD EXPIRE NEVER", owner)
        rotation.rotate()
        assert grants(mariadb, clone) == grants(mariadb, owner)
        assert mariadb.rights(clone) == mariadb.rights(owner)

    def test_part_of_what_the_clone_had_stays_when_the_rest_goes(
        self, rotation: SecretInRotation, mariadb: MariaDbTarget
    ) -> None:
        owner = rotation.current.fields.username
        clone = rotation.rotate().fields.username
        mariadb.administer("GRANT ALL PRIVILEGES ON shop.* TO %s@'%%' WITH GRANT OPTION", clone)
        rotation.rotate()
        assert grants(mariadb, clone) == grants(mariadb, owner)

    def test_nothing_is_written_when_nothing_has_changed(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        rotation.rotate()
        rotation.rotate()
        before = written(mariadb)
        rotation.rotate()
        assert [statement.split(" '")[0] for statement in written(mariadb)[len(before) :]] == ["SET PASSWORD FOR"]

    def test_a_locked_owner_does_not_lock_the_clone_that_clients_use(
        self, rotation: SecretInRotation, mariadb: MariaDbTarget
    ) -> None:
        owner = rotation.current.fields.username
        clone = rotation.rotate()
        mariadb.bar(owner)
        rotation.create()
        rotation.set()
        assert accepted(mariadb, clone)

    def test_a_view_of_the_clones_works_for_the_owner(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        owner = rotation.current
        mariadb.administer("GRANT SELECT, CREATE VIEW ON shop.* TO %s@'%%'", owner.fields.username)
        table, view = new_name("table"), new_name("view")
        clone = rotation.rotate()
        mariadb.create_object(clone, table)
        mariadb.run_as(clone, f"CREATE SQL SECURITY DEFINER VIEW shop.{view} AS SELECT * FROM shop.{table}")
        owner = rotation.rotate()
        mariadb.run_as(owner, f"SELECT * FROM shop.{view}")

    def test_a_routine_of_the_clones_is_the_owners_too(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        mariadb.administer("GRANT CREATE ROUTINE ON shop.* TO %s@'%%'", rotation.current.fields.username)
        routine = f"shop.`{new_name('it`s')}`".replace("it`s", "it``s")
        clone = rotation.rotate()
        mariadb.run_as(clone, f"CREATE PROCEDURE {routine}() SELECT 1")
        owner = rotation.rotate()
        for _ in range(2):
            for each in (clone, owner):
                mariadb.run_as(each, f"CALL {routine}()")
                mariadb.run_as(each, f"ALTER PROCEDURE {routine} COMMENT 'changed'")
            clone = rotation.rotate()
        assert grants(mariadb, clone.fields.username) == grants(mariadb, owner.fields.username)


class TestSuperusers:
    def test_one_that_may_not_look_at_users(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        name, password = new_name("helper"), new_password()
        mariadb.create_user(name, password)
        rotation.superuser = rotation.superuser.changed(username=name, password=password)
        rotation.create()
        with refused(PrivilegeMissingError, password, password_of(rotation.pending)):
            rotation.set()

    def test_one_that_may_not_pass_on_what_the_owner_has(self, rotation: SecretInRotation, mariadb: MariaDbTarget) -> None:
        name, password = new_name("helper"), new_password()
        mariadb.create_user(name, password)
        mariadb.administer("GRANT SELECT ON mysql.* TO %s@'%%'", name)
        mariadb.administer("GRANT CREATE USER ON *.* TO %s@'%%'", name)
        right = rotation.superuser
        rotation.superuser = right.changed(username=name, password=password)
        rotation.create()
        with refused(PrivilegeMissingError, password, password_of(rotation.pending)):
            rotation.set()
        # What was begun is finished once somebody may.
        rotation.superuser = right
        rotation.set()
        assert accepted(mariadb, rotation.pending)


def test_an_owner_without_password_gets_no_clone(mariadb: MariaDbTarget, root: SecretDocument) -> None:
    owner = new_name()
    mariadb.administer("CREATE USER %s@'%%' IDENTIFIED VIA unix_socket", owner)
    with refused(AuthenticationUnsafeError) as refusal, log_in(root) as session:
        session.provide_clone(owner, f"{owner}_clone")
    assert "unix_socket" in refusal.message
    assert f"{owner}_clone" not in mariadb.users()
