"""Metric alarms: the documented states, windows and thresholds.

`alarm_evaluation_cells.json` holds the two tables of CloudWatch's documentation, "Configuring how CloudWatch alarms
treat missing data": every combination of data points, M of N and treatment with the state that results.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dashboards.preview.alarm_evaluation import decide, evaluate
from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.alarms import AlarmState, MetricAlarm, MissingData
from dashboards.preview.documents import Json, PreviewError
from dashboards.preview.metric_store import MetricKey, MetricPoint, MetricStore
from dashboards.preview.template import Stack

CELLS = json.loads((Path(__file__).parent / "alarm_evaluation_cells.json").read_text(encoding="utf-8"))["cells"]
POINTS = {"X": True, "0": False, "-": None}
FAILURES = MetricKey("App", "Failures", frozenset({("service", "rotation")}))


@pytest.mark.parametrize("previous", AlarmState)
@pytest.mark.parametrize(
    "cell", CELLS, ids=lambda cell: "{points} {datapoints_to_alarm} {treat_missing_data}".format(**cell)
)
def test_documented_states(cell: dict[str, Json], previous: AlarmState) -> None:
    points = [POINTS[point] for point in cell["points"]]
    missing = MissingData(cell["treat_missing_data"])
    state = decide(points, cell["evaluation_periods"], cell["datapoints_to_alarm"], missing, previous)
    assert state == (previous if cell["state"] == "PREV" else cell["state"])


def test_all_forty_cells_are_there() -> None:
    assert len(CELLS) == 40


@pytest.mark.parametrize("points", ["----X", "---X-"])
def test_an_alarm_does_not_go_off_before_its_first_breach_is_old_enough(points: str) -> None:
    read = [POINTS[point] for point in points]
    assert decide(read, 3, 3, MissingData.MISSING, AlarmState.OK) is AlarmState.OK


def alarm(load_stack: Callable[..., Stack], **changes: object) -> MetricAlarm:
    properties = {
        "Namespace": "App",
        "MetricName": "Failures",
        "Dimensions": [{"Name": "service", "Value": "rotation"}],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    } | changes
    written = {"Resources": {"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}}}
    (read,) = read_alarms(load_stack(json.dumps(written))).metric_alarms()
    return read


def failures(noon: datetime, *minutes: float) -> MetricStore:
    return MetricStore(MetricPoint(FAILURES, noon + timedelta(minutes=minute), (1.0,)) for minute in minutes)


@pytest.mark.parametrize(
    ("comparison", "threshold", "state"),
    [
        ("GreaterThanThreshold", 1, "OK"),
        ("GreaterThanThreshold", 0, "ALARM"),
        ("GreaterThanOrEqualToThreshold", 1, "ALARM"),
        ("LessThanThreshold", 1, "OK"),
        ("LessThanThreshold", 2, "ALARM"),
        ("LessThanOrEqualToThreshold", 1, "ALARM"),
    ],
)
def test_comparisons(load_stack: Callable[..., Stack], noon: datetime, comparison: str, threshold: int, state: str) -> None:
    read = alarm(load_stack, ComparisonOperator=comparison, Threshold=threshold)
    assert evaluate(read, failures(noon, 1), noon + timedelta(minutes=5), AlarmState.OK).state == state


def test_the_window_slides_by_the_minute(load_stack: Callable[..., Stack], noon: datetime) -> None:
    """A failure at 12:03 rings as soon as the minute is full, not at the end of a five-minute slot."""
    read, store = alarm(load_stack), failures(noon, 3.5)
    states = [evaluate(read, store, noon + timedelta(minutes=minute), AlarmState.OK).state for minute in range(20)]
    assert states[:4] == [AlarmState.OK] * 4
    assert states[4] is AlarmState.ALARM


def test_real_points_outside_the_window_are_used_before_missing_data_is_treated(
    load_stack: Callable[..., Stack], noon: datetime
) -> None:
    """With one data point and N = 1 the newest real one counts for as long as it is in the evaluation range."""
    read, store = alarm(load_stack), failures(noon, 0)
    assert evaluate(read, store, noon + timedelta(minutes=14), AlarmState.OK).state is AlarmState.ALARM
    assert evaluate(read, store, noon + timedelta(minutes=16), AlarmState.ALARM).state is AlarmState.OK


def test_an_alarm_over_more_than_a_day_is_evaluated_on_the_full_hour(
    load_stack: Callable[..., Stack], noon: datetime
) -> None:
    read = alarm(load_stack, Period=86400, EvaluationPeriods=2, DatapointsToAlarm=1)
    store = failures(noon, 2)
    assert evaluate(read, store, noon + timedelta(minutes=59), AlarmState.OK).state is AlarmState.OK
    assert evaluate(read, store, noon + timedelta(minutes=60), AlarmState.OK).state is AlarmState.ALARM


def test_other_dimensions_are_not_seen(load_stack: Callable[..., Stack], noon: datetime) -> None:
    read = alarm(load_stack, Dimensions=[])
    assert evaluate(read, failures(noon, 1), noon + timedelta(minutes=5), AlarmState.OK).state is AlarmState.OK


def test_missing_data_of_dynamodb_is_always_ignored(load_stack: Callable[..., Stack]) -> None:
    assert alarm(load_stack, Namespace="AWS/DynamoDB").missing is MissingData.IGNORE


def math(expression: str) -> dict[str, object]:
    metric = {"Namespace": "App", "MetricName": "Failures", "Dimensions": [{"Name": "service", "Value": "rotation"}]}
    return {
        "Namespace": None,
        "Metrics": [
            {"Id": "m1", "MetricStat": {"Metric": metric, "Stat": "Sum", "Period": 60}, "ReturnData": False},
            {"Id": "e1", "Expression": expression},
        ],
    }


def test_metric_math_fires_on_absence(load_stack: Callable[..., Stack], noon: datetime) -> None:
    read = alarm(load_stack, **math("FILL(m1, 0)"), Threshold=1, ComparisonOperator="LessThanThreshold")
    store = failures(noon, 0)
    assert evaluate(read, store, noon + timedelta(minutes=1), AlarmState.OK).state is AlarmState.OK
    assert evaluate(read, store, noon + timedelta(minutes=2), AlarmState.OK).state is AlarmState.ALARM


@pytest.mark.parametrize("expression", ["SEARCH('{App} Failures', 'Sum')", "[m1, m1]", "HISTOGRAM(m1)"])
def test_metric_math_that_cannot_be_an_alarm_names_its_place(
    load_stack: Callable[..., Stack], noon: datetime, expression: str
) -> None:
    read = alarm(load_stack, **math(expression))
    with pytest.raises(PreviewError, match=r"template\.yaml: A: .*"):
        evaluate(read, failures(noon, 0), noon, AlarmState.OK)


def test_the_reason_names_points_and_threshold(load_stack: Callable[..., Stack], noon: datetime) -> None:
    found = evaluate(alarm(load_stack), failures(noon, 1), noon + timedelta(minutes=5), AlarmState.OK)
    assert found.reason == "1 of the last 1 data points ≥ 1, 1 needed: 1 (02 Mar 12:00)"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"Threshold": None, "ThresholdMetricId": "ad1"}, "ThresholdMetricId"),
        ({"TreatMissingData": "sometimes"}, "sometimes"),
    ],
)
def test_an_alarm_that_cannot_be_read_names_its_place(
    load_stack: Callable[..., Stack], changes: dict[str, object], named: str
) -> None:
    with pytest.raises(PreviewError, match=rf"template\.yaml: A.*{named}"):
        alarm(load_stack, **changes)
