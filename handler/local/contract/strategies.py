"""What every strategy does to a real server, through every engine."""

from collections.abc import Mapping, Sequence

import pytest
from pydantic import SecretStr

from local.contract import peers
from local.contract.rotating import (
    SecretInRotation,
    engine_of,
    log_in,
    new_name,
    new_password,
    password_of,
    refused,
)
from local.targets.target import Target
from rotation.errors import CredentialUnknownError, PortClosedError, TargetMismatchError
from rotation.models import CURRENT, PENDING, PREVIOUS, SecretDocument
from rotation.protocols import EngineTraits
from rotation.strategies import STRATEGIES
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser

HARD_NAMES = {
    "quotes": 'o\'brien "the" app',
    "spaces": " app user ",
    "capitals": "AppUser",
    "non-ascii": "größe-приложение",
    "percent and braces": "100%s {app} $1",
    "backslash": "back\\slash",
    "semicolon": "x; DROP ROLE postgres; --",
    "keyword": "select",
    "starts like a list": "{app,b}",
}


ONE_USER: Sequence[Strategy] = (SingleUser(), SingleUserBySuperuser())


def accepted(target: Target, secret: SecretDocument) -> bool:
    """Whether a client with this secret gets in."""
    return target.refusal(secret.fields.username, password_of(secret)) is None


