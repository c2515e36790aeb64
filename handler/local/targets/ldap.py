"""OpenLDAP, with its users below one node and a password policy."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from secrets import token_hex
from ssl import CERT_NONE
from typing import Any, ClassVar

from ldap3 import LEVEL, MODIFY_REPLACE, NONE, SYNC, Connection, Server, Tls
from ldap3.core.results import RESULT_INVALID_CREDENTIALS
from ldap3.protocol.rfc3062 import PasswdModifyRequestValue
from ldap3.utils.dn import escape_rdn

from local.openldap import OpenLdapServer
from local.server_process import TlsFiles
from local.targets.served import ServedTarget
from rotation.errors import RoleLockedError, RotationError
from rotation.models import SecretDocument

_SET_PASSWORD = "1.3.6.1.4.1.4203.1.11.1"  # noqa: S105 - an operation
_PEOPLE = f"ou=people,{OpenLdapServer.suffix}"
_POLICY = f"cn=policy,{OpenLdapServer.suffix}"
_FOR_EVER = "000001010000Z"


class OpenLdapTarget(ServedTarget[OpenLdapServer]):
    """Users are entries whose name is their uid."""

    title = "OpenLDAP"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "somebody locks the entry (pwdAccountLockedTime)"
    unbarring: ClassVar[str] = "the entry is unlocked"
    barred_as: ClassVar[type[RotationError]] = RoleLockedError

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(OpenLdapServer(tls=tls), tls)

    @property
    def keys(self) -> Mapping[str, Any]:
        return {**super().keys, "user_dn_template": f"uid={{username}},{_PEOPLE}"}

    @property
    def superuser(self) -> tuple[str, str]:
        return "superuser", self.server.superuser_password

    def create_user(self, name: str, password: str) -> None:
        with self.administrator() as connection:
            entry = {"uid": name, "userPassword": b"{CLEARTEXT}" + token_hex().encode()}
            classes = ["account", "simpleSecurityObject"]
            _done(connection.add(dn_of(name), classes, entry), connection)  # type: ignore[no-untyped-call]
            request = PasswdModifyRequestValue()
            request["userIdentity"], request["newPasswd"] = dn_of(name), password.encode()
            _done(connection.extended(_SET_PASSWORD, request), connection)

    def users(self) -> set[str]:
        with self.administrator() as connection:
            _done(connection.search(_PEOPLE, "(uid=*)", LEVEL, attributes=["uid"]), connection)
            return {entry["attributes"]["uid"][0] for entry in connection.response or ()}

    def refusal(self, name: str, password: str) -> str | None:
        connection = self._connection(dn_of(name), password)
        try:
            connection.bind()
            result = connection.result["result"]
            if result not in {0, RESULT_INVALID_CREDENTIALS}:
                raise ConnectionError(f"the login ended with {result}")
            return connection.result["description"] if result else None
        finally:
            connection.unbind()

    def bar(self, name: str) -> None:
        self.change(dn_of(name), pwdAccountLockedTime=_FOR_EVER)

    def unbar(self, name: str) -> None:
        self.change(dn_of(name), pwdAccountLockedTime=None)

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        fields = secret.fields
        connection = self._connection(dn_of(fields.username), fields.password.get_secret_value())
        _done(connection.bind(), connection)
        yield lambda: _done(connection.search(_PEOPLE, "(objectClass=organizationalUnit)"), connection)
        connection.unbind()

    def end_sessions(self, name: str) -> None:
        """OpenLDAP throws nobody out singly."""
        self.server.stop()
        self.server.start()

    @contextmanager
    def policy(self) -> Iterator[None]:
        with self.policies(pwdMinLength="200"):
            yield

    @contextmanager
    def policies(self, **rules: str) -> Iterator[None]:
        """Rules of the password policy for a while, by their attributes."""
        self.change(_POLICY, **rules)
        try:
            yield
        finally:
            self.change(_POLICY, **dict.fromkeys(rules))

    def change(self, dn: str, **attributes: str | None) -> None:
        """Set attributes of an entry, or remove them."""
        with self.administrator() as connection:
            changes = {name: [(MODIFY_REPLACE, [value] if value else [])] for name, value in attributes.items()}
            _done(connection.modify(dn, changes), connection)  # type: ignore[no-untyped-call]

    def log(self) -> str:
        mark = f"mark-{token_hex(8)}"
        with self.administrator() as connection:
            connection.search(_PEOPLE, f"(uid={mark})")
        return self.server.log_up_to(mark)

    @contextmanager
    def administrator(self) -> Iterator[Connection]:
        """A session of the superuser."""
        connection = self._connection(self.server.superuser, self.server.superuser_password)
        _done(connection.bind(), connection)
        yield connection
        connection.unbind()

    def _connection(self, dn: str, password: str) -> Connection:
        # The certificate is not looked at: there is one that has expired among those that are served.
        tls = Tls(validate=CERT_NONE) if self._tls else None
        server = Server(self.server.host, self.server.port, use_ssl=tls is not None, tls=tls, get_info=NONE)
        connection = Connection(server, dn, client_strategy=SYNC, check_names=False, receive_timeout=5)
        connection.password = password.encode()  # ldap3 would change a str as RFC 4013 says
        return connection


def dn_of(name: str) -> str:
    """A user's distinguished name."""
    return f"uid={escape_rdn(name)},{_PEOPLE}"


def _done(accepted: object, connection: Connection) -> None:
    if not accepted:
        raise PermissionError(str(connection.result))
