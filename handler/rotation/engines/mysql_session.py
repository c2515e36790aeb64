"""What is said to MySQL or MariaDB once it has accepted a login.

A user name may stand for several accounts, one for each pattern of hosts. A user who changes the own password changes the
account of CURRENT_USER(), the one that let this very login in. A superuser changes every account of the name that holds the
password to be replaced: those are the ones that clients come through today, wherever they come from. Where that password is
not told (alternating users), all accounts of the name have to hold the same credential; else it cannot be known which of
them the secret means, and none is changed.

Servers that take a verifier get one, and never hear the password:

- MariaDB, as long as no password policy demands to see it (`strict_password_validation`): then it does, and writes it into
  its general log, if that is switched on.
- MySQL, when a superuser sets a password and none is to be kept.

In every other case MySQL offers no way around `IDENTIFIED BY '…'`: a user may set the own password, and anybody may RETAIN
one, only so. It takes such passwords out of what it logs by itself (not with `--log-raw`):
https://dev.mysql.com/doc/refman/8.4/en/password-logging.html

Since 8.0.14, MySQL holds a secondary password beside the primary one, which RETAIN CURRENT PASSWORD makes of what was the
primary one. A password to keep that is the secondary one already (a rotation was given up after it had set its own) stays
so when the primary one is replaced without RETAIN. A user needs APPLICATION_PASSWORD_ADMIN for the secondary password; one
who lacks it still gets a new password, and the gap is measured.
Source: https://dev.mysql.com/doc/refman/8.4/en/password-management.html#dual-passwords
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pymysql
from pydantic import SecretStr

from rotation.engines.invocation import Invocation
from rotation.engines.mysql_accounts import Account, accounts_to_change
from rotation.engines.mysql_clones import provide_clone
from rotation.engines.mysql_errors import (
    ACCESS_DENIED_SPECIFIC,
    EXPIRED,
    WRONG_CURRENT_PASSWORD,
    demands_clear_password,
    number_of,
    statement_error,
    unreadable,
)
from rotation.engines.mysql_rights import Rights, rights_of
from rotation.engines.mysql_verifiers import NATIVE, native_hash
from rotation.models import Login

_MARIADB_ACCOUNTS = """
    SELECT Host, plugin, authentication_string, '', password_expired
    FROM mysql.user WHERE User = %s AND is_role = 'N' ORDER BY Host
"""
_OLDER_ACCOUNTS = """
    SELECT Host, plugin, authentication_string, '', password_expired FROM mysql.user WHERE User = %s ORDER BY Host
"""
_NEWER_ACCOUNTS = """
    SELECT Host, plugin, authentication_string, User_attributes->>'$.additional_password', password_expired
    FROM mysql.user WHERE User = %s ORDER BY Host
"""
_TWO_PASSWORDS_SINCE = (8, 0, 14)
_SERVER_SHARE = 0.8
"""Of the time that this side waits for an answer, so that the server's own error comes first and says why."""


