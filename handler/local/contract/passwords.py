"""What every engine does when it sets a password."""

import pytest
from pydantic import SecretStr

from local.contract.logins import SHORT
from local.contract.rotating import (
    SecretInRotation,
    deadline_in,
    fitting_password,
    log_in,
    new_name,
    new_password,
    password_of,
    refused,
)
from local.targets.target import Target, WithLocks, WithPolicy, WithSessions
from rotation.errors import PasswordRefusedError, PrivilegeMissingError, TargetBusyError
from rotation.models import SecretDocument
from rotation.protocols import EngineTraits
from rotation.strategies.single_user import SingleUser

HARD_PASSWORDS = ("ü-пароль-密码-🔑-longer", "quote'double\"back\\slash;--", "%s %(x)s {} $1", " leading and trailing ")


class Passwords:
    """Of every engine that sets passwords."""

    hard_passwords: tuple[str, ...] = HARD_PASSWORDS
    """Any text that the target takes; those that it does not are a trait of the engine."""

    def test_the_new_password_is_accepted_and_the_old_one_is_not(
        self, secret: SecretDocument, target: Target, traits: EngineTraits, ca_bundle: str | None
    ) -> None:
        user, new = secret.fields.username, fitting_password(traits)
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.set_password(user, new)
        assert target.refusal(user, new.get_secret_value()) is None
        assert target.refusal(user, password_of(secret)) is not None

    def test_it_can_be_repeated(
        self, secret: SecretDocument, target: Target, traits: EngineTraits, ca_bundle: str | None
    ) -> None:
        user, new = secret.fields.username, fitting_password(traits)
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.set_password(user, new)
        with log_in(secret.changed(password=new.get_secret_value()), ca_bundle=ca_bundle) as session:
            session.set_password(user, new)
        assert target.refusal(user, new.get_secret_value()) is None

    def test_any_text_may_be_a_password(self, secret: SecretDocument, target: Target, ca_bundle: str | None) -> None:
        for new in self.hard_passwords:
            with log_in(secret, ca_bundle=ca_bundle) as session:
                session.set_password(secret.fields.username, SecretStr(new))
            assert target.refusal(secret.fields.username, new) is None
            secret = secret.changed(password=new)
            with log_in(secret, ca_bundle=ca_bundle) as session:
                session.check()

    def test_a_password_of_the_greatest_length(
        self, secret: SecretDocument, target: Target, traits: EngineTraits, ca_bundle: str | None
    ) -> None:
        longest = "aA1!" + "x" * (traits.max_password_length - 4)
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.set_password(secret.fields.username, SecretStr(longest))
        assert target.refusal(secret.fields.username, longest) is None
        assert target.refusal(secret.fields.username, longest[:-1]) is not None

    def test_the_server_writes_no_password_into_its_log(
        self,
        secret: SecretDocument,
        superuser: SecretDocument,
        target: Target,
        traits: EngineTraits,
        ca_bundle: str | None,
    ) -> None:
        user, own, other = secret.fields.username, fitting_password(traits), fitting_password(traits)
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.set_password(user, own)
        with log_in(superuser, ca_bundle=ca_bundle) as session:
            session.set_password(user, other)
        log = target.log()
        assert log
        for text in (own.get_secret_value(), other.get_secret_value(), password_of(superuser)):
            assert text not in log

    def test_nobody_sets_the_password_of_another_user(
        self, secret: SecretDocument, target: Target, traits: EngineTraits, ca_bundle: str | None
    ) -> None:
        other, password, new = new_name("other"), new_password(), fitting_password(traits)
        target.create_user(other, password)
        with (
            refused(PrivilegeMissingError, new.get_secret_value()),
            log_in(secret, ca_bundle=ca_bundle) as session,
        ):
            session.set_password(other, new)
        assert target.refusal(other, password) is None

    def test_a_superuser_sets_the_password_of_any_user(
        self,
        secret: SecretDocument,
        superuser: SecretDocument,
        target: Target,
        traits: EngineTraits,
        ca_bundle: str | None,
    ) -> None:
        new = fitting_password(traits)
        with log_in(superuser, ca_bundle=ca_bundle) as session:
            session.set_password(secret.fields.username, new)
        assert target.refusal(secret.fields.username, new.get_secret_value()) is None

    def test_open_sessions_survive(
        self, secret: SecretDocument, target: WithSessions, traits: EngineTraits, ca_bundle: str | None
    ) -> None:
        with target.session(secret) as use:
            with log_in(secret, ca_bundle=ca_bundle) as session:
                session.set_password(secret.fields.username, fitting_password(traits))
            use()


class Transactions:
    """Of engines whose target `is_transactional`."""

    def test_nothing_has_changed_when_the_caller_fails_afterwards(
        self, secret: SecretDocument, target: Target, ca_bundle: str | None
    ) -> None:
        user, new = secret.fields.username, new_password()

        def fail() -> None:
            with log_in(secret, ca_bundle=ca_bundle) as session:
                session.set_password(user, SecretStr(new))
                raise ZeroDivisionError

        assert target.is_transactional
        with pytest.raises(ZeroDivisionError):
            fail()
        assert target.refusal(user, password_of(secret)) is None
        assert target.refusal(user, new) is not None


class Locks:
    """Of engines whose target is `WithLocks`."""

    def test_a_lock_that_is_not_free_in_time_is_named_before_the_time_is_up(
        self, secret: SecretDocument, target: WithLocks, ca_bundle: str | None
    ) -> None:
        user, new = secret.fields.username, new_password()
        deadline = deadline_in(SHORT)
        with (
            target.lock(user),
            deadline.enforced(),
            refused(TargetBusyError, new),
            log_in(secret, SHORT, ca_bundle=ca_bundle) as session,
        ):
            session.set_password(user, SecretStr(new))
        assert deadline.remaining() > 0
        assert target.refusal(user, password_of(secret)) is None


class Policies:
    """Of engines whose target is `WithPolicy`."""

    def test_a_password_that_the_policy_refuses_is_told_so_and_nothing_changes(
        self, secret: SecretDocument, superuser: SecretDocument, target: WithPolicy, ca_bundle: str | None
    ) -> None:
        rotation = SecretInRotation(SingleUser(), secret, superuser, ca_bundle)
        rotation.create()
        with target.policy(), refused(PasswordRefusedError, password_of(rotation.pending)):
            rotation.set()
        assert target.refusal(secret.fields.username, password_of(secret)) is None
        rotation.set()
        assert target.refusal(secret.fields.username, password_of(rotation.pending)) is None
