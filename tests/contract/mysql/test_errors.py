"""What servers answer, and what the engine makes of it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pymysql
import pytest
from pydantic import SecretStr

from local.contract import peers
from local.contract.rotating import SecretInRotation, log_in, new_name, new_password, password_of, refused, refused_login
from local.contract.strategies import accepted
from local.targets.mariadb import MariaDbTarget
from rotation.engines.mysql_errors import AFTER_LOGIN, AT_LOGIN, MEANINGS
from rotation.errors import (
    AuthenticationUnsafeError,
    ConnectionLostError,
    ConnectTimeoutError,
    DatabaseMissingError,
    LoginRefusedError,
    PrivilegeMissingError,
    RoleLockedError,
    StatementRejectedError,
    TargetReadOnlyError,
    TargetSaturatedError,
)
from rotation.models import SecretDocument
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from tests.contract.mysql.stub_mysql8 import StubMySql8

UNKNOWN = 3999


@contextmanager
def setting(mariadb: MariaDbTarget, name: str, value: str) -> Iterator[None]:
    ((before,),) = mariadb.administer(f"SELECT @@GLOBAL.{name}")
    mariadb.administer(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        mariadb.administer(f"SET GLOBAL {name} = {before}")


class TestMariaDb:
    def test_a_database_that_does_not_exist(self, app: SecretDocument, root: SecretDocument) -> None:
        refused_login(DatabaseMissingError, root.changed(dbname="nowhere"))
        refused_login(PrivilegeMissingError, app.changed(dbname="nowhere"))

    def test_the_database_of_the_secret_is_used(self, app: SecretDocument) -> None:
        with log_in(app.changed(dbname="shop")) as session:
            session.check()

    def test_a_user_with_too_many_connections(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        mariadb.administer("ALTER USER %s@'%%' WITH MAX_USER_CONNECTIONS 1", app.fields.username)
        with mariadb.session(app):
            refused_login(TargetSaturatedError, app)

    def test_a_server_with_too_many_connections(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        with setting(mariadb, "max_connections", "10"), ExitStack() as stack:
            with pytest.raises(pymysql.OperationalError, match="1040"):  # noqa: PT012 - the last one is one too many
                for _ in range(12):
                    stack.enter_context(mariadb.session(app))
            refused_login(TargetSaturatedError, app)

    def test_a_user_whose_password_was_guessed_at(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        with setting(mariadb, "max_password_errors", "2"):
            wrong = app.changed(password=new_password())
            for _ in range(2):
                refused_login(LoginRefusedError, wrong)
            refused_login(RoleLockedError, app)
            mariadb.administer("FLUSH PRIVILEGES")

    def test_a_user_without_password(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        name = new_name()
        mariadb.administer("CREATE USER %s@'%%' IDENTIFIED VIA unix_socket", name)
        refusal = refused_login(AuthenticationUnsafeError, app.changed(username=name))
        assert "unix_socket" in refusal.message

    def test_a_user_of_another_kind_of_password(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        mariadb.administer("INSTALL SONAME 'auth_ed25519'")
        name = new_name()
        mariadb.administer("CREATE USER %s@'%%' IDENTIFIED VIA ed25519 USING PASSWORD(%s)", name, password_of(app))
        refusal = refused_login(AuthenticationUnsafeError, app.changed(username=name))
        assert "client_ed25519" in refusal.message

    def test_a_read_only_server(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        new = new_password()
        with setting(mariadb, "read_only", "1"), refused(TargetReadOnlyError, new), log_in(app) as session:
            session.set_password(app.fields.username, SecretStr(new))
        assert accepted(mariadb, app)

    def test_a_user_who_has_to_use_tls(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        """The server says the same of a wrong password."""
        mariadb.administer("ALTER USER %s@'%%' REQUIRE SSL", app.fields.username)
        assert '"ssl": false' in refused_login(LoginRefusedError, app).message

    def test_a_server_that_wants_tls(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        """MariaDB says the same of it; MySQL has a number of its own."""
        with closing(mariadb.server.admin_connection()) as admin, admin.cursor() as cursor:
            cursor.execute("SET GLOBAL require_secure_transport = ON")
            try:
                refusal = refused_login(LoginRefusedError, app)
            finally:
                cursor.execute("SET GLOBAL require_secure_transport = OFF")
        assert '"ssl": false' in refusal.message

    def test_an_expired_password_is_no_working_login(self, mariadb: MariaDbTarget, app: SecretDocument) -> None:
        mariadb.administer("ALTER USER %s@'%%' PASSWORD EXPIRE", app.fields.username)
        with refused(RoleLockedError, password_of(app)) as refusal, log_in(app) as session:
            session.check()
        assert "expired" in refusal.message

    @pytest.mark.parametrize("strategy", [SingleUser(), SingleUserBySuperuser()], ids=lambda strategy: strategy.name.value)
    def test_an_expired_password_is_rotated(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument, strategy: SingleUser
    ) -> None:
        mariadb.administer("ALTER USER %s@'%%' PASSWORD EXPIRE", app.fields.username)
        rotation = SecretInRotation(strategy, app, root, None)
        rotation.rotate()
        assert accepted(mariadb, rotation.current)

    def test_a_policy_is_met_with_the_password_itself(
        self, mariadb: MariaDbTarget, app: SecretDocument, root: SecretDocument
    ) -> None:
        """MariaDB takes no verifiers then."""
        mariadb.administer("INSTALL SONAME 'simple_password_check'")
        try:
            for strategy in (SingleUser(), SingleUserBySuperuser()):
                app = SecretInRotation(strategy, app, root, None).rotate()
                assert accepted(mariadb, app)
        finally:
            mariadb.administer("UNINSTALL SONAME 'simple_password_check'")


class TestNumbers:
    """Every number that is known, as the STUB sends it."""

    @pytest.mark.parametrize("number", [*MEANINGS, *AT_LOGIN, UNKNOWN])
    def test_at_the_login(self, stub: StubMySql8, stub_app: SecretDocument, bundle: str, number: int) -> None:
        stub.login_error = number
        kind, what = {**MEANINGS, **AT_LOGIN}.get(number, (StatementRejectedError, "not known"))
        refusal = refused_login(kind, stub_app, ca_bundle=bundle)
        assert str(number) in refusal.message
        assert what in refusal.message
        assert "stub" not in refusal.message

    @pytest.mark.parametrize("number", [*MEANINGS, *AFTER_LOGIN, UNKNOWN])
    def test_in_a_session(self, stub: StubMySql8, stub_app: SecretDocument, bundle: str, number: int) -> None:
        kind, what = {**MEANINGS, **AFTER_LOGIN}.get(number, (StatementRejectedError, "not known"))
        with refused(kind, password_of(stub_app)) as refusal, log_in(stub_app, ca_bundle=bundle) as session:
            stub.query_error = number
            session.check()
        assert f"check failed with error {number}: " in refusal.message
        assert what in refusal.message
        assert "stub" not in refusal.message

    def test_only_one_number_is_a_refused_login_and_only_at_the_login(self) -> None:
        tables = (MEANINGS, AT_LOGIN, AFTER_LOGIN)
        assert [[n for n, (kind, _) in table.items() if kind is LoginRefusedError] for table in tables] == [[], [1045], []]


class TestPeers:
    @pytest.mark.parametrize(
        "greeting",
        [
            b"SSH-2.0-OpenSSH_9.2p1\r\n",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x04\0\0\0\x0aabc",
            b"\x01\0\0\0\xff",
            b"\x05\0\0\x07\x0a5.7\0",
            b"\x0a\0\0\0\x0anonsense\0" * 9,
        ],
    )
    def test_what_is_no_mysql_is_no_refused_login(self, app: SecretDocument, greeting: bytes) -> None:
        def greet(connection: socket.socket) -> None:
            connection.sendall(greeting)
            peers.hang_up(connection)

        kinds = (StatementRejectedError, ConnectionLostError, ConnectTimeoutError)
        with peers.answering(greet) as port, refused(kinds, password_of(app)), log_in(app.changed(port=port)):
            pytest.fail("the login was accepted")

    def test_a_server_that_asks_for_a_file_gets_none(self, stub: StubMySql8, stub_app: SecretDocument, bundle: str) -> None:
        with refused(StatementRejectedError), log_in(stub_app, ca_bundle=bundle) as session:
            stub.query_error = 0
            session.check()
