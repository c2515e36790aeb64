"""Events as Secrets Manager sends them, and events as it never would."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.world import CURRENT, PENDING, Deployed, Run, World

EVENTS = Path(__file__).parent.parent / "events"


def events(folder: str) -> pytest.MarkDecorator:
    """One parameter for each recorded event of a folder."""
    paths = sorted((EVENTS / folder).glob("*.json"))
    return pytest.mark.parametrize("recorded", [pytest.param(path, id=path.stem) for path in paths])


def replayed(path: Path, run: Run) -> dict[str, Any]:
    """A recorded event for a secret and token that exist here; everything else is as it was recorded."""
    event: dict[str, Any] = json.loads(path.read_text())
    secret = run.secret_arn
    if not event["SecretId"].startswith("arn:"):
        secret = secret.rpartition(":secret:")[2].rpartition("-")[0]
    return {**event, "SecretId": secret, "ClientRequestToken": run.token}


@pytest.mark.parametrize("variant", ["with_rotation_token", "without_rotation_token", "with_unknown_fields", "with_name"])
def test_recorded_events_rotate_a_secret(world: World, deployed: Deployed, variant: str) -> None:
    arn = world.new_secret()
    run = world.begin(arn)
    for name in ("create_secret", "set_secret", "test_secret", "finish_secret"):
        seen = deployed.invoke(replayed(EVENTS / variant / f"{name}.json", run))
        assert seen.succeeded, seen.error
        assert seen.line["secret_arn"] == arn
        assert seen.line["correlation_id"] == run.token
    assert world.labels(arn)[CURRENT] == run.token
    assert world.opens(world.value(arn))


@events("bad")
def test_a_bad_event_is_refused_by_the_fields_name_and_leaves_everything_untouched(
    world: World, deployed: Deployed, recorded: Path
) -> None:
    case = json.loads(recorded.read_text())
    before = len(world.aws.calls)
    seen = deployed.invoke(case["event"])
    assert len(world.aws.calls) == before
    assert set(seen.reasons.values()) == {"event_invalid"}
    assert case["names"] in seen.line["error"]
    assert "Secrets Manager" in seen.line["next_action"]
    told = f"{seen.error} {seen.invocation.log_lines} {seen.invocation.payload} {world.xray.datagrams[-1]!r}"
    for value in case["hides"]:
        assert value not in told


@events("bad")
def test_a_bad_event_counts_as_a_failure_of_no_step(deployed: Deployed, recorded: Path) -> None:
    seen = deployed.invoke(json.loads(recorded.read_text())["event"])
    assert seen.metrics["Failures"] == seen.metrics["InvocationFailed"] == 1.0
    assert not {"StepFailed", "RotationFailed", "StepDuration"} & set(seen.metrics)


def test_the_answer_names_step_and_outcome_and_nothing_else(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    assert deployed.step("createSecret", run).invocation.payload == {"step": "createSecret", "outcome": "succeeded"}


def test_a_test_only_run_tries_the_existing_value_and_is_reported_as_a_test(world: World, deployed: Deployed) -> None:
    arn = world.new_secret()
    run = world.begin(arn, test=True)
    seen = deployed.step("testSecret", run)
    assert (seen.outcome, seen.line["run_kind"]) == ("succeeded", "test")
    assert (seen.metrics["TestRunSucceeded"], seen.metrics["TestRunFailed"]) == (1.0, 0.0)
    assert not {"RotationSucceeded", "RotationFailed"} & set(seen.metrics)
    assert world.labels(arn)[CURRENT] != world.labels(arn)[PENDING] == run.token


@pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
def test_a_test_only_run_that_fails_is_no_failed_rotation(world: World, deployed: Deployed, strategy: str) -> None:
    arn = world.new_secret(superuser=strategy == "alternating-users", tag=strategy)
    world.set_password(world.value(arn)["username"], "changed by hand")
    seen = deployed.step("testSecret", world.begin(arn, test=True))
    assert set(seen.reasons.values()) == {"login_refused"}
    assert seen.line["run_kind"] == "test"
    assert (seen.metrics["TestRunSucceeded"], seen.metrics["TestRunFailed"]) == (0.0, 1.0)
    assert "RotationFailed" not in seen.metrics


def test_a_rotation_is_told_from_a_test_in_an_environment_that_did_not_set_it(world: World, deployed: Deployed) -> None:
    run = world.begin(world.new_secret())
    deployed.steps(run, "createSecret", "setSecret")
    with world.deployed() as other:
        assert other.step("testSecret", run).line["run_kind"] == "rotation"
