"""Samba as a domain controller; it speaks TLS always."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from secrets import token_hex
from ssl import CERT_NONE
from typing import Any, ClassVar

from ldap3 import MODIFY_REPLACE, NONE, SYNC, Connection, Server, Tls
from ldap3.core.results import RESULT_INVALID_CREDENTIALS
from ldap3.utils.dn import escape_rdn

from local.samba import SambaServer
from local.server_process import ServerError, TlsFiles
from local.targets.served import ServedTarget
from rotation.errors import RoleLockedError, RotationError
from rotation.models import SecretDocument

_USERS = f"CN=Users,{SambaServer.base}"
_ENABLED, _DISABLED = "512", "514"
_AT_ONCE, _NOT_COMPLEX = "0", "0"


class SambaTarget(ServedTarget[SambaServer]):
    """Users by their short names."""

    title = "Samba"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "somebody disables the account"
    unbarring: ClassVar[str] = "the account is enabled again"
    barred_as: ClassVar[type[RotationError]] = RoleLockedError

    def __init__(self, tls: TlsFiles | None = None) -> None:
        if tls is None:
            raise ServerError("a domain controller sets passwords over TLS only, which takes a certificate")
        super().__init__(SambaServer(tls=tls), tls)

    def _prepare(self) -> None:
        # By default a user may change a password once a day, and to one of three kinds of characters.
        self.change(SambaServer.base, minPwdAge=_AT_ONCE, pwdProperties=_NOT_COMPLEX)

    @property
    def keys(self) -> Mapping[str, Any]:
        # The certificate knows nothing of the address that this process has.
        return {"host": self.server.host, "port": self.server.port, "tls_server_name": "localhost"}

    @property
    def superuser(self) -> tuple[str, str]:
        return self.server.superuser, self.server.superuser_password

    def create_user(self, name: str, password: str, **attributes: str) -> None:
        """Create a user, with further attributes by their names."""
        entry = {
            "sAMAccountName": name,
            "userAccountControl": _ENABLED,
            "unicodePwd": f'"{password}"'.encode("utf-16-le"),
            **attributes,
        }
        with self.administrator() as connection:
            _done(connection.add(dn_of(name), ["user"], entry), connection)  # type: ignore[no-untyped-call]

    def users(self) -> set[str]:
        with self.administrator() as connection:
            connection.search(_USERS, "(objectClass=user)", attributes=["sAMAccountName"])
            found = [entry for entry in connection.response or () if entry["type"] == "searchResEntry"]
            return {entry["attributes"]["sAMAccountName"][0] for entry in found}

    def refusal(self, name: str, password: str) -> str | None:
        connection = self._connection(f"{SambaServer.netbios_domain}\\{name}", password)
        try:
            connection.bind()
            result = connection.result["result"]
            if result not in {0, RESULT_INVALID_CREDENTIALS}:
                raise ConnectionError(f"the login ended with {result}")
            return connection.result["message"] if result else None
        finally:
            connection.unbind()

    def bar(self, name: str) -> None:
        self.change(dn_of(name), userAccountControl=_DISABLED)

    def unbar(self, name: str) -> None:
        self.change(dn_of(name), userAccountControl=_ENABLED)

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        fields = secret.fields
        login = f"{SambaServer.netbios_domain}\\{fields.username}"
        connection = self._connection(login, fields.password.get_secret_value())
        _done(connection.bind(), connection)
        yield lambda: _done(connection.search(_USERS, "(cn=Guest)"), connection)
        connection.unbind()

    def end_sessions(self, name: str) -> None:
        """Samba throws nobody out singly."""
        self.server.stop()
        self.server.start()

    @contextmanager
    def policy(self) -> Iterator[None]:
        with self.changed(SambaServer.base, minPwdAge="-864000000000"):
            yield

    @contextmanager
    def changed(self, dn: str, **attributes: str) -> Iterator[None]:
        """Attributes of an entry for a while."""
        with self.administrator() as connection:
            _done(connection.search(dn, "(objectClass=*)", "BASE", attributes=list(attributes)), connection)
            entry = next(iter(connection.response or ()))
            before = {name: values[0] for name, values in entry["attributes"].items() if values}
        self.change(dn, **attributes)
        try:
            yield
        finally:
            self.change(dn, **{name: before.get(name) for name in attributes})

    def change(self, dn: str, **attributes: str | bytes | None) -> None:
        """Set attributes of an entry, or remove them."""
        with self.administrator() as connection:
            changes = {name: [(MODIFY_REPLACE, [] if value is None else [value])] for name, value in attributes.items()}
            _done(connection.modify(dn, changes), connection)  # type: ignore[no-untyped-call]

    def log(self) -> str:
        mark = f"mark-{token_hex(8)}"
        self.refusal(mark, mark)
        return self.server.log_up_to(mark)

    @contextmanager
    def administrator(self) -> Iterator[Connection]:
        """A session of the superuser."""
        login = f"{SambaServer.netbios_domain}\\{self.server.superuser}"
        connection = self._connection(login, self.server.superuser_password)
        _done(connection.bind(), connection)
        yield connection
        connection.unbind()

    def _connection(self, login: str, password: str) -> Connection:
        tls = Tls(validate=CERT_NONE)
        server = Server(self.server.host, self.server.port, use_ssl=True, tls=tls, get_info=NONE)
        connection = Connection(server, login, client_strategy=SYNC, check_names=False, receive_timeout=5)
        connection.password = password.encode()  # ldap3 would change a str as RFC 4013 says
        return connection


def dn_of(name: str) -> str:
    """A user's distinguished name."""
    return f"CN={escape_rdn(name)},{_USERS}"


def _done(accepted: object, connection: Connection) -> None:
    if not accepted:
        raise PermissionError(str(connection.result))
