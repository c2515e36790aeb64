"""What is said to an LDAP server: a simple bind, RFC 4532 to learn whose session it is, RFC 3062 to set a password.

By RFC 3062 the server does the hashing, so the password travels as it is; inside of TLS, unless the secret says
`"ssl": false`.
"""

from collections.abc import Mapping
from typing import Any

from ldap3.protocol.rfc3062 import PasswdModifyRequestValue
from ldap3.utils.dn import escape_rdn
from pydantic import SecretStr

from rotation.engines.ldap_accounts import Accounts
from rotation.engines.ldap_connection import LdapConnection
from rotation.engines.ldap_errors import (
    MUST_CHANGE,
    POLICY_CONTROL,
    login_error,
    password_error,
    policy_error,
    request_error,
)
from rotation.engines.session import LoneSession
from rotation.errors import AuthenticationUnsafeError, RoleLockedError, SecretMalformedError
from rotation.models import Login

_WHO_AM_I, _MODIFY_PASSWORD = "1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.4.1.4203.1.11.1"
_DN = "dn:"
_TEMPLATE, _PLACEHOLDER = "user_dn_template", "{username}"


class LdapSession(LoneSession):
    """One login."""

    def __init__(self, connection: LdapConnection, login: Login, accounts: Accounts) -> None:
        self._connection = connection
        self._login = login
        self._accounts = accounts
        self._password = login.password
        self._must_change = False

    def open(self) -> None:
        """Bind, and make sure that the session is somebody's: RFC 4513 has binds that prove nothing."""
        answer = self._connection.bind(dn_of(self._login.username, self._login), self._password, POLICY_CONTROL)
        if answer.code:
            raise login_error(answer, self._login)
        self._must_change = policy_error(answer) == MUST_CHANGE
        self._accounts.remember(self._login.username, self._who_am_i())

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Set the password of the account that the user name logged in to before, if it did in this invocation."""
        own = self._accounts.dn(self._login.username)
        dn = self._accounts.dn(username) or dn_of(username, self._login)
        request = PasswdModifyRequestValue()
        if dn != own:
            request["userIdentity"] = dn
        elif password == self._password:
            return  # the login has proved it, and a policy might take it for a relapse
        else:
            request["oldPasswd"] = self._password.get_secret_value().encode()
        request["newPasswd"] = password.get_secret_value().encode()
        answer = self._connection.extended("modify_password", _MODIFY_PASSWORD, request, POLICY_CONTROL)
        if answer.code:
            raise password_error(answer, "modify_password", self._login)
        if dn == own:
            self._password, self._must_change = password, False

    def check(self) -> None:
        """Ask whose session it is; one that may only change its password is of no use to an application."""
        self._who_am_i()
        if self._must_change:
            raise RoleLockedError(
                f"{self._login.host} lets user {self._login.username} do nothing before a change of password",
                remedy="Choose single-user, or end the policy (pwdMustChange) that makes others' passwords provisional.",
            )

    def _who_am_i(self) -> str:
        answer = self._connection.extended("who_am_i", _WHO_AM_I)
        if answer.code:
            raise request_error(answer, "who_am_i", self._login)
        if not answer.value:
            raise AuthenticationUnsafeError(
                f"{self._login.host} accepts the login, but the session is nobody's",
                remedy="Make the server refuse unauthenticated binds: it has not looked at the password.",
            )
        identity = answer.value.decode(errors="replace")
        return identity.removeprefix(_DN) if identity.startswith(_DN) else dn_of(self._login.username, self._login)


def dn_of(username: str, login: Login) -> str:
    """The distinguished name that the secret makes of a user name: itself, unless the secret has a template."""
    template = _template(login.document)
    return template.replace(_PLACEHOLDER, escape_rdn(username)) if template else username


def _template(document: Mapping[str, Any]) -> str | None:
    template = document.get(_TEMPLATE)
    if template is not None and (not isinstance(template, str) or template.count(_PLACEHOLDER) != 1):
        raise SecretMalformedError(
            f"the key {_TEMPLATE} does not hold {_PLACEHOLDER} once",
            remedy=f"Write it like uid={_PLACEHOLDER},ou=people,dc=example,dc=com, or let username be the whole name.",
        )
    return template
