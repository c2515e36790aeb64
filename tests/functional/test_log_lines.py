"""One line tells all of a step; what happened call by call is told when it failed."""

import json

import pytest

from tests.functional.sample import Sample
from tests.functional.world import STEPS, Deployed, World

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
        "finishSecret": {"host", "rotated", "rotation_duration_ms", "credential_gap_ms"},
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
    reaches_target = step != "createSecret"
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
    assert set(seen.reasons.values()) == {"credential_unknown"}
    assert seen.line["request_id"] == seen.invocation.request_id
    assert not [line for line in seen.invocation.log_lines if line.startswith(forged)]


def test_log_lines_are_json_in_one_line_each(sample: Sample) -> None:
    for seen in (*sample.steps.values(), sample.failed):
        for line in seen.invocation.log_lines:
            if line.startswith("{"):
                assert "\n" not in line
                json.loads(line)
