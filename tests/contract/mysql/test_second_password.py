"""What MySQL 8 makes of two passwords, on a STUB that follows its documentation."""

import pytest
from pydantic import SecretStr

from local.contract.rotating import SecretInRotation, log_in, new_password, password_of, refused
from rotation.errors import PasswordRefusedError
from rotation.models import SecretDocument
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from tests.contract.mysql.stub_mysql8 import StubMySql8


@pytest.fixture(params=[SingleUser, SingleUserBySuperuser], ids=lambda strategy: str(strategy.name))
def rotation(
    request: pytest.FixtureRequest, stub_app: SecretDocument, stub_root: SecretDocument, bundle: str
) -> SecretInRotation:
    return SecretInRotation(request.param(), stub_app, stub_root, bundle)


def valid(stub: StubMySql8, *secrets: SecretDocument) -> list[bool]:
    return [stub.accounts[each.fields.username, "%"].accepts(password_of(each)) for each in secrets]


def test_a_password_history_does_not_cost_the_current_password(rotation: SecretInRotation, stub: StubMySql8) -> None:
    """It forbids to set the current password again, which is only the secondary one after a rotation was given up."""
    stub.history_length = 5
    rotation.create()
    rotation.set()
    given_up = rotation.pending
    rotation.create()
    rotation.set()
    assert valid(stub, rotation.current, rotation.pending, given_up) == [True, True, False]


def test_a_password_that_the_history_knows_is_refused(stub: StubMySql8, stub_app: SecretDocument, bundle: str) -> None:
    stub.history_length = 5
    with refused(PasswordRefusedError, password_of(stub_app)), log_in(stub_app, ca_bundle=bundle) as session:
        session.set_password(stub_app.fields.username, SecretStr(password_of(stub_app)))


def test_a_server_that_wants_the_current_password_gets_it(rotation: SecretInRotation, stub: StubMySql8) -> None:
    stub.requires_current = True
    for _ in range(2):
        old = rotation.current
        rotation.rotate()
        assert valid(stub, old, rotation.current) == [True, True]


def test_a_user_without_the_privilege_is_rotated_with_a_gap(
    stub: StubMySql8, stub_app: SecretDocument, stub_root: SecretDocument, bundle: str
) -> None:
    rotation = SecretInRotation(SingleUser(), stub_app, stub_root, bundle)
    stub.accounts[stub_app.fields.username, "%"].may_have_two = False
    rotation.create()
    rotation.set()
    assert rotation.change().is_interruption()
    assert valid(stub, rotation.current, rotation.pending) == [False, True]


def test_without_a_password_to_keep_the_new_one_alone_is_valid(
    stub: StubMySql8, stub_app: SecretDocument, stub_root: SecretDocument, bundle: str
) -> None:
    rotation = SecretInRotation(SingleUser(), stub_app, stub_root, bundle)
    old, current = rotation.current, rotation.rotate()
    for login in (current, stub_root):
        new = current.changed(password=new_password())
        with log_in(login, ca_bundle=bundle) as session:
            session.set_password(new.fields.username, new.fields.password)
        assert valid(stub, old, current, new) == [False, False, True]
        current = new


def test_the_mariadb_engine_keeps_none(
    stub: StubMySql8, stub_app: SecretDocument, stub_root: SecretDocument, bundle: str
) -> None:
    """What the engine's traits say it does not keep must not stay valid either."""
    secret, superuser = stub_app.changed(engine="mariadb"), stub_root.changed(engine="mariadb")
    for strategy in (SingleUser(), SingleUserBySuperuser()):
        rotation = SecretInRotation(strategy, secret, superuser, bundle)
        rotation.rotate()
        assert valid(stub, secret, rotation.current) == [False, True]
        secret = rotation.current


@pytest.mark.parametrize("version", ["5.7.44-stub", "8.0.13-stub"])
def test_older_servers_have_one_password(
    stub: StubMySql8, stub_app: SecretDocument, stub_root: SecretDocument, bundle: str, version: str
) -> None:
    stub.version = version
    secret = stub_app
    for strategy in (SingleUser(), SingleUserBySuperuser()):
        rotation = SecretInRotation(strategy, secret, stub_root, bundle)
        rotation.rotate()
        assert valid(stub, secret, rotation.current) == [False, True]
        secret = rotation.current
    assert "RETAIN" not in stub.log()
    assert "REPLACE" not in stub.log()
    assert "additional_password" not in stub.log()
