"""The trace has a subsegment for the step and for every call that leaves the process."""

import re

import pytest

from tests.functional.sample import Sample
from tests.functional.world import STEPS, Deployed, World

EVERY_STEP = pytest.mark.parametrize("step", STEPS)


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
    # PutSecretValue's refusal is the answer that was asked for.
    assert "secretsmanager.put_secret_value" in [child.name for child in root.children]
    assert not any(node.fault or node.error for node in (root, *root.children))


def test_a_lost_store_is_told_by_line_metric_and_trace(world: World, deployed: Deployed) -> None:
    world.aws.fail("dynamodb", code="AccessDeniedException", message="no")
    seen = deployed.step("createSecret", world.begin(world.new_secret()))
    assert seen.outcome == "succeeded"
    assert seen.line["store_lost"] == "AccessDeniedException"
    assert seen.metrics["IdempotencyStoreLost"] == 1.0
    assert [child.name for child in seen.trace.children if child.fault] == ["dynamodb.put_item"]
    assert not seen.trace.fault
