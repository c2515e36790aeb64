r"""What is said to a domain controller: a simple bind, the proof whose session it is, and changes of `unicodePwd`.

A user name is what Windows takes at a login: `user`, `user@domain`, `DOMAIN\user`, or a distinguished name. A server tries
such names in several meanings, of which one is anybody's display name, so a bare `user` is never sent: it becomes
`user@domain`. And whichever account it was that logged in, it has to be the one that the name stands for.

A server may let users in with the password before the last for an hour (OldPasswordAllowedPeriod). So a repeated setSecret
may log in with AWSCURRENT although the change was made; the change then fails for its old password, and the new one
decides.

Source: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-adts/6e803168-f140-4d23-b2d3-c3a8ab5917d2
"""

from collections.abc import Callable, Sequence

from ldap3 import MODIFY_ADD, MODIFY_DELETE, MODIFY_REPLACE
from ldap3.utils.conv import escape_filter_chars
from pydantic import SecretStr

from rotation.engines.directory_service import DirectoryService
from rotation.engines.ldap_accounts import Accounts
from rotation.engines.ldap_connection import Entry, LdapConnection
from rotation.engines.ldap_errors import AD_WRONG_OLD, login_error, password_error, request_error, windows_code
from rotation.engines.session import LoneSession
from rotation.errors import AuthenticationUnsafeError, CredentialUnknownError, TargetMismatchError
from rotation.models import Login

_NAMES, _SID, _ACCOUNT_NAME = ("defaultNamingContext", "tokenGroups"), "objectSid", "sAMAccountName"


class ActiveDirectorySession(LoneSession):
    """One login.

    Attributes:
        directory: Sets passwords through AWS's API, where the secret asks for that.
    """

    directory: DirectoryService | None = None

    def __init__(
        self, connection: LdapConnection, login: Login, accounts: Accounts, opens: Callable[[SecretStr], bool]
    ) -> None:
        """Plan a session; `opens` tries another password for the same login."""
        self._connection = connection
        self._login = login
        self._accounts = accounts
        self._opens = opens
        self._password = login.password
        self._base = ""

    def open(self) -> None:
        """Bind, and make sure that the session is that of the account which the user name stands for."""
        username = self._login.username
        self._base = self._connection.read("", _NAMES[0]).text(_NAMES[0])
        answer = self._connection.bind(_login_name(username, self._base), self._password)
        if answer.code:
            raise login_error(answer, self._login)
        session_ids = self._session_ids()
        mine = [entry for entry in self._found(username) if set(entry.values(_SID)) & set(session_ids)]
        self._accounts.remember(username, self._one(mine, username).dn)

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Set the password of the account that the user name logged in to before, if it did in this invocation."""
        own = self._accounts.dn(self._login.username)
        dn = self._accounts.dn(username) or self._one(self._found(username), username).dn
        if dn == own and password == self._password:
            return  # the login has proved it, and to the domain's rules it would be a relapse
        if self.directory is not None:
            self.directory.reset_password(self._connection.read(dn, _ACCOUNT_NAME).text(_ACCOUNT_NAME), password)
        elif dn == own:
            self._change_own(dn, password)
        else:
            self._modify(dn, (MODIFY_REPLACE, [_quoted(password)]))
        if dn == own:
            self._password = password

    def check(self) -> None:
        """Ask whose session it is."""
        self._session_ids()

    def _change_own(self, dn: str, password: SecretStr) -> None:
        refused_code = self._modify(
            dn,
            (MODIFY_DELETE, [_quoted(self._password)]),
            (MODIFY_ADD, [_quoted(password)]),
            expected=AD_WRONG_OLD,
        )
        if refused_code and not self._opens(password):
            raise CredentialUnknownError(
                f"{self._login.host} lets user {self._login.username} in with a password that was replaced a short time ago"
            )

    def _modify(self, dn: str, *changes: tuple[str, Sequence[bytes]], expected: str | None = None) -> bool:
        """Change the password; whether it was refused with the code that is expected."""
        answer = self._connection.modify(dn, {"unicodePwd": changes})
        if answer.code and windows_code(answer) == expected:
            return True
        if answer.code:
            raise password_error(answer, "modify", self._login)
        return False

    def _session_ids(self) -> Sequence[bytes]:
        """The identifiers of the session's user and of its groups."""
        found = self._connection.read("", *_NAMES).values("tokenGroups")
        if not found:
            raise AuthenticationUnsafeError(
                f"{self._login.host} accepts the login, but the session is nobody's",
                remedy="Make the server refuse unauthenticated binds: it has not looked at the password.",
            )
        return found

    def _found(self, username: str) -> list[Entry]:
        """The accounts that a user name may stand for."""
        if _is_distinguished(username):
            entry = self._connection.read(username, _SID)
            return [entry] if entry.attributes else []
        answer, found = self._connection.find(self._base, _filter(username, _domain(self._base)), _SID)
        if answer.code:
            raise request_error(answer, "search", self._login)
        return found

    def _one(self, found: list[Entry], username: str) -> Entry:
        if len(found) != 1:
            raise TargetMismatchError(
                f"the user name {username} stands for {len(found) or 'no'} account of {self._login.host} that may be used"
            )
        return found[0]


def _is_distinguished(username: str) -> bool:
    """A distinguished name, which alone may have an equals sign."""
    return "=" in username


def _login_name(username: str, base: str) -> str:
    """The name to log in with: a bare one gets the domain's."""
    if _is_distinguished(username) or "\\" in username or "@" in username:
        return username
    return f"{username}@{_domain(base)}"


def _domain(base: str) -> str:
    """The domain's DNS name, such as `example.com` of `DC=example,DC=com`."""
    return base.lower().removeprefix("dc=").replace(",dc=", ".")


def _filter(username: str, domain: str) -> str:
    """Accounts of this name; with `@` it may be an account's own, or be put together from its short name and the domain."""
    names = {_ACCOUNT_NAME: username.partition("\\")[2] or username}
    if "\\" not in username and "@" in username:
        short, _, suffix = username.rpartition("@")
        names = {"userPrincipalName": username} | ({_ACCOUNT_NAME: short} if suffix.lower() == domain else {})
    terms = "".join(f"({attribute}={escape_filter_chars(name)})" for attribute, name in names.items())
    return f"(&(objectClass=user)(|{terms}))"


def _quoted(password: SecretStr) -> bytes:
    """As `unicodePwd` takes it."""
    return f'"{password.get_secret_value()}"'.encode("utf-16-le")
