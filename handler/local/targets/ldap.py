"""OpenLDAP, with its users below one node and a password policy."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from secrets import token_hex
from typing import Any, ClassVar

from ldap3 import LEVEL
from ldap3.protocol.rfc3062 import PasswdModifyRequestValue
from ldap3.utils.dn import escape_rdn

from local.openldap import OpenLdapServer
from local.server_process import TlsFiles
from local.targets.directory import DirectoryTarget, done

_SET_PASSWORD = "1.3.6.1.4.1.4203.1.11.1"  # noqa: S105 - an operation
_PEOPLE = f"ou=people,{OpenLdapServer.suffix}"
_POLICY = f"cn=policy,{OpenLdapServer.suffix}"
_FOR_EVER = "000001010000Z"


class OpenLdapTarget(DirectoryTarget[OpenLdapServer]):
    """Users are entries whose name is their uid."""

    title = "OpenLDAP"
    users_node = _PEOPLE
    barring: ClassVar[str] = "somebody locks the entry (pwdAccountLockedTime)"
    unbarring: ClassVar[str] = "the entry is unlocked"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(OpenLdapServer(tls=tls), tls)

    @property
    def keys(self) -> Mapping[str, Any]:
        return {**super().keys, "user_dn_template": f"uid={{username}},{_PEOPLE}"}

    @property
    def superuser(self) -> tuple[str, str]:
        return "superuser", self.server.superuser_password

    @property
    def _superuser_login(self) -> tuple[str, str]:
        return self.server.superuser, self.server.superuser_password

    def _login_of(self, name: str) -> str:
        return dn_of(name)

    def create_user(self, name: str, password: str) -> None:
        with self.administrator() as connection:
            entry = {"uid": name, "userPassword": b"{CLEARTEXT}" + token_hex().encode()}
            classes = ["account", "simpleSecurityObject"]
            done(connection.add(dn_of(name), classes, entry), connection)  # type: ignore[no-untyped-call]
            request = PasswdModifyRequestValue()
            request["userIdentity"], request["newPasswd"] = dn_of(name), password.encode()
            done(connection.extended(_SET_PASSWORD, request), connection)

    def users(self) -> set[str]:
        with self.administrator() as connection:
            done(connection.search(_PEOPLE, "(uid=*)", LEVEL, attributes=["uid"]), connection)
            return {entry["attributes"]["uid"][0] for entry in connection.response or ()}

    def bar(self, name: str) -> None:
        self.change(dn_of(name), pwdAccountLockedTime=_FOR_EVER)

    def unbar(self, name: str) -> None:
        self.change(dn_of(name), pwdAccountLockedTime=None)

    def policy(self) -> AbstractContextManager[None]:
        return self.policies(pwdMinLength="200")

    def policies(self, **rules: str) -> AbstractContextManager[None]:
        """Rules of the password policy for a while, by their attributes."""
        return self.changed(_POLICY, **rules)

    def log(self) -> str:
        mark = f"mark-{token_hex(8)}"
        with self.administrator() as connection:
            connection.search(_PEOPLE, f"(uid={mark})")
        return self.server.log_up_to(mark)


def dn_of(name: str) -> str:
    """A user's distinguished name."""
    return f"uid={escape_rdn(name)},{_PEOPLE}"
