"""MariaDB, and a STUB of MySQL 8, with a user on each."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from local.certificate_authority import CertificateAuthority
from local.contract.fixtures import start_or_skip
from local.contract.rotating import document, new_name, new_password
from local.targets.mariadb import MariaDbTarget
from rotation.models import SecretDocument
from tests.contract.mysql.stub_mysql8 import StubMySql8


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbTarget]:
    with ExitStack() as stack:
        target = start_or_skip(stack, MariaDbTarget)
        assert isinstance(target, MariaDbTarget)
        yield target


@pytest.fixture
def stub(authority: CertificateAuthority) -> Iterator[StubMySql8]:
    with StubMySql8(authority.issue("127.0.0.1")) as running:
        yield running


@pytest.fixture
def app(mariadb: MariaDbTarget) -> SecretDocument:
    """A secret on MariaDB."""
    name, password = new_name(), new_password()
    mariadb.create_user(name, password)
    return document(mariadb.keys, engine="mariadb", username=name, password=password, masterarn="arn:superuser")


@pytest.fixture
def root(mariadb: MariaDbTarget) -> SecretDocument:
    name, password = mariadb.superuser
    return document(mariadb.keys, engine="mariadb", username=name, password=password)


@pytest.fixture
def stub_app(stub: StubMySql8) -> SecretDocument:
    """A secret on the stub."""
    name, password = new_name(), new_password()
    stub.create_user(name, password)
    return document(stub.keys, engine="mysql", username=name, password=password, masterarn="arn:superuser")


@pytest.fixture
def stub_root(stub: StubMySql8) -> SecretDocument:
    name, password = stub.superuser
    return document(stub.keys, engine="mysql", username=name, password=password)


@pytest.fixture
def bundle(authority: CertificateAuthority) -> str:
    return str(authority.certificate)
