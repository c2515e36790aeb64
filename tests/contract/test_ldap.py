"""OpenLDAP keeps the contract, in plaintext and with TLS."""

from local.contract import Logins, OneUser, Passwords, Policies, Sessions, Setup, Strategies, Tls
from local.contract.strategies import ONE_USER
from local.targets.ldap import OpenLdapTarget

WITH_TLS = Setup("ldap", OpenLdapTarget, with_tls=True)
SETUPS = [Setup("ldap", OpenLdapTarget), WITH_TLS]


class TestLogins(Logins): ...


class TestSessions(Sessions): ...


class TestPasswords(Passwords): ...


class TestPolicies(Policies): ...


class TestStrategies(Strategies):
    strategies = ONE_USER


class TestOneUser(OneUser): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
