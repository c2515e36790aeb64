"""Who has to be superuser: nobody in earnest, but everybody with the rights it takes."""

from pathlib import Path
from typing import Any

import pytest

from local.contract.rotating import SecretInRotation, document, new_name, new_password, password_of, refused
from local.postgres import PostgresServer
from rotation.errors import PrivilegeMissingError, TargetReadOnlyError
from rotation.models import SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from tests.contract.postgres.servers import RuledServer, administer, all_roles, can_log_in, create_role, keys_of

BY_SUPERUSER: list[Strategy] = [SingleUserBySuperuser(), AlternatingUsers()]


@pytest.fixture
def manager(server: PostgresServer) -> SecretDocument:
    """A superuser that is none, as in a managed database."""
    name, password = new_name("manager"), new_password()
    create_role(server, name, password, "LOGIN CREATEROLE")
    return document(keys_of(server, username=name, password=password))


def works(server: PostgresServer, secret: SecretDocument) -> bool:
    return can_log_in(server, secret.fields.username, password_of(secret))


@pytest.mark.parametrize("strategy", BY_SUPERUSER, ids=lambda strategy: strategy.name.value)
class TestManager:
    def test_it_cannot_change_a_role_that_it_does_not_administer_and_leaves_nothing_half_done(
        self, strategy: Strategy, secret: SecretDocument, manager: SecretDocument, server: PostgresServer
    ) -> None:
        rotation = SecretInRotation(strategy, secret, manager)
        rotation.create()
        before = all_roles(server)
        with refused(PrivilegeMissingError, password_of(rotation.pending)) as refusal:
            rotation.set()
        assert "42501" in refusal.message
        assert all_roles(server) == before

    def test_it_rotates_what_it_administers(
        self, strategy: Strategy, secret: SecretDocument, manager: SecretDocument, server: PostgresServer
    ) -> None:
        administer(server, "GRANT {} TO {} WITH ADMIN OPTION", secret.fields.username, manager.fields.username)
        rotation = SecretInRotation(strategy, secret, manager)
        for _ in range(4):
            assert works(server, rotation.rotate())

    def test_it_rotates_what_it_made(
        self, strategy: Strategy, manager: SecretDocument, keys: dict[str, Any], server: PostgresServer
    ) -> None:
        name, password = new_name(), new_password()
        administer(server, "SET ROLE {}; CREATE ROLE {} LOGIN", manager.fields.username, name)
        secret = document(keys, username=name, password=password)
        with server.admin_connection() as admin:
            admin.execute(f"ALTER ROLE {name} PASSWORD '{password}'")
        rotation = SecretInRotation(strategy, secret, manager)
        for _ in range(4):
            assert works(server, rotation.rotate())

    def test_on_older_servers_it_rotates_everybody(self, strategy: Strategy, debian_bin_dir: Path) -> None:
        with RuledServer(["host all all all scram-sha-256"], bin_dir=debian_bin_dir) as older:
            passwords = {name: new_password() for name in ("manager", "app")}
            create_role(older, "manager", passwords["manager"], "LOGIN CREATEROLE")
            create_role(older, "app", passwords["app"])
            manager, secret = (
                document(keys_of(older, username=name, password=password)) for name, password in passwords.items()
            )
            rotation = SecretInRotation(strategy, secret, manager)
            for _ in range(3):
                assert works(older, rotation.rotate())

    def test_a_superuser_that_acts_as_another_role_keeps_its_rights(
        self, strategy: Strategy, secret: SecretDocument, manager: SecretDocument, server: PostgresServer
    ) -> None:
        name = manager.fields.username
        administer(
            server, "ALTER ROLE {} NOCREATEROLE; GRANT postgres TO {}; ALTER ROLE {} SET role = 'postgres'", name, name, name
        )
        assert works(server, SecretInRotation(strategy, secret, manager).rotate())


def test_a_user_that_may_not_write_is_rotated_by_the_superuser_alone(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
) -> None:
    administer(server, "ALTER ROLE {} SET default_transaction_read_only = on", secret.fields.username)
    alone = SecretInRotation(SingleUser(), secret, superuser)
    alone.create()
    with refused(TargetReadOnlyError):
        alone.set()
    assert works(server, SecretInRotation(SingleUserBySuperuser(), secret, superuser).rotate())


def test_a_user_that_acts_as_another_role_changes_its_own_password(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
) -> None:
    user, team = secret.fields.username, new_name("team")
    administer(server, "CREATE ROLE {}; GRANT {} TO {}; ALTER ROLE {} SET role = {}", team, team, user, user, team)
    rotation = SecretInRotation(SingleUser(), secret, superuser)
    for _ in range(2):
        assert works(server, rotation.rotate())


def test_the_superuser_is_not_asked_before_the_user_has_proved_itself(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
) -> None:
    for strategy in BY_SUPERUSER:
        # A superuser that could not even log in: it must never come to that.
        rotation = SecretInRotation(
            strategy, secret.changed(password=new_password()), superuser.changed(host="nowhere.invalid")
        )
        rotation.create()
        before = all_roles(server)
        with pytest.raises(Exception, match="credential_unknown"):
            rotation.set()
        assert all_roles(server) == before


def test_the_superusers_own_secret_can_be_rotated(server: PostgresServer) -> None:
    name, password = new_name("boss"), new_password()
    create_role(server, name, password, "LOGIN SUPERUSER")
    secret = document(keys_of(server, username=name, password=password))
    assert works(server, SecretInRotation(SingleUser(), secret, secret).rotate())
