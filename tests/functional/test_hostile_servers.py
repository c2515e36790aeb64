"""Servers that are none, or somebody else's: never believed, never told a password, and never a way to others' users."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from local.contract.peers import Answer, answering
from tests.contract.postgres import fake_server
from tests.faults.database_proxy import DatabaseProxy
from tests.functional.attempts import SENTINEL, Attempts
from tests.functional.seen import Seen
from tests.functional.test_hostile_events import FORGED
from tests.functional.test_hostile_secrets import pend
from tests.functional.world import CURRENT, STEPS, Deployed, Run, World
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

SECTION = "hostile servers"
VERIFIER = f"SCRAM-SHA-256$4096:{SENTINEL}"


@pytest.fixture
def attempts(world: World, deployed: Deployed, verdict: Verdict) -> Attempts:
    return Attempts(world, deployed, verdict, SECTION, hidden=(SENTINEL, "SCRAM-SHA-256$"))


@dataclass
class Listening:
    """A fake server, and what it was told."""

    port: int
    heard: bytearray


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Listening]]:
    """Starts a fake server behind a proxy that listens to what it is told."""
    with ExitStack() as resources:

        def start(answer: Answer) -> Listening:
            port = resources.enter_context(answering(answer))
            proxy = resources.enter_context(DatabaseProxy(("127.0.0.1", port)))
            return Listening(proxy.port, proxy.heard)

        yield start


UNSAFE = {
    "trust": fake_server.answering_first(fake_server.ACCEPTED),
    "the clear password": fake_server.answering_first(fake_server.authentication(3)),
    "Kerberos": fake_server.answering_first(fake_server.authentication(2)),
    "GSSAPI": fake_server.answering_first(fake_server.authentication(7)),
    "something unknown": fake_server.answering_first(fake_server.authentication(99)),
    "no mechanism": fake_server.answering_first(fake_server.authentication(10, b"\0")),
    "an unknown mechanism": fake_server.answering_first(fake_server.authentication(10, b"PLAIN\0\0")),
    "no proof of its own": fake_server.claiming_to_know_the_password(),
}
MEANINGLESS = {
    "garbage": fake_server.answering_first(b"\xff" * 100),
    "HTTP": fake_server.answering_first(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an endless message": fake_server.answering_first(b"R\x7f\xff\xff\xff"),
    "a negative length": fake_server.answering_first(b"R\xff\xff\xff\xff"),
    "half an error": fake_server.answering_first(b"E\0\0\0\x20SFATAL"),
    "a quoting error": fake_server.answering_first(fake_server.error("XX000", f"{SENTINEL}\n{FORGED}")),
    "a long error": fake_server.answering_first(fake_server.error("XX000", SENTINEL * 1_000)),
    "no rounds of SCRAM": fake_server.claiming_to_know_the_password(0),
    "a forged challenge": fake_server.answering_first(fake_server.SCRAM + fake_server.authentication(11, b"r=x,s=,i=4096")),
    "garbage for a statement": fake_server.answering_statements(b"\xff" * 50),
    "no number": fake_server.answering_statements(fake_server.rows(fake_server.INTEGER, SENTINEL.encode())),
    "no text": fake_server.answering_statements(fake_server.rows(fake_server.TEXT, b"\xff\xfe")),
    "a quoting SQLSTATE": fake_server.answering_statements(fake_server.error(VERIFIER, SENTINEL, "ERROR") + b"Z\0\0\0\x05E"),
    "a quoting refusal": fake_server.answering_statements(fake_server.error("42501", VERIFIER, "ERROR") + b"Z\0\0\0\x05E"),
    "a wish for a file": fake_server.answering_statements(fake_server.message(b"G", b"\0\0\0")),
}


def set_at(attempts: Attempts, port: int, **keys: Any) -> tuple[Run, Seen]:
    """setSecret of a secret that leads to the port."""
    run = attempts.world.begin(attempts.world.new_secret(port=port, **keys))
    attempts.function.steps(run, "createSecret")
    return run, attempts.refused_step("setSecret", run)


@pytest.mark.parametrize("answer", UNSAFE.values(), ids=UNSAFE)
def test_a_way_to_authenticate_that_proves_nothing_is_refused(
    attempts: Attempts, serve: Callable[[Answer], Listening], answer: Answer
) -> None:
    server = serve(answer)
    run, seen = set_at(attempts, server.port)
    assert seen.reasons["line"] == "authentication_unsafe"
    assert_told_no_password(attempts.world, run, server)


@pytest.mark.parametrize("answer", MEANINGLESS.values(), ids=MEANINGLESS)
def test_an_answer_without_meaning_is_refused_in_the_functions_own_words(
    attempts: Attempts, serve: Callable[[Answer], Listening], answer: Answer
) -> None:
    server = serve(answer)
    run, _ = set_at(attempts, server.port)
    assert_told_no_password(attempts.world, run, server)


def assert_told_no_password(world: World, run: Run, server: Listening) -> None:
    assert server.heard
    for label in ("AWSCURRENT", "AWSPENDING"):
        assert world.value(run.secret_arn, label)["password"].encode() not in server.heard


def test_a_server_that_lies_about_the_change_is_found_out_by_the_next_login(world: World, attempts: Attempts) -> None:
    # It asks for MD5, accepts anything, and says that it did what it was told.
    done = fake_server.message(b"C", b"ALTER ROLE\0") + fake_server.IN_TRANSACTION
    with answering(fake_server.answering_statements(done)) as port:
        run = world.begin(world.new_secret(port=port))
        attempts.function.steps(run, "createSecret", "setSecret")
    seen = attempts.refused_step("testSecret", run)
    assert seen.reasons["line"] == "port_closed"
    assert world.labels(run.secret_arn)[CURRENT] != run.token


def test_a_man_in_the_middle_of_tls_hears_a_wish_for_tls_and_nothing_else(
    attempts: Attempts, serve: Callable[[Answer], Listening]
) -> None:
    for answer in (b"N", b"S" + b"\x15\x03\x01\0\x02\x02\x28", b"E" + b"\0" * 20, b"X"):
        server = serve(fake_server.answering_first(answer))
        run, _ = set_at(attempts, server.port, ssl=None)
        assert server.heard.startswith(bytes.fromhex("0000000804d2162f"))
        assert attempts.world.value(run.secret_arn)["username"].encode() not in server.heard


ENDLESS = {
    "notices": fake_server.never_ending(b"", fake_server.message(b"N", b"SNOTICE\0C00000\0Mhello\0\0") * 50),
    "parameters": fake_server.never_ending(fake_server.MD5 + fake_server.authentication(0), b"S\0\0\0\x08a\0b\0" * 50),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_that_never_ends_is_left(world: World, hasty: Deployed, verdict: Verdict, answer: Answer) -> None:
    attempts = Attempts(world, hasty, verdict, SECTION)
    with answering(answer) as port:
        _, seen = set_at(attempts, port)
    assert not seen.invocation.timed_out


def test_a_challenge_that_takes_for_ever_is_ended_by_lambda_and_seen_by_its_metrics(
    world: World, hasty: Deployed, verdict: Verdict
) -> None:
    # The driver computes it in one piece that no signal interrupts, so there is neither line nor metric of the function.
    run = world.begin(world.new_secret())
    hasty.steps(run, "createSecret")
    with answering(fake_server.claiming_to_know_the_password(2**31 - 1)) as port:
        other = world.begin(world.new_secret(port=port))
        hasty.steps(other, "createSecret")
        labels = world.labels(other.secret_arn)
        invocation = hasty.step("setSecret", other).invocation
    is_seen = any(point.name == "Errors" and point.value == 1.0 for point in invocation.platform_metrics)
    untouched = world.labels(other.secret_arn) == labels
    verdict.add(SECTION, tried=1, survived=int(invocation.timed_out and untouched), failures=1, seen=int(is_seen))
    assert invocation.timed_out
    assert is_seen
    assert untouched
    assert hasty.step("setSecret", run).succeeded


# AWS


@pytest.mark.parametrize(
    ("step", "operation"),
    [
        ("createSecret", "DescribeSecret"),
        ("createSecret", "GetSecretValue"),
        ("createSecret", "PutSecretValue"),
        ("setSecret", "DescribeSecret"),
        ("setSecret", "GetSecretValue"),
        ("testSecret", "GetSecretValue"),
        ("finishSecret", "DescribeSecret"),
        ("finishSecret", "UpdateSecretVersionStage"),
    ],
)
def test_an_answer_of_aws_that_is_none_is_no_success_and_the_next_try_heals_it(
    world: World, attempts: Attempts, step: str, operation: str
) -> None:
    run = world.begin(world.new_secret())
    for earlier in STEPS[: STEPS.index(step)]:
        attempts.function.steps(run, earlier)
    world.aws.fail("secretsmanager", operation, code="Page", message=SENTINEL, status=200)
    assert attempts.refused_step(step, run).reasons["line"] == "aws_unavailable"
    world.aws.clear_faults()
    attempts.function.steps(run)
    assert world.labels(run.secret_arn)[CURRENT] == run.token
    assert world.opens(world.value(run.secret_arn))


def test_an_endpoint_of_aws_that_never_ends_is_left(world: World, verdict: Verdict) -> None:
    trickle = fake_server.never_ending(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n{", b" ")
    run = world.begin(world.new_secret())
    with answering(trickle) as port:
        endpoint = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{port}", "REPORT_RESERVE_SECONDS": "1"}
        with world.deployed(timeout_seconds=6.0, environment=endpoint) as function:
            seen = Attempts(world, function, verdict, SECTION).refused_step("createSecret", run)
    assert seen.reasons["line"] == "deadline"
    assert not seen.invocation.timed_out


# Confused deputies: whoever may write one secret must not reach another's user.


@pytest.mark.parametrize("strategy", ["single-user", "single-user-by-superuser", "alternating-users"])
@pytest.mark.parametrize("key", ["username", "host", "port", "engine"])
def test_a_pending_value_cannot_point_to_anothers_user_or_server(
    world: World, attempts: Attempts, strategy: str, key: str
) -> None:
    victim = world.new_role()
    run = world.begin(world.new_secret(superuser=True, tag=strategy))
    elsewhere = {"username": victim["username"], "host": "localhost", "port": 5433, "engine": "aurora-postgresql"}
    pend(world, run, json.dumps({**world.value(run.secret_arn), "password": "taken-over-1", key: elsewhere[key]}))
    seen = attempts.refused_step("setSecret", run)
    assert seen.reasons["line"] == "target_mismatch"
    assert key in seen.line["error"]
    assert world.opens(victim)


@pytest.mark.parametrize("strategy", ["single-user-by-superuser", "alternating-users"])
@pytest.mark.parametrize("change", [{"port": 5433}, {"host": "localhost"}, {"engine": "aurora-postgresql"}], ids=str)
def test_anothers_superuser_cannot_be_borrowed(
    world: World, attempts: Attempts, strategy: str, change: dict[str, Any]
) -> None:
    world.aws.client("rds").describe_db_instances()  # the local AWS takes its time for a service's first call
    superuser = world.store({**world.login_keys(), **world.new_role(options="SUPERUSER"), **change})
    run = world.begin(world.new_secret(masterarn=superuser, tag=strategy))
    attempts.function.steps(run, "createSecret")
    seen = attempts.refused_step("setSecret", run)
    assert seen.reasons["line"] == "target_mismatch"
    assert next(iter(change)) in seen.line["error"]


def test_a_superusers_secret_that_is_not_one_is_of_no_use(world: World, attempts: Attempts) -> None:
    mine = world.new_role()
    somebodys = {
        "somebody's without rights": world.new_secret(),
        "another account's": "arn:aws:secretsmanager:eu-central-1:999999999999:secret:root-AbCdEf",
        "no ARN": f"'; {SENTINEL[:3]} --",
        "a line": f"x\n{FORGED}",
    }
    for masterarn in somebodys.values():
        run = world.begin(world.store(world.login_keys() | mine | {"masterarn": masterarn}, tag="single-user-by-superuser"))
        attempts.function.steps(run, "createSecret")
        attempts.refused_step("setSecret", run)
        assert world.opens(mine)


def test_a_user_cannot_name_whose_clone_it_is(world: World, attempts: Attempts) -> None:
    victim, mine = world.new_role(), world.new_role()
    world.execute("GRANT {} TO {}", victim["username"], mine["username"])
    keys = world.login_keys() | mine | {"masterarn": world.new_superuser_secret(), "cloneof": victim["username"]}
    run = world.begin(world.store(keys))
    seen = attempts.refused_step("createSecret", run)
    assert seen.reasons["line"] == "target_mismatch"
    pend(world, run, json.dumps({**keys, "username": victim["username"], "password": "taken-over-1"}))
    assert attempts.refused_step("setSecret", run).reasons["line"] == "target_mismatch"
    assert world.opens(victim)


def test_a_secret_that_opens_nothing_cannot_have_a_password_set(world: World, attempts: Attempts) -> None:
    victim = world.new_role()
    for strategy in ("single-user", "single-user-by-superuser", "alternating-users"):
        keys = {**world.login_keys(), **victim, "password": "guessed-wrongly", "masterarn": world.new_superuser_secret()}
        run = world.begin(world.store(keys, tag=strategy))
        attempts.function.steps(run, "createSecret")
        assert attempts.refused_step("setSecret", run).reasons["line"] == "credential_unknown"
        assert world.opens(victim)
