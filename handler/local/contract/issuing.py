"""What two keys do at a real service that makes them itself."""

from collections.abc import Sequence

import pytest

from local.contract import peers
from local.contract.rotating import SecretInRotation, engine_of, log_in, new_password, password_of, refused
from local.contract.strategies import accepted
from local.targets.target import Target
from rotation.errors import LoginRefusedError, PortClosedError
from rotation.models import SecretDocument
from rotation.protocols import EngineTraits
from rotation.strategies import STRATEGIES
from rotation.strategies.change import Strategy, login_of
from rotation.strategies.two_keys import TwoKeys


def revoke(secret: SecretDocument, other: SecretDocument, ca_bundle: str | None = None) -> None:
    """Let one key end another."""
    with log_in(secret, ca_bundle=ca_bundle) as session:
        session.revoke(login_of(other, engine_of(other).traits))  # type: ignore[attr-defined] # the session is an Issuer


class Issuing:
    """Of engines whose target makes the credentials, names each of them, and holds three at a time."""

    strategies: Sequence[Strategy] = (TwoKeys(),)

    def test_this_is_the_only_strategy_that_is_possible(self, traits: EngineTraits) -> None:
        assert [strategy.name for strategy in STRATEGIES.values() if strategy.is_possible(traits)] == [TwoKeys.name]

    def test_ten_rotations_each_give_a_key_that_works_and_leave_two(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        others = target.users() - {rotation.current.fields.username}
        seen = {password_of(rotation.current)}
        for _ in range(10):
            seen.add(password_of(rotation.rotate()))
            assert accepted(target, rotation.current)
            assert rotation.previous is not None
            in_use = {rotation.current.fields.username, rotation.previous.fields.username}
            assert target.users() - others == in_use
        assert len(seen) == 11

    def test_the_old_key_works_until_the_next_rotation_has_proven_its_own(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        old = rotation.current
        rotation.rotate()
        assert accepted(target, old)
        rotation.create()
        assert accepted(target, old)
        rotation.set()
        assert not accepted(target, old)

    def test_every_key_in_use_works_at_every_moment(self, rotation: SecretInRotation, target: Target) -> None:
        """No credential gap."""
        for _ in range(3):
            for step in (rotation.create, rotation.set, rotation.test_and_finish):
                step()
                assert accepted(target, rotation.current)
                assert accepted(target, rotation.pending)

    def test_setting_twice_is_setting_once(self, rotation: SecretInRotation, target: Target) -> None:
        rotation.rotate()
        rotation.create()
        for _ in range(3):
            rotation.set()
            rotation.set(remembered=True)
        assert accepted(target, rotation.current)
        assert accepted(target, rotation.pending)

    def test_a_pending_key_that_does_not_work_costs_no_other(self, rotation: SecretInRotation, target: Target) -> None:
        first = rotation.current
        rotation.rotate()
        issued = rotation.create()
        rotation.pending = issued.changed(password=new_password())
        with refused(LoginRefusedError, password_of(rotation.pending)):
            rotation.set()
        assert all(accepted(target, key) for key in (first, rotation.current, issued))

    def test_a_wrong_current_key_makes_none(self, rotation: SecretInRotation, target: Target) -> None:
        right, wrong = rotation.current, new_password()
        rotation.current = right.changed(password=wrong)
        users = target.users()
        with refused(LoginRefusedError, wrong):
            rotation.create()
        assert target.users() == users
        assert accepted(target, right)

    def test_a_barred_key_makes_none(self, rotation: SecretInRotation, target: Target) -> None:
        users = target.users()
        target.bar(rotation.current.fields.username)
        with refused(target.barred_as, password_of(rotation.current)):
            rotation.create()
        target.unbar(rotation.current.fields.username)
        assert target.users() == users

    def test_an_unreachable_service_is_no_refused_key(self, rotation: SecretInRotation) -> None:
        with peers.closed_port() as port:
            rotation.current = rotation.current.changed(port=port)
            with refused(PortClosedError):
                rotation.create()

    def test_a_key_that_is_gone_is_as_good_as_revoked(
        self, rotation: SecretInRotation, target: Target, ca_bundle: str | None
    ) -> None:
        old = rotation.current
        rotation.rotate()
        revoke(rotation.current, old, ca_bundle)
        revoke(rotation.current, old, ca_bundle)
        rotation.rotate()
        assert accepted(target, rotation.current)

    def test_a_second_attempt_after_one_that_died_leaves_no_further_key(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        """The function is killed between the service's answer and Secrets Manager's."""
        before = target.users()
        rotation.create()
        rotation.create_again()
        rotation.set()
        assert target.users() == before | {rotation.pending.fields.username}
        assert accepted(target, rotation.pending)

    def test_the_loser_of_a_race_ends_its_own_key(self, rotation: SecretInRotation, target: Target) -> None:
        winner = rotation.create()
        loser = rotation.create()
        rotation.strategy.take_back(rotation.creation(), loser)
        rotation.pending = winner
        assert not accepted(target, loser)
        rotation.set()
        assert accepted(target, rotation.test_and_finish())

    @pytest.mark.parametrize("change", [{"port": 1}, {"host": "localhost"}, {"engine": "another"}])
    def test_a_previous_key_of_another_target_is_left_alone(
        self, rotation: SecretInRotation, target: Target, change: dict[str, str | int]
    ) -> None:
        old = rotation.current
        rotation.rotate()
        rotation.previous = old.changed(**change)
        rotation.create()
        rotation.set()
        assert accepted(target, old)

    def test_a_previous_key_that_is_in_use_is_left_alone(self, rotation: SecretInRotation, target: Target) -> None:
        """Somebody has stored the secret once more, with another key of it changed, or with a password set right."""
        for previous in (rotation.current, rotation.current.changed(password=new_password())):
            rotation.previous = previous
            rotation.create()
            rotation.set()
            assert accepted(target, rotation.current)
            revoke(rotation.current, rotation.pending, rotation.ca_bundle)

    def test_the_service_writes_no_key_into_its_log(self, rotation: SecretInRotation, target: Target) -> None:
        keys = [password_of(rotation.current), *(password_of(rotation.rotate()) for _ in range(3))]
        log = target.log()
        assert log
        assert [key for key in keys if key in log] == []
