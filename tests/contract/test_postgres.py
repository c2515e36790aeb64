"""PostgreSQL keeps the contract: PyPI's 18 without TLS, Debian's 15 with it."""

from local.contract import (
    Alternating,
    EqualRights,
    Locks,
    Logins,
    OneUser,
    Passwords,
    Sessions,
    Setup,
    SharedOwnership,
    Strategies,
    Tls,
    Transactions,
)
from local.contract.rotating import SecretInRotation
from local.targets.postgres import PostgresTarget
from rotation.models import PENDING

WITH_TLS = Setup("postgres", PostgresTarget, with_tls=True)
SETUPS = [Setup("postgres", PostgresTarget), WITH_TLS]
# One class and one server under another name.
AURORA = Setup("aurora-postgresql", PostgresTarget)


class TestLogins(Logins):
    setups = (*SETUPS, AURORA)


class TestSessions(Sessions): ...


class TestPasswords(Passwords): ...


class TestTransactions(Transactions): ...


class TestLocks(Locks): ...


class TestStrategies(Strategies):
    def test_a_remembered_change_causes_no_refused_login(self, rotation: SecretInRotation, target: PostgresTarget) -> None:
        rotation.create()
        rotation.set()
        before = target.log().count("FATAL")
        assert rotation.set(remembered=True) == PENDING
        assert target.log().count("FATAL") == before


class TestOneUser(OneUser): ...


class TestAlternating(Alternating): ...


class TestSharedOwnership(SharedOwnership): ...


class TestEqualRights(EqualRights): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