class MySqlSession:
    """One login; every statement takes effect by itself."""

    def __init__(
        self, connection: "pymysql.Connection[Any]", login: Login, invocation: Invocation, *, keeps_old: bool
    ) -> None:
        self._connection = connection
        self._login = login
        self._invocation = invocation
        self._keeps_old = keeps_old

    def begin(self, limit_seconds: float) -> None:
        """Let the server itself end statements and lock waits that last longer, where it can, and speak as expected.

        So none of them takes effect after it was reported as failed. MariaDB needs both limits: its statements about users
        wait for each other without regard to the limit of lock waits. The mode decides how strings and names are quoted.
        """
        limit = limit_seconds * _SERVER_SHARE
        seconds = max(1, int(limit))
        self.execute(
            "begin",
            f"SET SESSION sql_mode = '', lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds} "
            f"/*M! , max_statement_time = {limit:.2f} */",
        )

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Set it for the session's own account, or for all that stand for the user; see above."""
        new, old = password.get_secret_value(), keep.get_secret_value() if keep else None
        if username == self._login.username:
            self._set_own(new, old)
            return
        for account in accounts_to_change(self.accounts(username), username, old):
            self._set_of(account, new, old)

    def provide_clone(self, owner: str, clone: str) -> None:
        """Give the clone an account for each of the owner's, with the same rights."""
        provide_clone(self, owner, clone)

    def check(self) -> None:
        """Run a query: a login alone would not notice a server that accepts and then fails, or an expired password."""
        self.execute("check", "SELECT 1")

    @cached_property
    def is_mariadb(self) -> bool:
        """Asked of the server: the greeting comes from a proxy where there is one."""
        return "MariaDB" in self._version

    def accounts(self, username: str) -> Sequence[Account]:
        """All accounts of a user name."""
        if self.is_mariadb:
            query = _MARIADB_ACCOUNTS
        elif self._has_two_passwords:
            query = _NEWER_ACCOUNTS
        else:
            query = _OLDER_ACCOUNTS
        return [
            Account(username, host, plugin or NATIVE, stored or "", retained or "", is_expired=expired == "Y")
            for host, plugin, stored, retained, expired in self.execute("look_up", query, username)
        ]

    def rights(self, account: Account) -> Rights:
        """What the account may do."""
        grants = self.execute("look_up", "SHOW GRANTS FOR %s@%s", account.user, account.host)
        created = self.execute("look_up", "SHOW CREATE USER %s@%s", account.user, account.host)
        return rights_of((line for (line,) in grants), (line for (line,) in created))

    def quoted(self, account: Account) -> str:
        """As it stands in statements."""
        return f"{self._connection.escape(account.user)}@{self._connection.escape(account.host)}"

    def execute(self, name: str, statement: str, *values: object) -> Sequence[Sequence[Any]]:
        """Run a statement; with values, `%s` stands for each."""
        try:
            return self._try(name, statement, *values)
        except pymysql.MySQLError as error:
            raise statement_error(error, name) from None

    def execute_with_password(self, name: str, with_verifier: str, with_password: str, password: str, *values: str) -> None:
        """Run a statement of MariaDB that ends with a password: with what is stored of it, if the server takes that."""
        try:
            self._try(name, with_verifier, *values, native_hash(password))
        except pymysql.MySQLError as error:
            if not demands_clear_password(error):
                raise statement_error(error, name) from None
            self.execute(name, with_password, *values, password)

    def _try(self, name: str, statement: str, *values: object) -> Sequence[Sequence[Any]]:
        with self._invocation.call(name), self._connection.cursor() as cursor:
            try:
                cursor.execute(statement, values or None)
            except pymysql.MySQLError:
                raise
            except Exception:  # noqa: BLE001 - the driver lets out whatever goes wrong as it reads a broken answer
                raise unreadable(name) from None
            return list(cursor.fetchall())

    @cached_property
    def _version(self) -> str:
        try:
            ((version,),) = self._try("look_up", "SELECT VERSION()")
        except pymysql.MySQLError as error:
            if number_of(error) != EXPIRED:
                raise statement_error(error, "look_up") from None
            # Nothing may be asked as long as the password has expired.
            return str(self._connection.get_server_info())  # type: ignore[no-untyped-call]
        return str(version)

    @cached_property
    def _has_two_passwords(self) -> bool:
        numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", self._version)
        is_new = numbers is not None and tuple(map(int, numbers.groups())) >= _TWO_PASSWORDS_SINCE
        return is_new and not self.is_mariadb

    def _set_own(self, new: str, old: str | None) -> None:
        if self.is_mariadb:
            self._set_in_mariadb("SET PASSWORD =", new)
            return
        if not self._has_two_passwords:
            self.execute("set_password", "ALTER USER USER() IDENTIFIED BY %s", new)
            return
        current = self._login.password.get_secret_value()
        keeps = self._keeps_old and old == current
        # The server holds REPLACE against the primary password, so one that is only the secondary is never lost by RETAIN.
        # A user who may not have a secondary one, or whose current one is it, goes on to the next.
        for clause in (["REPLACE %s RETAIN CURRENT PASSWORD"] if keeps else []) + ["REPLACE %s", ""]:
            try:
                self._try(
                    "set_password", f"ALTER USER USER() IDENTIFIED BY %s {clause}", new, *([current] if clause else [])
                )
                break
            except pymysql.MySQLError as error:
                if not clause or number_of(error) not in {ACCESS_DENIED_SPECIFIC, WRONG_CURRENT_PASSWORD}:
                    raise statement_error(error, "set_password") from None
        if not keeps:
            self._discard_own()

    def _discard_own(self) -> None:
        """End the secondary password; whoever may not has set none."""
        try:
            self._try("discard_password", "ALTER USER USER() DISCARD OLD PASSWORD")
        except pymysql.MySQLError as error:
            if number_of(error) != ACCESS_DENIED_SPECIFIC:
                raise statement_error(error, "discard_password") from None

    def _set_of(self, account: Account, new: str, old: str | None) -> None:
        name = account.user, account.host
        if self.is_mariadb:
            account.verifier_of(new)
            self._set_in_mariadb("SET PASSWORD FOR %s@%s =", new, *name)
            return
        keeps = old is not None and self._keeps_old and self._has_two_passwords
        if keeps and account.has_primary(old or ""):
            self.execute("set_password", "ALTER USER %s@%s IDENTIFIED BY %s RETAIN CURRENT PASSWORD", *name, new)
        elif keeps and account.has_secondary(old or ""):
            self.execute("set_password", "ALTER USER %s@%s IDENTIFIED BY %s", *name, new)
        else:
            stored = account.verifier_of(new)
            self.execute("set_password", "ALTER USER %s@%s IDENTIFIED WITH %s AS %s", *name, account.plugin, stored)
            if self._has_two_passwords:
                self.execute("discard_password", "ALTER USER %s@%s DISCARD OLD PASSWORD", *name)

    def _set_in_mariadb(self, statement: str, new: str, *name: str) -> None:
        self.execute_with_password("set_password", f"{statement} %s", f"{statement} PASSWORD(%s)", new, *name)
