"""LDAP over a connection that is made and secured before ldap3 hears of it.

ldap3 itself resolves names without a time limit and compares host names in a way of its own; so it is handed a socket from
`network` and `tls`. Referrals are not followed: they would carry the password to whatever host an answer names.

Passwords are sent as UTF-8 and not prepared as RFC 4013 would have it, at the login as at the change: what is stored is
what an application sends.
"""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ldap3 import BASE, NONE, SAFE_SYNC, SIMPLE, SUBTREE, Connection, Server
from ldap3.core.exceptions import LDAPException
from pyasn1.error import PyAsn1Error
from pydantic import SecretStr

from rotation.engines.invocation import Invocation
from rotation.engines.network import open_socket, seconds_to_answer
from rotation.engines.tls import SYSTEM, ca_file, secured
from rotation.errors import ConnectionLostError, ConnectTimeoutError, StatementRejectedError, TargetError, TlsFailedError
from rotation.models import Login

Changes = Mapping[str, Sequence[tuple[str, Sequence[bytes]]]]
"""Attribute, and what is done to it in this order."""
_ANYTHING = "(objectClass=*)"


@dataclass(frozen=True)
class Answer:
    """What the server says to a request.

    Attributes:
        code: The result code; 0 is success.
        text: The diagnostic message: to be read, and never repeated.
        controls: Values by OID.
        value: That of an extended operation.
    """

    code: int
    text: str
    controls: Mapping[str, bytes]
    value: bytes


@dataclass(frozen=True)
class Entry:
    """An entry of the directory, with the attributes that were asked for."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]

    def values(self, name: str) -> Sequence[bytes]:
        """All values; none where the attribute is missing or may not be read."""
        return self.attributes.get(name, ())

    def text(self, name: str) -> str:
        """The first value."""
        return b"".join(self.values(name)[:1]).decode(errors="replace")


class LdapConnection:
    """One connection, of nobody until `bind`."""

    def __init__(self, login: Login, invocation: Invocation) -> None:
        self._login = login
        self._invocation = invocation
        # The system's authorities and not Amazon's: a directory's certificate comes from anywhere but RDS.
        authorities = ca_file(invocation.settings, SYSTEM) if login.tls else ""
        self._socket = open_socket(invocation, login)
        if login.tls:
            with invocation.call("tls"):
                self._socket = secured(self._socket, login, authorities)
        self._driver = _driver(self._socket)

    def close(self) -> None:
        """Hang up; LDAP asks for no farewell."""
        self._socket.close()

    def bind(self, name: str, password: SecretStr, *controls: str) -> Answer:
        """Log in by a simple bind; controls are asked for by their OIDs, and may be ignored."""
        self._driver.user = name
        self._driver.password = password.get_secret_value().encode()
        self._driver.authentication = SIMPLE
        return self._ask("bind", lambda: self._driver.bind(read_server_info=False, controls=_requested(controls)))[0]

    def read(self, dn: str, *attributes: str) -> Entry:
        """One entry, empty if there is none that may be read; the name "" is the server itself."""
        found = self._search(dn, _ANYTHING, BASE, attributes)[1]
        return found[0] if found else Entry(dn, {})

    def find(self, base: str, search_filter: str, *attributes: str) -> tuple[Answer, list[Entry]]:
        """All entries below `base` that the filter lets through."""
        return self._search(base, search_filter, SUBTREE, attributes)

    def modify(self, dn: str, changes: Changes) -> Answer:
        """Change an entry: all of it, or nothing."""
        return self._ask("modify", lambda: self._driver.modify(dn, dict(changes)))[0]  # type: ignore[no-untyped-call]

    def extended(self, name: str, oid: str, value: Any = None, *controls: str) -> Answer:
        """An extended operation, which log and trace call by `name`."""
        return self._ask(name, lambda: self._driver.extended(oid, value, _requested(controls)))[0]

    def _search(self, base: str, search_filter: str, scope: Any, attributes: Sequence[str]) -> tuple[Answer, list[Entry]]:
        return self._ask("search", lambda: self._driver.search(base, search_filter, scope, attributes=list(attributes)))

    def _ask(self, operation: str, ask: Callable[[], Any]) -> tuple[Answer, list[Entry]]:
        with self._invocation.call(operation):
            self._socket.settimeout(seconds_to_answer(self._invocation))
            try:
                _, result, response, _ = ask()
            except (LDAPException, PyAsn1Error, ArithmeticError, LookupError, TypeError, ValueError) as error:
                # ldap3 raises the latter on what is no LDAP.
                raise self._broken(error, operation) from None
        controls = {oid: control["value"] for oid, control in (result.get("controls") or {}).items()}
        answer = Answer(result["result"], result["message"] or "", controls, result.get("responseValue") or b"")
        return answer, _entries(response) if isinstance(response, list) else []

    def _broken(self, error: Exception, operation: str) -> TargetError:
        """The tree's error; ldap3's exceptions are also what the socket raised."""
        host = self._login.host
        match error:
            case TimeoutError():
                return ConnectTimeoutError(f"{host} does not answer to {operation}")
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return ConnectionLostError(f"{host} closed the connection during {operation}")
            case ssl.SSLError():
                return TlsFailedError(f"{host} ended TLS with an alert: it may ask for a client certificate")
            case LDAPException():
                return ConnectionLostError(f"{host} closed the connection during {operation}")
            case _:
                return StatementRejectedError(f"{host} does not speak LDAP on port {self._login.port}")


def _driver(opened: socket.socket) -> Connection:
    driver = Connection(
        Server("connected", get_info=NONE),
        client_strategy=SAFE_SYNC,
        auto_referrals=False,
        auto_range=False,
        check_names=False,
        return_empty_attributes=False,
    )
    # Opened as if there were no server, which is how ldap3 leaves out that it connects.
    driver.strategy.no_real_dsa = True
    driver.open(read_server_info=False)
    driver.strategy.no_real_dsa = False
    driver.socket, driver.closed, driver.listening = opened, False, True
    return driver


def _requested(controls: Sequence[str]) -> list[tuple[str, bool, None]] | None:
    return [(oid, False, None) for oid in controls] or None


def _entries(response: list[dict[str, Any]]) -> list[Entry]:
    """Without references to other servers, which stand among the entries."""
    return [Entry(each["dn"], each["raw_attributes"]) for each in response if each["type"] == "searchResEntry"]
