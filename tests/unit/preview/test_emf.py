"""Log lines to metric data points, after CloudWatch's specification of the embedded metric format."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.preview.documents import Json
from dashboards.preview.emf import Extraction, LogEvent, extract, read_events
from dashboards.preview.metric_store import MetricKey, MetricPoint

TIME = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GROUP = "/aws/lambda/rotation"


def document(**changes: Json) -> dict[str, Json]:
    directive = {
        "Namespace": "Rotation",
        "Dimensions": [["service"], ["service", "step"]],
        "Metrics": [{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": "Attempts"}],
    }
    return {
        "_aws": {"Timestamp": TIME.timestamp() * 1000, "CloudWatchMetrics": [directive]},
        "service": "rotation",
        "step": "setSecret",
        "Duration": 12.5,
        "Attempts": [1, 2, 2],
        "secret_id": "app/db",
    } | changes


def extracted(line: str, received: datetime | None = None) -> Extraction:
    (event,) = read_events([line], GROUP, (lambda: received) if received else None)
    return extract(event)


def broken(**aws: Json) -> Extraction:
    changed = document()
    changed["_aws"]["CloudWatchMetrics"][0] |= aws
    return extracted(json.dumps(changed))


def test_every_dimension_set_is_a_metric_of_its_own() -> None:
    points = extracted(json.dumps(document())).points
    service, both = frozenset({("service", "rotation")}), frozenset({("service", "rotation"), ("step", "setSecret")})
    assert {(point.key.name, point.key.dimensions) for point in points} == {
        ("Duration", service),
        ("Duration", both),
        ("Attempts", service),
        ("Attempts", both),
    }
    assert {point.timestamp for point in points} == {TIME}


def test_units_and_every_value_of_an_array_are_kept() -> None:
    points = {point.key.name: point for point in extracted(json.dumps(document())).points}
    assert points["Duration"] == MetricPoint(points["Duration"].key, TIME, (12.5,), (1.0,), "Milliseconds")
    assert points["Attempts"].values == (1.0, 2.0, 2.0)
    assert points["Attempts"].unit == "None"


def test_values_with_counts_and_high_resolution() -> None:
    changed = document(Duration={"Values": [5, 7], "Counts": [10, 1]})
    changed["_aws"]["CloudWatchMetrics"][0]["Metrics"] = [{"Name": "Duration", "StorageResolution": 1}]
    point = extracted(json.dumps(changed)).points[0]
    assert (point.values, point.counts, point.resolution) == ((5.0, 7.0), (10.0, 1.0), 1)


def test_every_directive_is_read() -> None:
    changed = document(ColdStart=1)
    changed["_aws"]["CloudWatchMetrics"].append(
        {"Namespace": "Other", "Dimensions": [[]], "Metrics": [{"Name": "ColdStart"}]}
    )
    keys = {point.key for point in extracted(json.dumps(changed)).points}
    assert MetricKey("Other", "ColdStart") in keys


def test_properties_stay_with_the_event() -> None:
    (event,) = read_events([json.dumps(document())], GROUP)
    assert event.fields["secret_id"] == "app/db"


@pytest.mark.parametrize(
    "line",
    [
        "START RequestId: 1 Version: $LATEST",
        json.dumps({"level": "INFO", "message": "no metrics"}),
        json.dumps([1, 2]),
        "{broken",
    ],
)
def test_other_lines_give_no_metrics_and_no_errors(line: str) -> None:
    assert extracted(line) == Extraction()


@pytest.mark.parametrize(
    ("aws", "named"),
    [
        ({"Namespace": ""}, "Namespace"),
        ({"Dimensions": [["absent"]]}, "absent"),
        ({"Dimensions": [["Duration"]]}, "Duration"),
        ({"Dimensions": [[f"d{n}" for n in range(31)]]}, "30 dimensions"),
        ({"Metrics": [{"Name": "Missing"}]}, "Missing"),
        ({"Metrics": [{"Name": "Duration"}] * 101}, "100 metrics"),
        ({"Metrics": [{"Name": "Duration", "Unit": "Parsecs"}]}, "unit"),
        ({"Metrics": [{"Name": "Duration", "StorageResolution": 10}]}, "StorageResolution"),
        ({"Metrics": [{"Name": "secret_id"}]}, "no number"),
    ],
)
def test_a_broken_rule_is_counted_as_a_validation_error(aws: dict[str, Json], named: str) -> None:
    found = broken(**aws)
    key = MetricKey("AWS/Logs", "EMFValidationErrors", frozenset({("LogGroupName", GROUP)}))
    assert [(point.key, point.values) for point in found.points] == [(key, (1.0,))]
    assert found.error is not None
    assert named in found.error


@pytest.mark.parametrize(
    "aws", [{"Dimensions": None}, {"Dimensions": ["service"]}, {"Metrics": {}}, {"Metrics": ["Duration"]}]
)
def test_a_broken_structure_is_counted_as_a_parsing_error(aws: dict[str, Json]) -> None:
    assert [point.key.name for point in broken(**aws).points] == ["EMFParsingErrors"]


def test_a_missing_timestamp_and_a_line_cut_short_are_parsing_errors() -> None:
    without_time = document()
    del without_time["_aws"]["Timestamp"]
    for line in (json.dumps(without_time), json.dumps(document())[:-30]):
        assert [point.key.name for point in extracted(line).points] == ["EMFParsingErrors"]


def test_a_time_in_seconds_is_refused_when_it_is_known_when_the_line_came() -> None:
    changed = document()
    changed["_aws"]["Timestamp"] = TIME.timestamp()
    found = extracted(json.dumps(changed), TIME)
    assert [(point.key.name, point.timestamp) for point in found.points] == [("EMFValidationErrors", TIME)]
    assert extracted(json.dumps(document()), TIME + timedelta(days=1)).error is None


def test_lines_without_a_time_follow_the_line_before_them() -> None:
    lines = [json.dumps({"timestamp": "2026-03-02 12:00:00,250+0000", "message": "m"}), "", "plain text"]
    events = list(read_events(lines, GROUP))
    assert [event.timestamp for event in events] == [TIME + timedelta(milliseconds=250)] * 2
    assert events[1] == LogEvent(events[0].timestamp, GROUP, "plain text", {})
