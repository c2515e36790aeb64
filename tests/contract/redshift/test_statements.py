"""Statements that only Redshift understands: what is said is seen, not what Redshift makes of it."""

from typing import Any, cast

import psycopg
import pytest
from psycopg import sql

from local.contract.rotating import invocation
from rotation.engines.redshift_session import RedshiftSession

USER: dict[str, Any] = {
    "usesuper": False,
    "usecreatedb": False,
    "useconnlimit": "UNLIMITED",
    "valuntil": None,
    "useconfig": None,
    "syslogaccess": "RESTRICTED",
    "sessiontimeout": None,
}
SILENT = {"groups": {"alternate_of_app"}, "roles": set()}


class StubResult:
    """The rows of a query."""

    description = True

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


class StubConnection:
    """Stands in for a Redshift with the users app and app_clone, and remembers what it is told to change."""

    class pgconn:  # noqa: N801 - psycopg's name
        @staticmethod
        def encrypt_password(_password: bytes, _username: bytes, kind: bytes) -> bytes:
            return kind + b"-digest"

    def __init__(self, *, app: dict[str, Any], clone: dict[str, Any] | None) -> None:
        self.told: list[str] = []
        self._users = {"app": {**USER, **SILENT, **app}}
        if clone is not None:
            self._users["app_clone"] = {**USER, **SILENT, **clone}

    def execute(self, statement: str | sql.Composed, values: tuple[str, ...] | None = None) -> StubResult:
        text = statement if isinstance(statement, str) else statement.as_string()
        if not text.lstrip().startswith("SELECT"):
            self.told.append(text)
            return StubResult([])
        assert values is not None
        return StubResult(self._rows(text, values))

    def _rows(self, query: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        user = self._users.get(values[-1], {**USER, **SILENT, "groups": set()})
        if "FROM pg_user " in query and " OR " in query:
            return [(name,) for name in self._users]
        if "FROM pg_user_info" in query:
            return [tuple(user[key] for key in list(USER)[:5])]
        if "FROM svl_user_info" in query:
            return [tuple(user[key] for key in list(USER)[5:])]
        if "FROM svv_user_grants" in query:
            return [(role,) for role in user["roles"]]
        if "pg_user u" in query:
            return [(group,) for group in user["groups"]]
        return []


def told(app: dict[str, Any], clone: dict[str, Any] | None) -> list[str]:
    """What is changed so that the clone is equal to app."""
    connection = StubConnection(app=app, clone=clone)
    session = RedshiftSession(cast("psycopg.Connection", connection), "admin", invocation())
    session.provide_clone("app", "app_clone")
    return connection.told


OPTIONS = [
    ({"syslogaccess": "UNRESTRICTED"}, "SYSLOG ACCESS UNRESTRICTED", "SYSLOG ACCESS RESTRICTED"),
    ({"sessiontimeout": 120}, "SESSION TIMEOUT 120", "RESET SESSION TIMEOUT"),
    ({"useconnlimit": "17"}, "CONNECTION LIMIT 17", "CONNECTION LIMIT UNLIMITED"),
    ({"valuntil": "2999-01-01 00:00:00+00"}, "VALID UNTIL '2999-01-01 00:00:00+00'", "VALID UNTIL 'infinity'"),
    ({"usecreatedb": True}, "CREATEDB", "NOCREATEDB"),
    ({"usesuper": True}, "CREATEUSER", "NOCREATEUSER"),
]


@pytest.mark.parametrize(("option", "given", "taken"), OPTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_options_are_given_and_taken(option: dict[str, Any], given: str, taken: str) -> None:
    assert told(option, {}) == [f'ALTER USER "app_clone" {given}']
    assert told({}, option) == [f'ALTER USER "app_clone" {taken}']
    assert told(option, option) == []


def test_roles_are_given_and_taken() -> None:
    assert told({"roles": {"analyst"}}, {}) == ['GRANT ROLE "analyst" TO "app_clone"']
    assert told({}, {"roles": {"analyst"}}) == ['REVOKE ROLE "analyst" FROM "app_clone"']
    assert told({"roles": {"analyst"}}, {"roles": {"analyst"}}) == []


def test_a_new_clone_begins_with_a_digest_and_its_mark() -> None:
    assert told({"groups": set()}, None)[:3] == [
        'CREATE GROUP "alternate_of_app"',
        "CREATE USER \"app_clone\" PASSWORD 'md5-digest'",
        'ALTER GROUP "alternate_of_app" ADD USER "app_clone"',
    ]
