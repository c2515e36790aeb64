"""What alternating users do to a real server: the clone is the owner's equal."""

from collections.abc import Sequence

from local.contract.rotating import SecretInRotation, engine_of, new_name, new_password, refused
from local.contract.strategies import accepted
from local.targets.target import Target, WithOwners, WithRights
from rotation.errors import TargetMismatchError
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.change import Strategy


class Alternating:
    """Of engines that have clones."""

    strategies: Sequence[Strategy] = (AlternatingUsers(),)
    stem: str = "ü"
    """Begins long names, to be cut in the middle of a character where the target knows such."""

    def test_two_users_take_turns_ten_times(self, rotation: SecretInRotation, target: Target) -> None:
        owner = rotation.current.fields.username
        others = target.users()
        for turn in range(1, 11):
            old = rotation.current
            rotation.rotate()
            assert rotation.current.fields.username == (owner + "_clone" if turn % 2 else owner)
            assert accepted(target, rotation.current)
            assert accepted(target, old)
        assert target.users() == others | {owner + "_clone"}

    def test_a_secret_that_begins_with_the_clone_goes_on_to_the_owner(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        owner = rotation.current.fields.username
        clone = rotation.rotate()
        fresh = SecretInRotation(rotation.strategy, clone, rotation.superuser, rotation.ca_bundle)
        assert fresh.rotate().fields.username == owner

    def test_the_clone_of_a_long_name_is_unique_and_leads_back(self, rotation: SecretInRotation, target: Target) -> None:
        longest = engine_of(rotation.current).traits.max_username_bytes
        for length in range(longest - 6, longest + 1):
            stem = new_name(self.stem)
            user, password = stem.ljust(length - 1, "x"), new_password()
            assert len(user.encode()) == length
            target.create_user(user, password)
            rotation.current = rotation.current.changed(username=user, password=password, cloneof=None)
            clone = rotation.rotate().fields
            assert (clone.username == user + "_clone") is (length == longest - 6)
            assert len(clone.username.encode()) <= longest
            assert clone.clone_of == (None if length == longest - 6 else user)
            assert rotation.rotate().fields.username == user
            assert rotation.current.fields.clone_of is None
            assert rotation.rotate().fields.username == clone.username

    def test_long_names_with_the_same_beginning_have_different_clones(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        longest = engine_of(rotation.current).traits.max_username_bytes
        clones = set()
        stem = new_name().ljust(longest - 1, "x")
        for end in "ab":
            password = new_password()
            target.create_user(stem + end, password)
            rotation.current = rotation.current.changed(username=stem + end, password=password, cloneof=None)
            clones.add(rotation.rotate().fields.username)
        assert len(clones) == 2

    def test_a_stranger_of_the_clones_name_is_left_alone(self, rotation: SecretInRotation, target: Target) -> None:
        stranger, password = rotation.current.fields.username + "_clone", new_password()
        target.create_user(stranger, password)
        rotation.create()
        with refused(TargetMismatchError) as refusal:
            rotation.set()
        assert stranger in refusal.message
        assert target.refusal(stranger, password) is None

    def test_a_user_whose_name_only_looks_like_a_clones_is_left_alone(
        self, rotation: SecretInRotation, target: Target
    ) -> None:
        lonely, password = new_name() + "_clone", new_password()
        target.create_user(lonely, password)
        rotation.current = rotation.current.changed(username=lonely, password=password)
        rotation.create()
        users = target.users()
        with refused(TargetMismatchError) as refusal:
            rotation.set()
        assert "ends in _clone is taken for an alternate" in str(refusal.error)
        assert target.users() == users
        assert target.refusal(lonely, password) is None

    def test_a_secret_cannot_claim_to_be_the_clone_of_somebody(self, rotation: SecretInRotation, target: Target) -> None:
        superuser, password = target.superuser
        rotation.create()
        rotation.current = rotation.current.changed(cloneof=superuser)
        rotation.pending = rotation.pending.changed(username=superuser)
        users = target.users()
        with refused(TargetMismatchError, password):
            rotation.set()
        assert target.refusal(superuser, password) is None
        assert target.users() == users


class SharedOwnership:
    """Of engines whose target is `WithOwners`."""

    strategies: Sequence[Strategy] = (AlternatingUsers(),)

    def test_what_either_makes_either_may_change(self, rotation: SecretInRotation, target: WithOwners) -> None:
        logins = [rotation.current, rotation.rotate(), rotation.rotate(), rotation.rotate()][-2:]
        for maker, changer in (logins, reversed(logins)):
            name = new_name("object")
            target.create_object(maker, name)
            target.change_object(changer, name)


class EqualRights:
    """Of engines whose target is `WithRights`."""

    strategies: Sequence[Strategy] = (AlternatingUsers(),)

    def test_the_clone_has_the_rights_of_its_owner(self, rotation: SecretInRotation, target: WithRights) -> None:
        owner = rotation.current.fields.username
        target.give_rights(owner)
        clone = rotation.rotate()
        assert target.rights(clone.fields.username) == target.rights(owner)
        target.use_rights(clone)

    def test_what_the_owner_is_given_later_the_clone_has_after_the_next_rotation(
        self, rotation: SecretInRotation, target: WithRights
    ) -> None:
        owner = rotation.current.fields.username
        rotation.rotate()
        target.give_rights(owner)
        rotation.rotate()
        clone = rotation.rotate()
        assert target.rights(clone.fields.username) == target.rights(owner)
        target.use_rights(clone)

    def test_the_owners_own_rights_stay_as_they_are(self, rotation: SecretInRotation, target: WithRights) -> None:
        owner = rotation.current.fields.username
        target.give_rights(owner)
        before = target.rights(owner)
        for _ in range(2):
            rotation.rotate()
        assert target.rights(owner) == before
        target.use_rights(rotation.current)