class Strategies:
    """Of every engine that sets passwords, for every strategy that is possible with it."""

    hard_names: Mapping[str, str] = HARD_NAMES
    """Names that users of the target may have."""

    strategies: Sequence[Strategy] = (*ONE_USER, AlternatingUsers())
    """Those that are possible with the engine."""
    keeps_old_password: bool = False
    """Whether the old password of a single user works until the next rotation."""

    def test_these_are_the_strategies_that_are_possible(self, traits: EngineTraits) -> None:
        possible = {name for name, strategy in STRATEGIES.items() if strategy.is_possible(traits)}
        assert possible == {strategy.name for strategy in self.strategies}

    def test_ten_rotations_each_give_a_login_that_works(self, rotation: SecretInRotation, target: Target) -> None:
        seen = {password_of(rotation.current)}
        for _ in range(10):
            seen.add(password_of(rotation.rotate()))
            assert accepted(target, rotation.current)
        assert len(seen) == 11

    def test_the_old_login_works_on_exactly_as_long_as_the_strategy_says(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        old = rotation.current
        rotation.rotate()
        works_on = not rotation.strategy.interrupts_clients or self.keeps_old_password
        assert accepted(target, old) is works_on
        rotation.rotate()
        assert not accepted(target, old)

    def test_setting_twice_is_setting_once(self, rotation: SecretInRotation, target: Target) -> None:
        rotation.create()
        assert rotation.set() == CURRENT
        rotation.set()
        assert accepted(target, rotation.pending)

    def test_what_is_remembered_to_be_set_is_tried_first(self, rotation: SecretInRotation, target: Target) -> None:
        rotation.create()
        rotation.set()
        assert rotation.set(remembered=True) == PENDING
        assert accepted(target, rotation.pending)

    def test_a_memory_that_the_server_lost_is_set_again(self, rotation: SecretInRotation, target: Target) -> None:
        rotation.create()
        assert rotation.set(remembered=True) == CURRENT
        assert accepted(target, rotation.pending)

    def test_a_wrong_current_password_changes_nothing(self, rotation: SecretInRotation, target: Target) -> None:
        right, wrong = rotation.current, new_password()
        rotation.current = right.changed(password=wrong)
        rotation.create()
        users = target.users()
        with refused(CredentialUnknownError, wrong, password_of(rotation.pending)) as refusal:
            rotation.set()
        assert "AWSCURRENT" in refusal.message
        assert "AWSPENDING" in refusal.message
        assert target.users() == users
        assert accepted(target, right)

    def test_a_secret_may_not_name_somebody_else(self, rotation: SecretInRotation, target: Target) -> None:
        victim, password = new_name("victim"), new_password()
        target.create_user(victim, password)
        rotation.create()
        rotation.pending = rotation.pending.changed(username=victim)
        with refused(TargetMismatchError):
            rotation.set()
        assert target.refusal(victim, password) is None

    def test_an_unreachable_server_is_no_refused_login(self, rotation: SecretInRotation) -> None:
        rotation.create()
        with peers.closed_port() as port:
            rotation.current = rotation.current.changed(port=port)
            with refused(PortClosedError):
                rotation.set()

    def test_any_name_can_be_rotated(self, rotation: SecretInRotation, target: Target, hard_name: str) -> None:
        user, password = new_name(hard_name), new_password()
        target.create_user(user, password)
        rotation.current = rotation.current.changed(username=user, password=password)
        for _ in range(3):
            rotation.rotate()
            assert accepted(target, rotation.current)

    def test_a_name_of_the_greatest_length_can_be_rotated(self, rotation: SecretInRotation, target: Target) -> None:
        longest = engine_of(rotation.current).traits.max_username_bytes
        user, password = new_name().ljust(longest - 1, "x") + "y", new_password()
        target.create_user(user, password)
        rotation.current = rotation.current.changed(username=user, password=password)
        for _ in range(3):
            rotation.rotate()
            assert accepted(target, rotation.current)
        assert rotation.rotate().fields.username in target.users()


class OneUser:
    """Of every engine that sets passwords."""

    strategies: Sequence[Strategy] = ONE_USER

    def test_the_pending_password_is_found_to_be_set(self, rotation: SecretInRotation, target: Target) -> None:
        rotation.create()
        rotation.set()
        assert rotation.set() == PENDING

    def test_a_server_restored_from_a_backup_is_rotated_with_the_previous_password(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        rotation.previous = rotation.current
        rotation.current = rotation.current.changed(password=new_password())
        rotation.create()
        assert rotation.set() == PREVIOUS
        assert accepted(target, rotation.pending)

    @pytest.mark.parametrize("key", ["username", "host", "port", "engine"])
    def test_a_previous_secret_for_another_target_is_not_tried(self, rotation: SecretInRotation, key: str) -> None:
        other: dict[str, str | int] = {"username": "somebody", "host": "localhost", "port": 1, "engine": "another"}
        rotation.previous = rotation.current.changed(**{key: other[key]})
        rotation.current = rotation.current.changed(password=new_password())
        rotation.create()
        with refused(CredentialUnknownError) as refusal:
            rotation.set()
        assert "AWSPREVIOUS" not in refusal.message


class TwoPasswords:
    """Of engines whose target keeps the old password: no client is ever cut off."""

    strategies: Sequence[Strategy] = ONE_USER

    def test_both_passwords_work_until_the_next_rotation(self, rotation: SecretInRotation, target: Target) -> None:
        logins = [rotation.current]
        for _ in range(3):
            rotation.create()
            rotation.set()
            assert accepted(target, rotation.current)
            assert accepted(target, rotation.pending)
            logins.append(rotation.test_and_finish())
            assert [accepted(target, login) for login in logins[-3:]] == [False, True, True][-len(logins) :]

    def test_there_is_no_credential_gap(self, rotation: SecretInRotation, traits: EngineTraits) -> None:
        rotation.create()
        rotation.set()
        assert traits.keeps_old_password
        assert not rotation.change().is_interruption()

    def test_a_repeated_set_keeps_the_current_password(self, rotation: SecretInRotation, target: Target) -> None:
        rotation.create()
        for _ in range(3):
            rotation.set()
            rotation.set(remembered=True)
        assert accepted(target, rotation.current)
        assert accepted(target, rotation.pending)

    def test_a_pending_password_that_was_given_up_does_not_cost_the_current_one(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        """A rotation that was cancelled after setSecret has left its password on the target."""
        rotation.create()
        rotation.set()
        given_up = rotation.pending
        rotation.create()
        rotation.set()
        assert accepted(target, rotation.current)
        assert accepted(target, rotation.pending)
        assert not accepted(target, given_up)

    def test_the_superuser_ends_a_password_that_nobody_knows(
        self, secret: SecretDocument, superuser: SecretDocument, target: Target, ca_bundle: str | None
    ) -> None:
        """Somebody has changed the password by hand; the one that is lost does not stay valid for ever."""
        lost = new_password()
        rotation = SecretInRotation(SingleUserBySuperuser(), secret, superuser, ca_bundle)
        rotation.rotate()
        with log_in(superuser, ca_bundle=ca_bundle) as session:
            session.set_password(secret.fields.username, SecretStr(lost), keep=rotation.current.fields.password)
        rotation.rotate()
        assert target.refusal(secret.fields.username, lost) is not None
        assert accepted(target, rotation.current)
