"""The drill: every failure rings what it has to, nothing else rings, and all is clear again afterwards."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from dashboards.drill.command import drill
from dashboards.drill.coverage import gaps
from dashboards.drill.deployment import TEMPLATE, Deployment
from dashboards.drill.perform import perform
from dashboards.drill.report import DrillReport
from dashboards.drill.scenario import Scenario
from dashboards.drill.scenarios import ALL
from dashboards.drill.screen import Screen
from dashboards.drill.watched import watched_metrics
from dashboards.preview.alarm_reading import read_alarms

BY_NAME = {scenario.name: scenario for scenario in ALL}


def performed(deployment: Deployment, scenarios: Sequence[Scenario]) -> DrillReport:
    return perform(deployment, scenarios, Screen(Console(quiet=True)), lambda: None)


@pytest.fixture(scope="module")
def report() -> DrillReport:
    return performed(Deployment(), ALL)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_right_alarms_ring_and_are_clear_again(report: DrillReport, name: str) -> None:
    (verdict,) = [verdict for verdict in report.verdicts if verdict.name == name]
    assert verdict.problems == ()
    assert set(verdict.expected) == BY_NAME[name].rings
    assert set(verdict.expected) <= set(verdict.rang)


def test_every_alarm_was_rung_and_every_metric_came_that_is_watched(report: DrillReport) -> None:
    assert report.complete
    assert report.gaps == ()


# ---- The drill bites ---------------------------------------------------------------------------------------------------


@pytest.fixture
def changed_template(tmp_path: Path) -> Path:
    """A copy of the template with its nested stacks, to be spoilt."""
    (tmp_path / "dashboards").mkdir()
    for name in ("template.yaml", "dashboards/alarms.yaml", "dashboards/dashboards.yaml"):
        shutil.copy(TEMPLATE.parent / name, tmp_path / name)
    return tmp_path / "template.yaml"


@pytest.mark.parametrize(
    ("old", "new", "scenario", "problem"),
    [
        ("MetricName: Throttles", "MetricName: Throttle", "throttled", "throttled did not ring"),
        ("{ Name: step, Value: setSecret }", "{ Name: step, Value: set }", "slow", "slow-step did not ring"),
        ("Threshold: !Ref SlowStepMilliseconds", "Threshold: 0", "healthy", "slow-step rang for no reason"),
        ("TreatMissingData: notBreaching", "TreatMissingData: ignore", "event-invalid", "cause-function still rings"),
        ("Value: event_invalid }", "Value: event_valid }", "event-invalid", "cause-function did not ring"),
    ],
    ids=["metric", "dimension", "threshold", "missing-data", "reason"],
)
def test_a_wrong_alarm_is_found(changed_template: Path, old: str, new: str, scenario: str, problem: str) -> None:
    alarms = changed_template.parent / "dashboards/alarms.yaml"
    text = alarms.read_text()
    assert old in text
    alarms.write_text(text.replace(old, new))
    verdict = performed(Deployment(changed_template), [BY_NAME[scenario]]).verdicts[-1]
    assert problem in verdict.problems


def test_an_alarm_that_nothing_rings_is_a_gap() -> None:
    deployment = Deployment()
    names = {alarm.header.name for alarm in read_alarms(deployment.stack).alarms}
    everything = watched_metrics(deployment.stack)
    assert [*gaps(deployment, names, everything)] == []
    assert [*gaps(deployment, names - {"drill-stuck"}, everything)] == ["the alarm drill-stuck was rung by nothing"]


def test_a_metric_that_never_comes_is_a_gap() -> None:
    deployment = Deployment()
    names = {alarm.header.name for alarm in read_alarms(deployment.stack).alarms}
    watched = watched_metrics(deployment.stack)
    missing = next(key for key in watched if key.name == "SecretsStuck")
    (gap,) = gaps(deployment, names, watched.keys() - {missing})
    assert gap.startswith("SecretRotation/SecretsStuck{service=drill} was emitted by nothing")
    assert "alarm drill-stuck" in gap
    assert "widget drill-overview: Stuck" in gap


def test_a_metric_that_nobody_looks_at_is_a_gap(changed_template: Path) -> None:
    boards = changed_template.parent / "dashboards/dashboards.yaml"
    boards.write_text(boards.read_text().replace('"TestRunSucceeded"', '"TestRunFailed"'))
    deployment = Deployment(changed_template)
    names = {alarm.header.name for alarm in read_alarms(deployment.stack).alarms}
    assert [*gaps(deployment, names, watched_metrics(deployment.stack))] == [
        "TestRunSucceeded by service is emitted, but looked at by no alarm and no widget"
    ]


# ---- The command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(drill)
    return app


def test_the_command_names_all_scenarios(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["--list"])
    assert result.exit_code == 0
    assert all(scenario.name in result.output for scenario in ALL)


def test_the_command_runs_one_scenario_and_prints_json(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["--only", "event-invalid", "--json"])
    told = json.loads(result.output)
    assert result.exit_code == 0
    assert [verdict["name"] for verdict in told["verdicts"]] == ["deployed", "event-invalid"]
    assert list(told["verdicts"][1]["rang"]) == ["cause-function"]


def test_the_command_refuses_an_unknown_scenario(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["--only", "no-such-thing"])
    assert result.exit_code == 2
    assert "no-such-thing" in result.output
