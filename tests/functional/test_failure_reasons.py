"""Every reason for a failure that the function can meet is told apart, and told alike everywhere."""

import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.aws_faults import Disturbance
from rotation.errors import RotationError, ServiceReportedError, VersionExistsError, error_classes
from tests.faults.database_proxy import CLEAR_PASSWORD_REQUEST, DatabaseProxy, Interference, error_response
from tests.functional.seen import Seen
from tests.functional.world import PENDING, Deployed, Run, World

DEPLOYED = Path(__file__).parent / "deployed"
CLASSES = {kind.reason: kind for kind in error_classes()}
# One is always answered by rolling forward, the other is what Secrets Manager says and not what the function does.
NOT_MET = {VersionExistsError.reason, ServiceReportedError.reason}


@dataclass
class Bench:
    """All it takes to make a step fail."""

    world: World
    deployed: Deployed
    hasty: Deployed
    proxy: DatabaseProxy

    def run_on(self, **keys: Any) -> Run:
        """A rotation begun on a secret of its own with these keys changed."""
        return self.world.begin(self.world.new_secret(**keys))

    def through_proxy(self, decide: Callable[[bytes], Interference | bytes]) -> Run:
        """A rotation begun on a secret that leads through the proxy, with a value to set."""
        run = self.run_on(port=self.proxy.port)
        self.deployed.steps(run, "createSecret")
        self.proxy.on_message = decide
        return run

    def set_after_create(self, run: Run, function: Deployed | None = None) -> Seen:
        """The step setSecret after the one that makes the value."""
        function = function or self.deployed
        function.steps(run, "createSecret")
        return function.step("setSecret", run)

    def create_with(self, code: str, message: str = "AWS's words", status: int = 400) -> Seen:
        """The step createSecret while Secrets Manager answers with an error."""
        run = self.run_on()
        self.world.aws.fail("secretsmanager", code=code, message=message, status=status)
        return self.deployed.step("createSecret", run)

    def user_of(self, run: Run) -> str:
        return str(self.world.value(run.secret_arn)["username"])


@pytest.fixture
def bench(world: World, deployed: Deployed, hasty: Deployed, proxy: DatabaseProxy) -> Bench:
    return Bench(world, deployed, hasty, proxy)


def answer_login(response: bytes) -> Callable[[bytes], Interference | bytes]:
    return lambda _message: response


def answer_change(response: Interference | bytes) -> Callable[[bytes], Interference | bytes]:
    return lambda message: response if b"ALTER ROLE" in message else Interference.FORWARD


def event_invalid(bench: Bench) -> Seen:
    return bench.deployed.invoke({"Step": "createSecret"})


def configuration_invalid(bench: Bench) -> Seen:
    with bench.world.deployed(environment={"PASSWORD_LENGTH": "short"}) as wrong:
        return wrong.step("createSecret", bench.run_on())


def secret_not_found(bench: Bench) -> Seen:
    return bench.deployed.step("createSecret", Run("app/nowhere", "t" * 32))


