"""What is emitted about a step: one line that tells all, metrics as declared, and a trace of every call."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import pytest

from dashboards.preview.emf import extract, read_events
from local.secrets_manager_rotation import RotationService
from rotation.metrics import DECLARATIONS
from tests.faults.database_proxy import DatabaseProxy, Interference
from tests.functional.seen import Seen
from tests.functional.world import STEPS, Deployed, World

FUNCTION_ARN = "arn:aws:lambda:eu-central-1:200000000002:function:rotation"


@dataclass(frozen=True)
class Sample:
    """A rotation seen from beginning to end, and one that failed at testSecret."""

    secret_arn: str
    token: str
    steps: dict[str, Seen]
    calls: dict[str, list[str]]
    """Calls to AWS by step, as the services counted them."""
    failed: Seen


@pytest.fixture(scope="module")
def sample(world: World, deployed: Deployed) -> Sample:
    arn = world.new_secret(superuser=True)
    run = world.begin(arn)
    steps, calls = {}, {}
    for step in STEPS:
        before = len(world.aws.calls)
        steps[step] = deployed.step(step, run)
        calls[step] = [f"{call.service}.{call.operation}" for call in world.aws.calls[before:]]
    again = world.begin(arn)
    deployed.steps(again, "createSecret", "setSecret")
    world.set_password(world.value(arn, "AWSPENDING")["username"], "changed by hand")
    return Sample(arn, run.token, steps, calls, deployed.step("testSecret", again))


EVERY_STEP = pytest.mark.parametrize("step", STEPS)


@EVERY_STEP
def test_one_line_tells_all_of_a_step(sample: Sample, step: str) -> None:
    line = sample.steps[step].line
    assert line["correlation_id"] == sample.token
    assert line["secret_arn"] == sample.secret_arn
    assert line["step"] == step
    assert (line["engine"], line["strategy"], line["run_kind"]) == ("postgres", "alternating-users", "rotation")
    assert (line["level"], line["outcome"], line["message"]) == ("INFO", "succeeded", f"{step} succeeded")
    assert line["request_id"] == sample.steps[step].invocation.request_id
    assert line["xray_trace_id"] == sample.steps[step].invocation.trace_id
    assert line["duration_ms"] >= max(line["phases_ms"].values())
    assert 0 < line["remaining_ms"] <= 30_000
    assert line["cold_start"] in {True, False}
    assert "reason" not in line


@EVERY_STEP
def test_a_line_holds_nothing_that_is_not_documented(sample: Sample, step: str) -> None:
    always = {
        *("level", "message", "timestamp", "service", "correlation_id", "xray_trace_id", "request_id", "cold_start"),
        *("step", "secret_arn", "engine", "strategy", "run_kind", "outcome"),
        *("duration_ms", "remaining_ms", "phases_ms", "calls"),
    }
    of_the_step = {
        "createSecret": {"host"},
        "setSecret": {"host", "accepted"},
        "testSecret": {"host"},
        "finishSecret": {"rotated", "rotation_duration_ms", "credential_gap_ms"},
    }
    assert set(sample.steps[step].line) == always | of_the_step[step]


@EVERY_STEP
def test_a_success_writes_its_metrics_one_line_and_nothing_else(sample: Sample, step: str) -> None:
    seen = sample.steps[step]
    metric_lines = [document for document in seen.documents if "_aws" in document]
    assert len(seen.invocation.log_lines) == len(metric_lines) + 1
    assert seen.details == []


@EVERY_STEP
def test_the_calls_are_counted_as_the_services_count_them(sample: Sample, step: str) -> None:
    counted = sample.steps[step].line["calls"]
    for service in ("secretsmanager", "dynamodb"):
        assert counted[service] == sum(call.startswith(service) for call in sample.calls[step])


@EVERY_STEP
def test_time_is_told_by_phase(sample: Sample, step: str) -> None:
    line = sample.steps[step].line
    reaches_target = step in {"setSecret", "testSecret"}
    assert set(line["phases_ms"]) == {"secretsmanager", "dynamodb"} | ({"target"} if reaches_target else set())
    assert set(line["calls"]) == set(line["phases_ms"])


def test_a_failure_writes_its_line_with_reason_and_next_step(sample: Sample) -> None:
    line = sample.failed.line
    assert (line["level"], line["outcome"], line["reason"]) == ("ERROR", "failed", "login_refused")
    assert line["error"]
    assert line["next_action"]


def test_a_failure_brings_the_details_of_its_calls_in_order(sample: Sample) -> None:
    details = [(line["call"], line["result"]) for line in sample.failed.details]
    assert ("target.connect", "login_refused") in details
    assert all(result == "ok" for call, result in details if call != "target.connect")
    assert {line["correlation_id"] for line in sample.failed.details} == {sample.failed.line["correlation_id"]}
    assert all(line["took_ms"] >= 0 for line in sample.failed.details)
    assert sample.failed.documents.index(sample.failed.details[-1]) < sample.failed.documents.index(sample.failed.line)


def test_every_line_of_a_failure_is_known(sample: Sample) -> None:
    # Besides JSON there is what Lambda's runtime itself writes of the error.
    others = [line for line in sample.failed.invocation.log_lines if not line.startswith("{")]
    assert [line.split(":")[0] for line in others] == ["[ERROR] LoginRefusedError"]


def test_a_line_with_debugging_on_belongs_to_its_rotation(world: World) -> None:
    with world.deployed(environment={"POWERTOOLS_LOG_LEVEL": "DEBUG"}) as function:
        for _turn in range(2):
            run = world.begin(world.new_secret())
            for seen in function.steps(run).values():
                assert seen.details
                levels = [line for line in seen.documents if "level" in line]
                assert {line["correlation_id"] for line in levels} == {run.token}


def test_a_user_name_cannot_forge_a_line(world: World, deployed: Deployed) -> None:
    forged = '{"level":"INFO","request_id":"forged"}'
    run = world.begin(world.new_secret(username=f"app\n{forged}\r\n{forged}", password="never accepted"))
    deployed.steps(run, "createSecret")
    seen = deployed.step("setSecret", run)
    assert set(seen.reasons.values()) == {"login_refused"}
    assert seen.line["request_id"] == seen.invocation.request_id
    assert not [line for line in seen.invocation.log_lines if line.startswith(forged)]


# Metrics


@EVERY_STEP
def test_metric_lines_hold_what_cloudwatch_asks_for(sample: Sample, step: str) -> None:
    for seen in (sample.steps[step], sample.failed):
        for event in read_events(seen.invocation.log_lines, "/aws/lambda/rotation"):
            extraction = extract(event)
            assert extraction.error is None
            assert bool(extraction.points) == ("_aws" in event.fields)


@EVERY_STEP
def test_metric_lines_carry_the_beginning_of_the_invocation(sample: Sample, step: str) -> None:
    seen = sample.steps[step]
    began = int(seen.invocation.started_at.timestamp() * 1000)
    for metric in seen.emitted:
        assert 0 <= metric.record["_aws"]["Timestamp"] - began <= seen.invocation.duration_ms + 5_000


@EVERY_STEP
def test_secret_and_token_travel_as_properties(sample: Sample, step: str) -> None:
    for metric in sample.steps[step].emitted:
        assert metric.record["secret"] == sample.secret_arn
        assert metric.record["rotation_id"] == sample.token
        dimensions = {name for names in metric.dimension_sets for name in names}
        assert dimensions <= {"service", "step", "engine", "reason"}


def test_a_step_tells_its_duration_and_outcome(sample: Sample) -> None:
    for step, seen in sample.steps.items():
        (duration,) = [metric for metric in seen.emitted if metric.name == "StepDuration"]
        assert duration.record["step"] == step
        assert duration.record["engine"] == "postgres"
        assert duration.value == pytest.approx(seen.line["duration_ms"], abs=0.1)
        assert (seen.metrics["StepSucceeded"], seen.metrics["StepFailed"]) == (1.0, 0.0)
        assert seen.metrics["RemainingTime"] == seen.line["remaining_ms"]
    assert (sample.failed.metrics["StepSucceeded"], sample.failed.metrics["StepFailed"]) == (0.0, 1.0)
    assert sample.failed.metrics["RotationFailed"] == 1.0


def test_only_the_end_of_a_rotation_tells_of_the_whole(sample: Sample) -> None:
    of_the_whole = {"RotationSucceeded", "RotationFailed", "RotationDuration", "CredentialGap"}
    assert [len(of_the_whole & set(sample.steps[step].metrics)) for step in STEPS] == [0, 0, 0, 4]
    last = sample.steps["finishSecret"].metrics
    assert (last["RotationSucceeded"], last["RotationFailed"], last["CredentialGap"]) == (1.0, 0.0, 0.0)


def test_a_single_user_has_a_gap_from_the_change_until_the_label_moves(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    seen = deployed.steps(run)
    gap = seen["finishSecret"].metrics["CredentialGap"]
    between = seen["testSecret"].invocation.duration_ms
    assert between < gap <= seen["finishSecret"].metrics["RotationDuration"]
    assert gap == seen["finishSecret"].line["credential_gap_ms"]


def test_the_gap_is_known_in_an_environment_that_did_not_set_the_password(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    deployed.steps(run, "createSecret", "setSecret", "testSecret")
    with world.deployed() as other:
        metrics = other.step("finishSecret", run).metrics
    assert 0 < metrics["CredentialGap"] <= metrics["RotationDuration"]


def test_without_any_memory_the_gap_is_not_invented(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    deployed.steps(run, "createSecret", "setSecret", "testSecret")
    world.forget()
    with world.deployed() as other:
        metrics = other.step("finishSecret", run).metrics
    assert metrics["RotationSucceeded"] == 1.0
    assert not {"CredentialGap", "RotationDuration"} & set(metrics)


def test_replayed_steps_are_counted(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    assert {seen.metrics["StepReplayed"] for seen in deployed.steps(run).values()} == {0.0}
    replayed = deployed.steps(run)
    assert {seen.metrics["StepReplayed"] for seen in replayed.values()} == {1.0}
    assert {seen.line["replayed"] for seen in replayed.values()} == {True}
    assert not {"RotationSucceeded", "RotationFailed"} & set(replayed["finishSecret"].metrics)


def test_only_the_first_invocation_of_an_environment_is_a_cold_start(world: World) -> None:
    with world.deployed() as function:
        run = world.begin(world.new_secret())
        assert [function.step(step, run).metrics["ColdStart"] for step in STEPS[:3]] == [1.0, 0.0, 0.0]


def test_wrong_settings_are_a_cold_start_once_as_well(world: World) -> None:
    with world.deployed(environment={"PASSWORD_LENGTH": "x"}) as function:
        run = world.begin(world.new_secret())
        assert [function.step("createSecret", run).metrics["ColdStart"] for _ in range(2)] == [1.0, 0.0]


@pytest.fixture(scope="module")
def everything_emitted(world: World, deployed: Deployed, sample: Sample) -> list[Seen]:
    """Invocations of all three handlers in which every metric has its occasion."""
    seen = [*sample.steps.values(), sample.failed]
    seen += [deployed.step("testSecret", world.begin(world.new_secret(), test=True))]
    service = RotationService(world.aws, deployed.function)
    assert service.rotate(world.new_secret()).succeeded
    watched = {"ROTATION_FUNCTION_ARN": FUNCTION_ARN}
    with (
        world.deployed("rotation.service_events.lambda_handler") as listener,
        world.deployed("rotation.probe.lambda_handler", environment=watched) as probe,
    ):
        heard = dict(service.events[-1], detail={**service.events[-1]["detail"]})
        for name in (
            "RotationSucceeded",
            "RotationFailed",
            "RotationAbandoned",
            "TestRotationSucceeded",
            "TestRotationFailed",
        ):
            heard["detail"]["eventName"] = name
            seen.append(listener.invoke(heard))
        seen.append(probe.invoke({}))
    return seen


def test_the_metrics_emitted_are_the_metrics_declared(everything_emitted: list[Seen]) -> None:
    emitted = {(metric.name, metric.unit, metric.dimension_sets) for seen in everything_emitted for metric in seen.emitted}
    declared = {
        (name.value, declaration.unit.value, declaration.dimension_sets) for name, declaration in DECLARATIONS.items()
    }
    assert emitted == declared


def test_no_metric_is_multiplied_by_secrets_or_rotations(everything_emitted: list[Seen]) -> None:
    billed = {
        (metric.name, tuple((name, metric.record[name]) for name in names))
        for seen in everything_emitted
        for metric in seen.emitted
        for names in metric.dimension_sets
    }
    values = {value for _name, dimensions in billed for _dimension, value in dimensions}
    assert not [value for value in values if re.search(r"arn:|app/|[0-9a-f]{8}-", value)]


# Trace


def _snake(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


@EVERY_STEP
def test_the_trace_has_a_subsegment_for_the_step_and_each_call(sample: Sample, step: str) -> None:
    root = sample.steps[step].trace
    assert root.name == "rotation"
    assert root.annotations == {
        "step": step,
        "engine": "postgres",
        "strategy": "alternating-users",
        "outcome": "succeeded",
        "run_kind": "rotation",
        "rotation_id": sample.token,
    }
    to_aws = [child.name for child in root.children if not child.name.startswith("target.")]
    service_calls = (call.partition(".") for call in sample.calls[step])
    assert to_aws == [f"{service}.{_snake(operation)}" for service, _dot, operation in service_calls]
    assert all(child.namespace == "remote" and child.end is not None for child in root.children)
    assert not any(node.fault or node.error or node.metadata for node in (root, *root.children))


def test_the_trace_shows_what_was_done_at_the_target(sample: Sample) -> None:
    done = [child.name for child in sample.steps["setSecret"].trace.children if child.name.startswith("target.")]
    assert done.count("target.connect") == 2
    assert "target.alter_role" in done
    assert done[-1] == "target.commit"


def test_the_trace_marks_what_failed_and_why(sample: Sample) -> None:
    root = sample.failed.trace
    assert root.fault
    assert (root.annotations["outcome"], root.annotations["reason"]) == ("failed", "login_refused")
    (culprit,) = [child for child in root.children if child.fault]
    assert (culprit.name, culprit.annotations["reason"]) == ("target.connect", "login_refused")


def test_a_replay_is_no_fault_in_the_trace(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    deployed.steps(run, "createSecret")
    root = deployed.steps(run, "createSecret")["createSecret"].trace
    assert root.annotations["outcome"] == "rolled_forward"
    # PutSecretValue's refusal is the one thing that did not go as asked, and it is told apart from a failure.
    assert [child.name for child in root.children if child.fault] == ["secretsmanager.put_secret_value"]
    assert not root.fault


def test_a_lost_store_is_told_by_line_metric_and_trace(world: World, deployed: Deployed) -> None:
    world.aws.fail("dynamodb", code="AccessDeniedException", message="no")
    seen = deployed.step("createSecret", world.begin(world.new_secret()))
    assert seen.outcome == "succeeded"
    assert seen.line["store_lost"] == "AccessDeniedException"
    assert seen.metrics["IdempotencyStoreLost"] == 1.0
    assert [child.name for child in seen.trace.children if child.fault] == ["dynamodb.put_item"]
    assert not seen.trace.fault


# Duplicates


def test_duplicates_in_flight_are_told_to_come_back_and_ring_nothing(
    world: World, deployed: Deployed, proxy: DatabaseProxy
) -> None:
    arrived, may_go_on = Event(), Event()

    def hold(_message: bytes) -> Interference:
        arrived.set()
        may_go_on.wait()
        return Interference.FORWARD

    run = world.begin(world.new_secret(port=proxy.port))
    deployed.steps(run, "createSecret")
    proxy.on_message = hold
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(deployed.step, "setSecret", run)
        arrived.wait()
        duplicates = [deployed.step("setSecret", run) for _ in range(2)]
        may_go_on.set()
        assert first.result().outcome == "succeeded"
    for seen in duplicates:
        assert seen.invocation.error_type == "DuplicateInFlightError"
        assert "Come back later" in seen.error
        assert (seen.line["level"], seen.line["outcome"]) == ("WARNING", "in_flight")
        assert (seen.metrics["DuplicateInFlight"], seen.metrics["InvocationFailed"]) == (1.0, 1.0)
        assert not {"Failures", "StepFailed", "RotationFailed", "StepSucceeded"} & set(seen.metrics)
        assert seen.details == []
        assert seen.line["calls"] == {"dynamodb": 1}
    proxy.on_message = lambda _message: Interference.FORWARD
    deployed.steps(run)
    assert world.opens(world.value(run.secret_arn))


def test_log_lines_are_json_in_one_line_each(sample: Sample) -> None:
    for seen in (*sample.steps.values(), sample.failed):
        for line in seen.invocation.log_lines:
            if line.startswith("{"):
                assert "\n" not in line
                json.loads(line)
