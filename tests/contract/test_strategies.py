"""What every strategy does to a real server, through every engine."""

import pytest

from rotation.errors import LoginRefusedError, PortClosedError, TargetMismatchError
from rotation.models import CURRENT, PENDING, PREVIOUS, SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from tests.contract import peers
from tests.contract.rotating import SecretInRotation, engine_of, new_name, new_password, password_of, refused
from tests.contract.stages import Stage

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


@pytest.fixture(params=[SingleUser(), SingleUserBySuperuser(), AlternatingUsers()], ids=lambda strategy: strategy.name.value)
def strategy(request: pytest.FixtureRequest) -> Strategy:
    chosen: Strategy = request.param
    return chosen


@pytest.fixture
def rotation(strategy: Strategy, secret: SecretDocument, superuser: SecretDocument) -> SecretInRotation:
    return SecretInRotation(strategy, secret, superuser)


def accepted(stage: Stage, secret: SecretDocument) -> bool:
    return stage.accepts(secret.fields.username, password_of(secret))


class TestEveryStrategy:
    def test_three_rotations_each_give_a_login_that_works(self, rotation: SecretInRotation, stage: Stage) -> None:
        seen = {password_of(rotation.current)}
        for _ in range(3):
            seen.add(password_of(rotation.rotate()))
            assert accepted(stage, rotation.current)
        assert len(seen) == 4

    def test_the_old_login_works_on_exactly_as_long_as_the_strategy_says(
        self, rotation: SecretInRotation, stage: Stage
    ) -> None:
        old = rotation.current
        rotation.rotate()
        assert accepted(stage, old) is not rotation.strategy.interrupts_clients
        rotation.rotate()
        assert not accepted(stage, old)

    def test_setting_twice_is_setting_once(self, rotation: SecretInRotation, stage: Stage) -> None:
        rotation.create()
        assert rotation.set() == CURRENT
        rotation.set()
        assert accepted(stage, rotation.pending)

    def test_what_is_remembered_to_be_set_is_tried_first(self, rotation: SecretInRotation, stage: Stage) -> None:
        rotation.create()
        rotation.set()
        before = stage.log().count("FATAL")
        assert rotation.set(remembered=True) == PENDING
        assert stage.log().count("FATAL") == before

    def test_a_memory_that_the_server_lost_is_set_again(self, rotation: SecretInRotation, stage: Stage) -> None:
        rotation.create()
        assert rotation.set(remembered=True) == CURRENT
        assert accepted(stage, rotation.pending)

    def test_a_wrong_current_password_changes_nothing(self, rotation: SecretInRotation, stage: Stage) -> None:
        right, wrong = rotation.current, new_password()
        rotation.current = right.changed(password=wrong)
        rotation.create()
        users = stage.users()
        with refused(LoginRefusedError, wrong, password_of(rotation.pending)) as refusal:
            rotation.set()
        assert "AWSCURRENT" in refusal.message
        assert "AWSPENDING" in refusal.message
        assert stage.users() == users
        assert accepted(stage, right)

    def test_a_secret_may_not_name_somebody_else(self, rotation: SecretInRotation, stage: Stage) -> None:
        victim, password = new_name("victim"), new_password()
        stage.create_user(victim, password)
        rotation.create()
        rotation.pending = rotation.pending.changed(username=victim)
        with refused(TargetMismatchError):
            rotation.set()
        assert stage.accepts(victim, password)

    def test_an_unreachable_server_is_no_refused_login(self, rotation: SecretInRotation) -> None:
        rotation.create()
        with peers.closed_port() as port:
            rotation.current = rotation.current.changed(port=port)
            with refused(PortClosedError):
                rotation.set()

    @pytest.mark.parametrize("name", HARD_NAMES.values(), ids=HARD_NAMES.keys())
    def test_any_name_can_be_rotated(self, rotation: SecretInRotation, stage: Stage, name: str) -> None:
        user, password = new_name(name), new_password()
        stage.create_user(user, password)
        rotation.current = rotation.current.changed(username=user, password=password)
        for _ in range(3):
            rotation.rotate()
            assert accepted(stage, rotation.current)

    def test_a_name_of_the_greatest_length_can_be_rotated(self, rotation: SecretInRotation, stage: Stage) -> None:
        longest = engine_of(rotation.current).traits.max_username_bytes
        user, password = new_name().ljust(longest - 1, "x") + "y", new_password()
        stage.create_user(user, password)
        rotation.current = rotation.current.changed(username=user, password=password)
        for _ in range(3):
            rotation.rotate()
            assert accepted(stage, rotation.current)
        assert rotation.rotate().fields.username in stage.users()


