"""Active Directory: with ldap3 over LDAPS, or by AWS's Directory Service where the secret names a directory and no host.

AWS's API sets a password without the old one and above the domain's rules on age and history; who logs in is proved over
LDAPS there as well, at the domain controllers that the API names. Plaintext is not spoken: the server would refuse to set a
password, and the login would show it.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SecretStr

from rotation.engines.directory_service import DirectoryService
from rotation.engines.invocation import Invocation
from rotation.engines.ldap_accounts import Accounts
from rotation.errors import LoginRefusedError, SecretMalformedError
from rotation.models import DIRECTORY_ID, Login
from rotation.protocols import EngineTraits, Session

if TYPE_CHECKING:
    from rotation.engines.activedirectory_session import ActiveDirectorySession


class ActiveDirectoryEngine:
    """Logs in to a domain for one invocation."""

    # Windows takes no longer password and, for users, no longer name.
    traits = EngineTraits(
        default_port=636, max_username_bytes=20, max_password_length=127, needs_host=False, has_clones=False
    )

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._accounts = Accounts()

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Log in; every change takes effect at once."""
        if not login.tls:
            raise SecretMalformedError(
                'the engine activedirectory speaks TLS only, and the secret says "ssl": false', remedy="Remove the key ssl."
            )
        if login.host:
            with self._session(login, self._invocation) as session:
                yield session
            return
        directory_id = login.document.get(DIRECTORY_ID)
        if not directory_id:
            raise SecretMalformedError(f"the key host is missing, or {DIRECTORY_ID} for a directory of AWS")
        directory = DirectoryService(self._invocation, str(directory_id))
        found = directory.find()
        located = replace(login, host=found.name)
        with self._session(located, replace(self._invocation, resolver=found.resolve)) as session:
            session.directory = directory
            yield session

    @contextmanager
    def _session(self, login: Login, invocation: Invocation) -> Iterator["ActiveDirectorySession"]:
        # The driver is imported with the first login: createSecret does without it.
        from rotation.engines.activedirectory_session import ActiveDirectorySession
        from rotation.engines.ldap_connection import LdapConnection

        def opens(password: SecretStr) -> bool:
            try:
                with self._session(replace(login, password=password), invocation):
                    return True
            except LoginRefusedError:
                return False

        with closing(LdapConnection(login, invocation)) as connection:
            session = ActiveDirectorySession(connection, login, self._accounts, opens)
            session.open()
            yield session
