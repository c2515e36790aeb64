"""MariaDB keeps the contract: Debian's 10.11, with TLS and without."""

from local.contract import (
    Alternating,
    EqualRights,
    Locks,
    Logins,
    OneUser,
    Passwords,
    Policies,
    Sessions,
    Setup,
    SharedOwnership,
    Strategies,
    Tls,
)
from local.targets.mariadb import MariaDbTarget

WITH_TLS = Setup("mariadb", MariaDbTarget, with_tls=True)
SETUPS = [Setup("mariadb", MariaDbTarget), WITH_TLS]


class TestLogins(Logins): ...


class TestSessions(Sessions): ...


class TestPasswords(Passwords): ...


class TestLocks(Locks): ...


class TestPolicies(Policies): ...


class TestStrategies(Strategies): ...


class TestOneUser(OneUser): ...


class TestAlternating(Alternating): ...


class TestSharedOwnership(SharedOwnership): ...


class TestEqualRights(EqualRights): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