class TestOneUser:
    @pytest.fixture(params=[SingleUser(), SingleUserBySuperuser()], ids=lambda strategy: strategy.name.value)
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        chosen: Strategy = request.param
        return chosen

    def test_the_pending_password_is_found_to_be_set(self, rotation: SecretInRotation, stage: Stage) -> None:
        rotation.create()
        rotation.set()
        assert rotation.set() == PENDING

    def test_a_server_restored_from_a_backup_is_rotated_with_the_previous_password(
        self, rotation: SecretInRotation, stage: Stage
    ) -> None:
        rotation.previous = rotation.current
        rotation.current = rotation.current.changed(password=new_password())
        rotation.create()
        assert rotation.set() == PREVIOUS
        assert accepted(stage, rotation.pending)

    @pytest.mark.parametrize("key", ["username", "host", "port", "engine"])
    def test_a_previous_secret_for_another_target_is_not_tried(self, rotation: SecretInRotation, key: str) -> None:
        other: dict[str, str | int] = {"username": "somebody", "host": "localhost", "port": 1, "engine": "another"}
        rotation.previous = rotation.current.changed(**{key: other[key]})
        rotation.current = rotation.current.changed(password=new_password())
        rotation.create()
        with refused(LoginRefusedError) as refusal:
            rotation.set()
        assert "AWSPREVIOUS" not in refusal.message


class TestAlternatingUsers:
    @pytest.fixture
    def strategy(self) -> Strategy:
        return AlternatingUsers()

    def test_two_users_take_turns_ten_times(self, rotation: SecretInRotation, stage: Stage) -> None:
        owner = rotation.current.fields.username
        others = stage.users()
        for turn in range(1, 11):
            old = rotation.current
            rotation.rotate()
            assert rotation.current.fields.username == (owner + "_clone" if turn % 2 else owner)
            assert accepted(stage, rotation.current)
            assert accepted(stage, old)
        assert stage.users() == others | {owner + "_clone"}

    def test_what_either_makes_either_may_change(self, rotation: SecretInRotation, stage: Stage) -> None:
        logins = [rotation.current, rotation.rotate(), rotation.rotate(), rotation.rotate()][-2:]
        for maker, changer in (logins, reversed(logins)):
            name = new_name("object")
            stage.create_object(maker, name)
            stage.change_object(changer, name)

    def test_a_secret_that_begins_with_the_clone_goes_on_to_the_owner(
        self, rotation: SecretInRotation, stage: Stage
    ) -> None:
        owner = rotation.current.fields.username
        clone = rotation.rotate()
        fresh = SecretInRotation(rotation.strategy, clone, rotation.superuser)
        assert fresh.rotate().fields.username == owner

    def test_the_clone_of_a_long_name_is_unique_and_leads_back(self, rotation: SecretInRotation, stage: Stage) -> None:
        longest = engine_of(rotation.current).traits.max_username_bytes
        for length in range(longest - 6, longest + 1):
            stem = new_name("ü")
            user, password = stem.ljust(length - 1, "x"), new_password()
            assert len(user.encode()) == length
            stage.create_user(user, password)
            rotation.current = rotation.current.changed(username=user, password=password, cloneof=None)
            clone = rotation.rotate().fields
            assert (clone.username == user + "_clone") is (length == longest - 6)
            assert len(clone.username.encode()) <= longest
            assert clone.clone_of == (None if length == longest - 6 else user)
            assert rotation.rotate().fields.username == user
            assert rotation.current.fields.clone_of is None
            assert rotation.rotate().fields.username == clone.username

    def test_long_names_with_the_same_beginning_have_different_clones(
        self, rotation: SecretInRotation, stage: Stage
    ) -> None:
        longest = engine_of(rotation.current).traits.max_username_bytes
        clones = set()
        stem = new_name().ljust(longest - 1, "x")
        for end in "ab":
            password = new_password()
            stage.create_user(stem + end, password)
            rotation.current = rotation.current.changed(username=stem + end, password=password, cloneof=None)
            clones.add(rotation.rotate().fields.username)
        assert len(clones) == 2

    def test_a_stranger_of_the_clones_name_is_left_alone(self, rotation: SecretInRotation, stage: Stage) -> None:
        stranger, password = rotation.current.fields.username + "_clone", new_password()
        stage.create_user(stranger, password)
        rotation.create()
        with refused(TargetMismatchError) as refusal:
            rotation.set()
        assert stranger in refusal.message
        assert stage.accepts(stranger, password)

    def test_a_user_whose_name_only_looks_like_a_clones_is_left_alone(
        self, rotation: SecretInRotation, stage: Stage
    ) -> None:
        lonely, password = new_name() + "_clone", new_password()
        stage.create_user(lonely, password)
        rotation.current = rotation.current.changed(username=lonely, password=password)
        rotation.create()
        users = stage.users()
        with refused(TargetMismatchError) as refusal:
            rotation.set()
        assert "ends in _clone is taken for an alternate" in str(refusal.error)
        assert stage.users() == users
        assert stage.accepts(lonely, password)

    def test_a_secret_cannot_claim_to_be_the_clone_of_somebody(self, rotation: SecretInRotation, stage: Stage) -> None:
        superuser, password = stage.superuser
        rotation.current = rotation.current.changed(cloneof=superuser)
        rotation.create()
        assert rotation.pending.fields.username == superuser
        users = stage.users()
        with refused(TargetMismatchError, password):
            rotation.set()
        assert stage.accepts(superuser, password)
        assert stage.users() == users
