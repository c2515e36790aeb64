"""Valkey (PyPI's 9 without TLS) and Redis (Debian's 7 with it) keep the contract."""

from local.contract import (
    Alternating,
    EqualRights,
    Logins,
    OneUser,
    Passwords,
    Sessions,
    Setup,
    Strategies,
    Tls,
    TwoPasswords,
)
from local.contract.rotating import fitting_password, log_in, new_name, new_password, refused
from local.targets.redis import RedisTarget, ValkeyTarget
from local.targets.target import Target
from rotation.errors import PrivilegeMissingError
from rotation.models import SecretDocument
from rotation.protocols import EngineTraits

WITH_TLS = Setup("redis", RedisTarget, with_tls=True)
SETUPS = [Setup("valkey", ValkeyTarget), WITH_TLS]
HARD_NAMES = {
    # No user of Redis has a space in its name.
    "quotes": 'o\'brien"the"app',
    "capitals": "AppUser",
    "non-ascii": "größe-приложение",
    "percent and braces": "100%s{app}$1",
    "backslash": "back\\slash",
    "semicolon": "x;ACL|DELUSER|default;--",
    "keyword": "nopass",
    "starts like a rule": "+@all",
    "starts like a password": "#name",
    "starts like a selector": "(~*",
}


class TestLogins(Logins):
    # Of Debian's Redis without TLS, this much: the server is the same.
    setups = (*SETUPS, Setup("redis", RedisTarget))


class TestSessions(Sessions): ...


class TestPasswords(Passwords):
    def test_nobody_sets_the_password_of_another_user(
        self, secret: SecretDocument, target: Target, traits: EngineTraits, ca_bundle: str | None
    ) -> None:
        """Nobody but those who may set any: there is no right to set one's own."""
        other, password, new = new_name("other"), new_password(), fitting_password(traits)
        target.create_user(other, password)
        assert isinstance(target, ValkeyTarget)
        target.restrict(secret.fields.username)
        for name in (other, secret.fields.username):
            with (
                refused(PrivilegeMissingError, new.get_secret_value()) as refusal,
                log_in(secret, ca_bundle=ca_bundle) as session,
            ):
                session.set_password(name, new)
            assert "masterarn" in str(refusal.error)
        assert target.refusal(other, password) is None
        assert target.refusal(other, new.get_secret_value()) is not None


class TestStrategies(Strategies):
    hard_names = HARD_NAMES
    keeps_old_password = True


class TestOneUser(OneUser): ...


class TestTwoPasswords(TwoPasswords): ...


class TestAlternating(Alternating): ...


class TestEqualRights(EqualRights): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
