"""Directories that speak LDAP, such as OpenLDAP and 389 Directory Server, with ldap3.

LDAPS on port 636; with `"ssl": false` in the secret plaintext on port 389, where the login itself shows the password. The
user name is the distinguished name to log in with, or the secret's key `user_dn_template` makes one of it.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from rotation.engines.invocation import Invocation
from rotation.engines.ldap_accounts import Accounts
from rotation.models import Login
from rotation.protocols import EngineTraits, Session

_PLAINTEXT_PORT = 389


class LdapEngine:
    """Logs in to a directory for one invocation."""

    # OpenLDAP keeps a relative name below 250 bytes; about passwords it has no limit of its own.
    traits = EngineTraits(default_port=636, max_username_bytes=200, max_password_length=256, has_clones=False)

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._accounts = Accounts()

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Log in; every change takes effect at once."""
        # The driver is imported with the first login: createSecret does without it.
        from rotation.engines.ldap_connection import LdapConnection
        from rotation.engines.ldap_session import LdapSession

        if not login.tls and not login.document.get("port"):
            login = replace(login, port=_PLAINTEXT_PORT)
        with closing(LdapConnection(login, self._invocation)) as connection:
            session = LdapSession(connection, login, self._accounts)
            session.open()
            yield session
