"""MySQL 8 keeps the contract, and the old password, on a STUB: no MySQL 8 server can be had for these tests."""

from local.contract import Alternating, Logins, OneUser, Passwords, Setup, Strategies, Tls, TwoPasswords
from tests.contract.mysql.stub_mysql8 import StubMySql8

WITH_TLS = Setup("mysql", StubMySql8, with_tls=True)
SETUPS = [Setup("mysql", StubMySql8), WITH_TLS]


class TestLogins(Logins): ...


class TestPasswords(Passwords): ...


class TestStrategies(Strategies):
    keeps_old_password = True


class TestOneUser(OneUser): ...


class TestTwoPasswords(TwoPasswords): ...


class TestAlternating(Alternating): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
