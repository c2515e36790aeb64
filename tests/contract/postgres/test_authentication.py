"""How PostgreSQL may ask for a password, and what it is told."""

from typing import Any

import pytest
from pydantic import SecretStr

from local.contract import peers
from local.contract.rotating import (
    SecretInRotation,
    document,
    log_in,
    new_name,
    new_password,
    password_of,
    refused,
    refused_login,
)
from local.postgres import PostgresServer
from rotation.errors import AuthenticationUnsafeError, DatabaseMissingError, SecretMalformedError
from rotation.models import SecretDocument
from rotation.strategies.single_user import SingleUser
from tests.contract.postgres.servers import administer, can_log_in, create_role, log_of, verifier_of


def test_a_server_that_trusts_everybody_proves_nothing(secret: SecretDocument, server: PostgresServer) -> None:
    administer(server, "CREATE ROLE {} LOGIN", "trusted")
    for password in (password_of(secret), new_password()):
        refused_login(AuthenticationUnsafeError, secret.changed(username="trusted", password=password))


def test_a_server_that_asks_for_the_clear_password_does_not_get_it(secret: SecretDocument, server: PostgresServer) -> None:
    create_role(server, "in_the_clear", password_of(secret))
    with peers.wiretap(server.port) as tap:
        refused_login(AuthenticationUnsafeError, secret.changed(username="in_the_clear", port=tap.port))
    assert b"in_the_clear" in tap.everything_sent
    assert password_of(secret).encode() not in tap.everything_sent


def test_no_password_crosses_the_network_in_a_rotation(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
) -> None:
    with peers.wiretap(server.port) as tap:
        rotation = SecretInRotation(SingleUser(), secret.changed(port=tap.port), superuser)
        rotation.rotate()
    assert b"SCRAM-SHA-256$" in tap.everything_sent
    for password in (password_of(secret), password_of(rotation.current)):
        assert password.encode() not in tap.everything_sent


def test_the_server_stores_and_logs_a_verifier(secret: SecretDocument, server: PostgresServer) -> None:
    new = new_password()
    with log_in(secret) as session:
        session.set_password(secret.fields.username, SecretStr(new))
    verifier = verifier_of(server, secret.fields.username)
    assert verifier is not None
    assert verifier.startswith("SCRAM-SHA-256$")
    log = log_of(server)
    assert verifier in log
    assert new not in log


def test_a_password_stored_as_md5_logs_in_once_more_and_becomes_scram(
    keys: dict[str, Any], superuser: SecretDocument, server: PostgresServer
) -> None:
    name, password = new_name(), new_password()
    administer(server, "SET password_encryption = 'md5'; CREATE ROLE {} LOGIN IN ROLE legacy", name)
    with server.admin_connection() as admin:
        admin.execute("SET password_encryption = 'md5'")
        admin.execute(f"ALTER ROLE {name} PASSWORD '{password}'")
    assert str(verifier_of(server, name)).startswith("md5")
    rotation = SecretInRotation(SingleUser(), document(keys, username=name, password=password), superuser)
    rotation.rotate()
    assert str(verifier_of(server, name)).startswith("SCRAM-SHA-256$")
    assert can_log_in(server, name, password_of(rotation.current))


@pytest.mark.parametrize("dbname", ["host=127.0.0.2", "postgresql://127.0.0.2/postgres", "service=x"])
def test_a_database_name_is_no_connection_string(secret: SecretDocument, dbname: str) -> None:
    refusal = refused_login(DatabaseMissingError, secret.changed(dbname=dbname))
    assert dbname in refusal.message


@pytest.mark.parametrize("key", ["username", "password", "dbname", "host", "tls_server_name"])
def test_a_nul_does_not_cut_the_demand_for_tls_off(keys: dict[str, Any], key: str) -> None:
    value = f"{keys.get(key, 'x')}\0"
    with refused(SecretMalformedError, value) as refusal:
        document(keys, **{key: value})
    assert key in refusal.message
