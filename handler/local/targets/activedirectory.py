"""Samba as a domain controller; it speaks TLS always."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from secrets import token_hex
from typing import Any, ClassVar

from ldap3.utils.dn import escape_rdn

from local.samba import SambaServer
from local.server_process import ServerError, TlsFiles
from local.targets.directory import DirectoryTarget, done

_USERS = f"CN=Users,{SambaServer.base}"
_ENABLED, _DISABLED = "512", "514"
_AT_ONCE, _NOT_COMPLEX = "0", "0"


class SambaTarget(DirectoryTarget[SambaServer]):
    """Users by their short names."""

    title = "Samba"
    users_node = _USERS
    refusal_key = "message"
    barring: ClassVar[str] = "somebody disables the account"
    unbarring: ClassVar[str] = "the account is enabled again"

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

    @property
    def _superuser_login(self) -> tuple[str, str]:
        return self._login_of(self.server.superuser), self.server.superuser_password

    def _login_of(self, name: str) -> str:
        return f"{SambaServer.netbios_domain}\\{name}"

    def create_user(self, name: str, password: str, **attributes: str) -> None:
        """Create a user, with further attributes by their names."""
        entry = {
            "sAMAccountName": name,
            "userAccountControl": _ENABLED,
            "unicodePwd": f'"{password}"'.encode("utf-16-le"),
            **attributes,
        }
        with self.administrator() as connection:
            done(connection.add(dn_of(name), ["user"], entry), connection)  # type: ignore[no-untyped-call]

    def users(self) -> set[str]:
        with self.administrator() as connection:
            connection.search(self.users_node, "(objectClass=user)", attributes=["sAMAccountName"])
            found = [entry for entry in connection.response or () if entry["type"] == "searchResEntry"]
            return {entry["attributes"]["sAMAccountName"][0] for entry in found}

    def bar(self, name: str) -> None:
        self.change(dn_of(name), userAccountControl=_DISABLED)

    def unbar(self, name: str) -> None:
        self.change(dn_of(name), userAccountControl=_ENABLED)

    def policy(self) -> AbstractContextManager[None]:
        return self.changed(SambaServer.base, minPwdAge="-864000000000")

    def log(self) -> str:
        mark = f"mark-{token_hex(8)}"
        self.refusal(mark, mark)
        return self.server.log_up_to(mark)


def dn_of(name: str) -> str:
    """A user's distinguished name."""
    return f"CN={escape_rdn(name)},{_USERS}"
