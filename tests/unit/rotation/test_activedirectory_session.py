"""What a session makes of answers that only Windows gives: a stub stands for the domain controller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from pydantic import SecretStr

from rotation.engines.activedirectory_session import ActiveDirectorySession
from rotation.engines.ldap_accounts import Accounts
from rotation.engines.ldap_connection import Answer, Entry, LdapConnection
from rotation.errors import (
    AuthenticationUnsafeError,
    CredentialUnknownError,
    PasswordRefusedError,
    PrivilegeMissingError,
    RotationError,
    StatementRejectedError,
    TargetMismatchError,
)
from rotation.models import Login

OWN, ANOTHER, GROUP = b"S-own", b"S-another", b"S-group"
SUCCESS = Answer(0, "", {}, b"")


@dataclass
class StubDomainController:
    """Accepts every login, as the account that has the identifier `session_of`."""

    found: Sequence[Entry] = (Entry("CN=app", {"objectSid": [OWN]}),)
    session_of: Sequence[bytes] = (OWN, GROUP)
    refusal: Answer = SUCCESS
    names: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)

    def read(self, dn: str, *attributes: str) -> Entry:
        if dn:
            return next((entry for entry in self.found if entry.dn == dn), Entry(dn, {}))
        known = {"defaultNamingContext": [b"DC=Example,DC=com"], "tokenGroups": self.session_of}
        return Entry("", {name: known[name] for name in attributes})

    def bind(self, name: str, _password: SecretStr, *_: str) -> Answer:
        self.names.append(name)
        return SUCCESS

    def find(self, _base: str, search_filter: str, *_: str) -> tuple[Answer, list[Entry]]:
        self.filters.append(search_filter)
        return SUCCESS, list(self.found)

    def modify(self, _dn: str, _changes: Mapping[str, Any]) -> Answer:
        return self.refusal


def opened(server: StubDomainController, username: str = "app", *, new_opens: bool = False) -> ActiveDirectorySession:
    login = Login("dc1.example.com", 636, None, username, SecretStr("old"), tls=True, tls_server_name=None)
    session = ActiveDirectorySession(cast("LdapConnection", server), login, Accounts(), lambda _: new_opens)
    session.open()
    return session


def test_a_login_that_opened_another_account_than_the_names_is_refused() -> None:
    with pytest.raises(TargetMismatchError):
        opened(StubDomainController(session_of=[ANOTHER, GROUP]))


def test_of_two_accounts_the_one_that_logged_in_is_meant() -> None:
    both = [Entry("CN=other", {"objectSid": [ANOTHER]}), Entry("CN=app", {"objectSid": [OWN]})]
    opened(StubDomainController(both), "app@example.com").set_password("app@example.com", SecretStr("new"))


def test_of_two_accounts_of_which_none_logged_in_none_is_changed() -> None:
    both = [Entry("CN=other", {"objectSid": [ANOTHER]}), Entry("CN=app", {"objectSid": [OWN]})]
    with pytest.raises(TargetMismatchError):
        opened(StubDomainController(both)).set_password("somebody@example.com", SecretStr("new"))


def test_a_session_of_nobodys_is_no_login() -> None:
    with pytest.raises(AuthenticationUnsafeError):
        opened(StubDomainController(session_of=[]))


@pytest.mark.parametrize(
    ("username", "login_name", "search_filter"),
    [
        ("app", "app@example.com", "(sAMAccountName=app)"),
        ("EXAMPLE\\app", "EXAMPLE\\app", "(sAMAccountName=app)"),
        ("EXAMPLE\\a@b", "EXAMPLE\\a@b", "(sAMAccountName=a@b)"),
        ("app@EXAMPLE.com", "app@EXAMPLE.com", "(userPrincipalName=app@EXAMPLE.com)(sAMAccountName=app)"),
        ("app@elsewhere.com", "app@elsewhere.com", "(userPrincipalName=app@elsewhere.com)"),
        ("a*)(cn=*)(b\\", "a*)(cn=*)(b\\", None),
        ("a*()", "a*()@example.com", "(sAMAccountName=a\\2a\\28\\29)"),
    ],
)
def test_a_name_is_sent_and_looked_for_in_one_meaning(username: str, login_name: str, search_filter: str | None) -> None:
    server = StubDomainController()
    if search_filter is None:
        with pytest.raises(TargetMismatchError):  # taken for a distinguished name, of which there is no entry
            opened(server, username)
    else:
        opened(server, username)
        assert server.filters == [f"(&(objectClass=user)(|{search_filter}))"]
    assert server.names == [login_name]


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (19, "0000052D: AtrErr: DSID-03190FD6, #1: problem 1005 (CONSTRAINT_ATT_TYPE)", PasswordRefusedError),
        (53, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0", PasswordRefusedError),
        (50, "00000005: SecErr: DSID-031A11ED, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0", PrivilegeMissingError),
        (53, "0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0", StatementRejectedError),
        (19, "00000056: AtrErr: DSID-03190FD6, #1: problem 1005 (CONSTRAINT_ATT_TYPE)", CredentialUnknownError),
    ],
)
def test_what_windows_says_to_a_change_has_its_class(code: int, text: str, kind: type[RotationError]) -> None:
    session = opened(StubDomainController(refusal=Answer(code, text, {}, b"")))
    with pytest.raises(kind) as caught:
        session.set_password("app", SecretStr("new"))
    assert "DSID" not in str(caught.value)


def test_a_change_that_was_made_before_is_not_made_again() -> None:
    wrong_old = Answer(19, "00000056: AtrErr: DSID-03190FD6", {}, b"")
    opened(StubDomainController(refusal=wrong_old), new_opens=True).set_password("app", SecretStr("new"))
