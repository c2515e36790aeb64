"""One user name, several accounts: which of them a rotation changes."""

import pytest
from pydantic import SecretStr

from local.contract.rotating import SecretInRotation, log_in, new_password, password_of, refused
from local.mariadb import stored_password
from local.targets.mariadb import MariaDbTarget
from rotation.errors import TargetMismatchError
from rotation.models import SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from tests.contract.mysql.stub_mysql8 import StubMySql8

NEAR, FAR, ALL = "127.0.0.1", "192.0.2.%", "%"
"""The functions' and the tests' own host, hosts of which there are none, and all hosts."""


def add(target: MariaDbTarget, user: str, host: str, password: str) -> None:
    target.administer("CREATE USER %s@%s IDENTIFIED BY PASSWORD %s", user, host, stored_password(password))


def stored(target: MariaDbTarget, user: str) -> dict[str, str]:
    rows = target.administer("SELECT Host, authentication_string FROM mysql.user WHERE User = %s", user)
    return {str(host): str(text) for host, text in rows}


def rotation_of(
    app: SecretDocument, root: SecretDocument, strategy: type[SingleUser | AlternatingUsers]
) -> SecretInRotation:
    return SecretInRotation(strategy(), app, root, None)


class TestOwnPassword:
    def test_the_account_that_lets_the_user_in_is_changed_and_no_other(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument
    ) -> None:
        user, near = app.fields.username, new_password()
        add(mariadb, user, NEAR, near)
        before = stored(mariadb, user)
        new = password_of(rotation_of(app.changed(password=near), root, SingleUser).rotate())
        assert stored(mariadb, user) == {**before, NEAR: stored_password(new)}


class TestBySuperuser:
    def test_the_accounts_that_have_the_secrets_password_are_changed_and_no_others(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument
    ) -> None:
        user, password, other = app.fields.username, password_of(app), new_password()
        add(mariadb, user, NEAR, password)
        add(mariadb, user, FAR, other)
        new = stored_password(password_of(rotation_of(app, root, SingleUserBySuperuser).rotate()))
        assert stored(mariadb, user) == {ALL: new, NEAR: new, FAR: stored_password(other)}

    def test_it_is_repeatable(self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument) -> None:
        add(mariadb, app.fields.username, NEAR, password_of(app))
        rotation = rotation_of(app, root, SingleUserBySuperuser)
        for _ in range(3):
            rotation.rotate()
        assert set(stored(mariadb, app.fields.username).values()) == {stored_password(password_of(rotation.current))}

    def test_a_password_that_none_of_several_accounts_has_changes_none(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument
    ) -> None:
        user, new, lost = app.fields.username, new_password(), new_password()
        add(mariadb, user, FAR, new_password())
        before = stored(mariadb, user)
        with refused(TargetMismatchError, new, lost) as refusal, log_in(root) as session:
            session.set_password(user, SecretStr(new), keep=SecretStr(lost))
        assert "several hosts" in refusal.message
        assert stored(mariadb, user) == before

    def test_a_user_that_does_not_exist(self, app: SecretDocument, root: SecretDocument) -> None:
        with refused(TargetMismatchError), log_in(root) as session:
            session.set_password("nobody_at_all", SecretStr(new_password()))


class TestAlternating:
    def test_the_clone_comes_from_the_hosts_of_the_owner(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument
    ) -> None:
        owner = app.fields.username
        add(mariadb, owner, FAR, password_of(app))
        rotation = rotation_of(app, root, AlternatingUsers)
        clone = rotation.rotate()
        assert stored(mariadb, clone.fields.username) == dict.fromkeys((ALL, FAR), stored_password(password_of(clone)))
        rotation.rotate()
        assert stored(mariadb, owner) == dict.fromkeys((ALL, FAR), stored_password(password_of(rotation.current)))

    def test_a_host_that_the_owner_got_later_the_clone_gets_with_its_next_turn(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument
    ) -> None:
        rotation = rotation_of(app, root, AlternatingUsers)
        rotation.rotate()
        owner = rotation.rotate()
        add(mariadb, owner.fields.username, FAR, password_of(owner))
        clone = rotation.rotate()
        assert stored(mariadb, clone.fields.username) == dict.fromkeys((ALL, FAR), stored_password(password_of(clone)))

    def test_owners_accounts_with_different_passwords_are_left_alone(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument
    ) -> None:
        """One of them may be somebody else's; without the password it cannot be told which."""
        rotation = rotation_of(app, root, AlternatingUsers)
        rotation.rotate()
        add(mariadb, app.fields.username, FAR, new_password())
        before = stored(mariadb, app.fields.username)
        rotation.create()
        with refused(TargetMismatchError, password_of(rotation.pending)):
            rotation.set()
        assert stored(mariadb, app.fields.username) == before


class TestOnTheStub:
    """The same with verifiers that are salted, so that equal passwords do not look it."""

    @pytest.fixture
    def rotation(
        self, stub: StubMySql8, stub_app: SecretDocument, stub_root: SecretDocument, bundle: str
    ) -> SecretInRotation:
        user = stub_app.fields.username
        stub.add(user, FAR, password_of(stub_app))
        stub.add(user, "198.51.100.7", "another password")
        return SecretInRotation(SingleUserBySuperuser(), stub_app, stub_root, bundle)

    def test_the_accounts_that_have_the_secrets_password_are_changed_and_no_others(
        self, rotation: SecretInRotation, stub: StubMySql8
    ) -> None:
        user, old = rotation.current.fields.username, password_of(rotation.current)
        for _ in range(2):
            old, new = password_of(rotation.current), password_of(rotation.rotate())
            for host in (ALL, FAR):
                assert stub.accounts[user, host].accepts(old)
                assert stub.accounts[user, host].accepts(new)
        assert stub.accounts[user, "198.51.100.7"].accepts("another password")
        assert not stub.accounts[user, "198.51.100.7"].accepts(new)