def secret_not_rotatable(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.world.secrets_manager.cancel_rotate_secret(SecretId=run.secret_arn)
    return bench.deployed.step("createSecret", run)


def version_not_pending(bench: Bench) -> Seen:
    return bench.deployed.step("createSecret", Run(bench.world.new_secret(), "t" * 32))


def secret_malformed(bench: Bench) -> Seen:
    return bench.deployed.step("createSecret", bench.world.begin(bench.world.store("a password, and nothing else")))


def target_mismatch(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.world.secrets_manager.put_secret_value(
        SecretId=run.secret_arn,
        ClientRequestToken=run.token,
        SecretString=json.dumps({**bench.world.value(run.secret_arn), "host": "elsewhere"}),
        VersionStages=[PENDING],
    )
    return bench.deployed.step("setSecret", run)


def superuser_unusable(bench: Bench) -> Seen:
    return bench.set_after_create(bench.run_on(masterarn="arn:aws:secretsmanager:eu-central-1:123456789012:secret:gone"))


def access_denied(bench: Bench) -> Seen:
    return bench.create_with("AccessDeniedException")


def kms_denied(bench: Bench) -> Seen:
    return bench.create_with("AccessDeniedException", "Access to KMS is not allowed")


def throttled(bench: Bench) -> Seen:
    return bench.create_with("ThrottlingException")


def aws_unavailable(bench: Bench) -> Seen:
    return bench.create_with("InternalServiceError", status=500)


def aws_rejected(bench: Bench) -> Seen:
    return bench.create_with("InvalidParameterException")


def target_unreachable(bench: Bench) -> Seen:
    # No machine has a route to this address, and the kernel says so without a packet.
    return bench.set_after_create(bench.run_on(host="255.255.255.255"))


def dns_failed(bench: Bench) -> Seen:
    # A label of more than 63 bytes cannot be asked of DNS, so no packet leaves for it.
    return bench.set_after_create(bench.run_on(host="x" * 64 + ".example"))


def port_closed(bench: Bench) -> Seen:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        return bench.set_after_create(bench.run_on(port=bound.getsockname()[1]))


def connect_timeout(bench: Bench) -> Seen:
    return bench.hasty.step("setSecret", bench.through_proxy(lambda _message: Interference.HANG))


def connection_lost(bench: Bench) -> Seen:
    return bench.deployed.step("setSecret", bench.through_proxy(answer_change(Interference.DROP)))


def tls_failed(bench: Bench) -> Seen:
    return bench.set_after_create(bench.run_on(ssl=None))


def authentication_unsafe(bench: Bench) -> Seen:
    return bench.deployed.step("setSecret", bench.through_proxy(answer_login(CLEAR_PASSWORD_REQUEST)))


def login_refused(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.deployed.steps(run, "createSecret")
    return bench.deployed.step("testSecret", run)


def credential_unknown(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.world.set_password(bench.user_of(run), "changed by hand")
    return bench.set_after_create(run)


def role_locked(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.world.execute("ALTER ROLE {} NOLOGIN", bench.user_of(run))
    return bench.set_after_create(run)


def host_refused(bench: Bench) -> Seen:
    words = 'no pg_hba.conf entry for host "10.0.0.1", user "app", database "postgres", SSL encryption'
    return bench.deployed.step("setSecret", bench.through_proxy(answer_login(error_response("28000", words, "FATAL"))))


def target_saturated(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.world.execute("ALTER ROLE {} CONNECTION LIMIT 0", bench.user_of(run))
    return bench.set_after_create(run)


def target_not_ready(bench: Bench) -> Seen:
    words = "the database system is starting up"
    return bench.deployed.step("setSecret", bench.through_proxy(answer_login(error_response("57P03", words, "FATAL"))))


def target_read_only(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.world.execute("ALTER ROLE {} SET default_transaction_read_only = on", bench.user_of(run))
    return bench.set_after_create(run)


def target_busy(bench: Bench) -> Seen:
    run = bench.run_on()
    with bench.world.server.admin_connection() as other:
        other.autocommit = False
        other.execute(f"ALTER ROLE {bench.user_of(run)} CONNECTION LIMIT 5".encode())
        seen = bench.set_after_create(run, bench.hasty)
        other.rollback()
    return seen


def database_missing(bench: Bench) -> Seen:
    return bench.set_after_create(bench.run_on(dbname="nowhere"))


def privilege_missing(bench: Bench) -> Seen:
    powerless = bench.world.store(bench.world.login_keys() | bench.world.new_role())
    arn = bench.world.new_secret(masterarn=powerless, tag="single-user-by-superuser")
    return bench.set_after_create(bench.world.begin(arn))


def password_refused(bench: Bench) -> Seen:
    refusal = error_response("22023", "password is too short")
    return bench.deployed.step("setSecret", bench.through_proxy(answer_change(refusal)))


def statement_rejected(bench: Bench) -> Seen:
    refusal = error_response("XX000", "cache lookup failed")
    return bench.deployed.step("setSecret", bench.through_proxy(answer_change(refusal)))


def duplicate_in_flight(bench: Bench) -> Seen:
    arrived, may_go_on = threading.Event(), threading.Event()

    def hold(_message: bytes) -> Interference:
        arrived.set()
        may_go_on.wait()
        return Interference.FORWARD

    run = bench.through_proxy(hold)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(bench.deployed.step, "setSecret", run)
        arrived.wait()
        seen = bench.deployed.step("setSecret", run)
        may_go_on.set()
        assert first.result().succeeded
    return seen


def deadline(bench: Bench) -> Seen:
    run = bench.run_on()
    bench.world.aws.disturb("secretsmanager", by=Disturbance.HANG)
    return bench.hasty.step("createSecret", run)


def internal(bench: Bench) -> Seen:
    with bench.world.deployed("broken_engine.lambda_handler", libraries=(DEPLOYED,)) as broken:
        return bench.set_after_create(bench.run_on(engine="broken"), broken)


SCENARIOS: dict[str, Callable[[Bench], Seen]] = {
    scenario.__name__: scenario
    for scenario in (
        event_invalid,
        configuration_invalid,
        secret_not_found,
        secret_not_rotatable,
        version_not_pending,
        secret_malformed,
        target_mismatch,
        superuser_unusable,
        access_denied,
        kms_denied,
        throttled,
        aws_unavailable,
        aws_rejected,
        target_unreachable,
        dns_failed,
        port_closed,
        connect_timeout,
        connection_lost,
        tls_failed,
        authentication_unsafe,
        login_refused,
        credential_unknown,
        role_locked,
        host_refused,
        target_saturated,
        target_not_ready,
        target_read_only,
        target_busy,
        database_missing,
        privilege_missing,
        password_refused,
        statement_rejected,
        duplicate_in_flight,
        deadline,
        internal,
    )
}


def test_no_reason_is_left_out() -> None:
    assert set(SCENARIOS) == set(CLASSES) - NOT_MET


@pytest.mark.parametrize("reason", SCENARIOS)
def test_a_reason_is_told_alike_by_error_log_metric_and_trace(bench: Bench, reason: str) -> None:
    seen = SCENARIOS[reason](bench)
    kind: type[RotationError] = CLASSES[reason]
    # A duplicate is told to come back; it is no failure.
    is_failure = reason != "duplicate_in_flight"
    assert seen.reasons == {"error": reason, "line": reason, "metric": reason if is_failure else None, "trace": reason}
    assert seen.invocation.error_type == kind.__name__
    assert seen.line["next_action"] in (seen.invocation.error_message or "")
    assert not seen.invocation.timed_out
    assert seen.metrics["InvocationFailed"] == 1.0
    assert seen.metrics.get("Failures") == (1.0 if is_failure else None)
    assert (seen.line["level"], seen.line["outcome"]) == (("ERROR", "failed") if is_failure else ("WARNING", "in_flight"))
