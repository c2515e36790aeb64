"""One PostgreSQL 18 whose pg_hba.conf has a rule for every kind of user, and Debian's PostgreSQL 15."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.contract.rotating import document, new_name, new_password
from local.postgres import PostgresServer
from rotation.models import SecretDocument
from tests.contract.postgres.authorities import Authority
from tests.contract.postgres.servers import DEBIAN_BIN_DIR, RuledServer, create_role, keys_of, superuser_keys

RULES = (
    "host all trusted all trust",
    "host all in_the_clear all password",
    "host all identified all ident",
    "host all rejected all reject",
    "host all +legacy all md5",
    'host all "/^(?!unlisted)" all scram-sha-256',
)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with RuledServer(RULES, settings={"log_statement": "all"}) as running:
        create_role(running, "legacy", new_password(), "NOLOGIN")
        yield running


@pytest.fixture(scope="session")
def primary() -> Iterator[PostgresServer]:
    """A server to replicate, small enough to be copied quickly."""
    with RuledServer(("host all,replication all all scram-sha-256",)) as running:
        yield running


@pytest.fixture
def keys(server: PostgresServer) -> dict[str, Any]:
    """What leads to the server, and a user that exists there."""
    name, password = new_name(), new_password()
    create_role(server, name, password)
    return keys_of(server, username=name, password=password, masterarn="arn:superuser")


@pytest.fixture
def secret(keys: dict[str, Any]) -> SecretDocument:
    return document(keys)


@pytest.fixture
def superuser(server: PostgresServer) -> SecretDocument:
    return document(superuser_keys(server))


@pytest.fixture(scope="session")
def debian_bin_dir() -> Path:
    """PostgreSQL 15, which speaks TLS."""
    if not (DEBIAN_BIN_DIR / "postgres").exists():
        missing = "PostgreSQL 15 is missing: apt-get install -y postgresql-15"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return DEBIAN_BIN_DIR


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
