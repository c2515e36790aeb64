"""The metrics that are emitted are those that are declared, with what they are declared to mean."""

import re

import pytest

from dashboards.preview.emf import extract, read_events
from local.secrets_manager_rotation import RotationService
from rotation.metrics import DECLARATIONS
from tests.functional.sample import Sample
from tests.functional.seen import Seen
from tests.functional.world import STEPS, Deployed, World

FUNCTION_ARN = "arn:aws:lambda:eu-central-1:200000000002:function:rotation"
EVERY_STEP = pytest.mark.parametrize("step", STEPS)


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
