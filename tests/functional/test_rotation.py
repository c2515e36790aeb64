"""Whole rotations through the deployed entry point, against a server that checks passwords."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from local.secrets_manager_rotation import RotationService
from tests.functional.world import CURRENT, PENDING, PREVIOUS, STEPS, Deployed, World

STRATEGIES = pytest.mark.parametrize("strategy", ["single-user", "single-user-by-superuser", "alternating-users"])


def new_secret(world: World, strategy: str) -> str:
    return world.new_secret(superuser=strategy != "single-user", tag=strategy)


@STRATEGIES
def test_a_secret_is_rotated_three_times(world: World, deployed: Deployed, strategy: str) -> None:
    arn = new_secret(world, strategy)
    service = RotationService(world.aws, deployed.function)
    for _turn in range(3):
        before = world.value(arn)
        report = service.rotate(arn, rotation_token="token-of-the-source-of-this-request-0001")
        assert report.failure is None
        after = world.value(arn)
        assert world.labels(arn)[PREVIOUS] != world.labels(arn)[CURRENT] == report.version_id
        assert after["password"] != before["password"]
        assert world.opens(after)
        # The old credential works on only where two users take turns.
        assert world.opens(before) == (strategy == "alternating-users")
        assert (after["username"] != before["username"]) == (strategy == "alternating-users")


def test_the_secret_itself_decides_for_alternating_users(world: World, deployed: Deployed) -> None:
    arn = world.new_secret(superuser=True)
    before = world.value(arn)
    seen = deployed.rotate(arn)
    after = world.value(arn)
    assert after["username"] == f"{before['username']}_clone"
    assert {step.line["strategy"] for step in seen.values()} == {"alternating-users"}


def test_the_stacks_setting_decides_for_secrets_without_a_tag(world: World) -> None:
    arn = world.new_secret(superuser=True)
    before = world.value(arn)
    with world.deployed(environment={"ROTATION_STRATEGY": "single-user-by-superuser"}) as function:
        function.rotate(arn)
    after = world.value(arn)
    assert after["username"] == before["username"]
    assert world.opens(after)


def test_what_either_user_creates_belongs_to_both(world: World, deployed: Deployed) -> None:
    arn = world.new_secret(superuser=True)
    owner = world.value(arn)
    world.execute(f"CREATE SCHEMA own_{owner['username']} AUTHORIZATION {{}}", owner["username"])
    table = f"own_{owner['username']}.t"

    def as_user(statement: str) -> None:
        keys = world.value(arn)
        with psycopg.connect(
            host=keys["host"],
            port=keys["port"],
            user=keys["username"],
            password=keys["password"],
            dbname=keys["dbname"],
            sslmode="disable",
        ) as connection:
            connection.execute(statement.encode())

    deployed.rotate(arn)
    as_user(f"CREATE TABLE {table} (n int)")
    deployed.rotate(arn)
    as_user(f"ALTER TABLE {table} ADD COLUMN m int")
    deployed.rotate(arn)
    as_user(f"INSERT INTO {table} VALUES (1, 2)")


@STRATEGIES
def test_the_format_of_the_secret_is_left_as_it_was(world: World, deployed: Deployed, strategy: str) -> None:
    extra = {"port": str(world.server.port), "ssl": "false", "api": {"nested": [1, 2.5, None, True]}, "äöü": "日本", "": 0}
    keys = world.login_keys(**extra) | world.new_role() | {"last": "one"}
    if strategy != "single-user":
        keys["masterarn"] = world.new_superuser_secret()
    arn = world.store(keys, tag=strategy)
    for _turn in range(2):
        deployed.rotate(arn)
    after = world.value(arn)
    assert list(after) == list(keys)
    assert after == {**keys, "password": after["password"]}
    assert [type(value) for value in after.values()] == [type(value) for value in keys.values()]


@pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
@pytest.mark.parametrize(
    "name",
    ["Capital Letters", "quo\"te's and \\", "naïve-Ünser", "日本語" * 7, "u" * 63, "semi; DROP ROLE postgres --", "%s {}"],
)
def test_user_names_of_every_kind_are_rotated(world: World, deployed: Deployed, strategy: str, name: str) -> None:
    # The same owner serves both strategies; its secret and role are new each time.
    name = name if strategy == "single-user" else name[:-1] + "x"
    arn = world.store(world.login_keys() | world.new_role(name) | {"masterarn": world.new_superuser_secret()}, tag=strategy)
    for _turn in range(2):
        deployed.rotate(arn)
        assert world.opens(world.value(arn))


def test_awspending_is_never_removed_by_the_function(world: World, deployed: Deployed) -> None:
    arn = world.new_secret()
    run = world.begin(arn)
    for step in STEPS:
        deployed.step(step, run)
        assert world.labels(arn)[PENDING] == run.token
    assert world.labels(arn)[CURRENT] == run.token


def test_the_rotation_token_is_handed_to_put_secret_value(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret(), rotation_token="token-of-the-source-of-this-request-0002")
    deployed.steps(run, "createSecret")
    with world.aws.secrets_manager() as service:
        assert service.rotation_token_of(run.secret_arn, run.token) == run.rotation_token


def test_without_a_rotation_token_none_is_invented(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    deployed.steps(run, "createSecret")
    with world.aws.secrets_manager() as service:
        assert service.rotation_token_of(run.secret_arn, run.token) is None


def test_every_step_can_be_repeated_at_any_time(world: World, deployed: Deployed) -> None:
    arn = world.new_secret()
    run = world.begin(arn)
    outcomes = []
    for position, step in enumerate(STEPS):
        deployed.steps(run, step)
        value = world.value(arn, PENDING)
        outcomes += [seen.outcome for seen in deployed.steps(run, *STEPS[: position + 1]).values()]
        assert world.value(arn, PENDING) == value
    until_finished = [
        *("rolled_forward",),
        *("rolled_forward", "already_set"),
        *("rolled_forward", "already_set", "succeeded"),
    ]
    assert outcomes == [*until_finished, *["already_current"] * 4]
    assert world.opens(world.value(arn))


def test_a_repetition_produces_no_refused_login(world: World, deployed: Deployed) -> None:
    # A server may count refused logins against the user.
    run = world.begin(world.new_secret())
    deployed.steps(run, "createSecret", "setSecret")
    before = len(world.server.log_lines)
    deployed.steps(run, "setSecret")
    assert not [line for line in world.server.log_lines[before:] if "authentication failed" in line]


@STRATEGIES
def test_after_a_failed_test_the_whole_sequence_sets_things_right(world: World, deployed: Deployed, strategy: str) -> None:
    arn = new_secret(world, strategy)
    run = world.begin(arn)
    deployed.steps(run, "createSecret", "setSecret")
    pending = world.value(arn, PENDING)
    world.set_password(pending["username"], "somebody else's idea")
    assert deployed.step("testSecret", run).line["reason"] == "login_refused"
    if strategy != "alternating-users":
        # What setSecret remembers is of no use now: the old value has to be tried again as well.
        current = world.value(arn)
        world.set_password(current["username"], current["password"])
    deployed.steps(run)
    assert world.value(arn) == pending
    assert world.opens(pending)


@STRATEGIES
def test_a_database_restored_from_backup_between_steps_is_set_again(world: World, deployed: Deployed, strategy: str) -> None:
    arn = new_secret(world, strategy)
    before = world.value(arn)
    run = world.begin(arn)
    deployed.steps(run, "createSecret", "setSecret")
    pending = world.value(arn, PENDING)
    if strategy == "alternating-users":
        world.execute("DROP ROLE {}", pending["username"])
    else:
        world.set_password(before["username"], before["password"])
    seen = deployed.steps(run)
    assert (seen["setSecret"].outcome, seen["setSecret"].line["accepted"]) == ("succeeded", CURRENT)
    assert world.opens(world.value(arn))
    assert world.value(arn) == pending


def test_a_database_restored_after_the_rotation_is_brought_forward_by_the_next(world: World, deployed: Deployed) -> None:
    arn = world.new_secret()
    before = world.value(arn)
    deployed.rotate(arn)
    world.set_password(before["username"], before["password"])
    seen = deployed.rotate(arn)
    assert seen["setSecret"].line["accepted"] == PREVIOUS
    assert world.opens(world.value(arn))


@pytest.mark.parametrize("store", ["with the table", "without the table"])
def test_two_create_secret_at_once_end_with_one_value(world: World, deployed: Deployed, store: str) -> None:
    arn = world.new_secret()
    run = world.begin(arn)
    world.aws.latency["secretsmanager"] = 0.05  # long enough for the two to overlap at every call
    if store == "without the table":
        world.aws.fail("dynamodb", code="AccessDeniedException", message="no")
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda _n: deployed.step("createSecret", run), range(2)))
    world.aws.latency.clear()
    world.aws.clear_faults()
    outcomes = sorted(each.line["outcome"] for each in seen)
    value = world.value(arn, PENDING)
    if store == "without the table":
        assert outcomes == ["rolled_forward", "succeeded"]
    else:
        assert outcomes in (["in_flight", "succeeded"], ["rolled_forward", "succeeded"])
    deployed.steps(run)
    assert world.value(arn) == value
    assert world.opens(value)
