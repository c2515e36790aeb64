"""Metrics are declared once; what is written is what is declared, and its number is fixed."""

import json
import time
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from rotation.metrics import DECLARATIONS, Metric, emit

AT_MS = int(time.time() * 1000) - 5_000
DIMENSIONS = {"service": "rotation", "step": "setSecret", "engine": "postgres", "reason": "throttled"}


def written(capsys: pytest.CaptureFixture[str], values: dict[Metric, float], **properties: Any) -> list[dict[str, Any]]:
    emit("Namespace", values, DIMENSIONS, properties, at_ms=AT_MS)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_metric_is_declared() -> None:
    assert set(DECLARATIONS) == set(Metric)


@pytest.mark.parametrize("metric", list(Metric))
def test_a_metric_is_written_as_declared(metric: Metric, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = written(capsys, {metric: 3.0})
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    declaration = DECLARATIONS[metric]
    assert directive["Namespace"] == "Namespace"
    assert directive["Metrics"] == [{"Name": metric.value, "Unit": declaration.unit.value}]
    assert tuple(map(tuple, directive["Dimensions"])) == declaration.dimension_sets
    assert record[metric.value] == [3.0]
    assert record["_aws"]["Timestamp"] == AT_MS
    assert {name: record[name] for name in sum(declaration.dimension_sets, ())} == {
        name: DIMENSIONS[name] for name in sum(declaration.dimension_sets, ())
    }


def test_metrics_that_share_their_dimensions_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    records = written(capsys, {Metric.STEP_FAILED: 1.0, Metric.COLD_START: 0.0, Metric.STEP_DURATION: 2.0})
    names = [{entry["Name"] for entry in record["_aws"]["CloudWatchMetrics"][0]["Metrics"]} for record in records]
    assert names == [{"StepFailed", "StepDuration"}, {"ColdStart"}]


def test_detail_travels_as_properties_and_never_as_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = written(capsys, {Metric.COLD_START: 1.0}, secret="arn:1", rotation_id="t")
    assert (record["secret"], record["rotation_id"]) == ("arn:1", "t")
    assert record["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_dimensions_are_of_a_fixed_vocabulary() -> None:
    used = {name for declaration in DECLARATIONS.values() for names in declaration.dimension_sets for name in names}
    assert used == {"service", "step", "engine", "reason"}


def test_units_are_true_to_the_names() -> None:
    for metric, declaration in DECLARATIONS.items():
        is_time = metric.value.endswith(("Duration", "Gap", "Time", "Age"))
        assert (declaration.unit in {MetricUnit.Milliseconds, MetricUnit.Seconds}) == is_time, metric


def test_meanings_are_sentences() -> None:
    assert all(declaration.meaning.endswith(".") for declaration in DECLARATIONS.values())


def test_nothing_to_say_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(capsys, {}) == []
