"""Secrets that say `mysql` for a MariaDB server, which has no second password: the rotation works, and has a gap."""

from local.contract import Alternating, Logins, OneUser, Passwords, Setup, Strategies
from local.contract.rotating import SecretInRotation
from local.contract.strategies import ONE_USER, accepted
from local.targets.mariadb import MariaDbTarget

ON_MARIADB = Setup("mysql", MariaDbTarget)
AURORA = Setup("aurora-mysql", MariaDbTarget)
SETUPS = [ON_MARIADB]


class TestLogins(Logins):
    setups = (ON_MARIADB, AURORA)


class TestPasswords(Passwords): ...


class TestStrategies(Strategies): ...


class TestOneUser(OneUser): ...


class TestAlternating(Alternating): ...


class TestGap:
    strategies = ONE_USER

    def test_the_gap_is_found_by_asking_the_server(self, rotation: SecretInRotation, target: MariaDbTarget) -> None:
        rotation.create()
        rotation.set()
        assert not accepted(target, rotation.current)
        assert rotation.change().is_interruption()
