"""Everything CloudWatch would refuse is found by name."""

import json
from collections.abc import Callable

import pytest

from dashboards.preview.body_validation import check_body
from dashboards.preview.documents import Json
from dashboards.preview.template import Stack
from dashboards.preview.validation import validate

METRIC = {"Namespace": "App", "MetricName": "Failures"}
ALARM: dict[str, Json] = METRIC | {
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


def stat(name: str, **changes: object) -> dict[str, object]:
    return {"Id": name, "MetricStat": {"Metric": METRIC, "Stat": "Sum", "Period": 60} | changes, "ReturnData": False}


def math(*metrics: dict[str, object], expression: str = "FILL(m1, 0)") -> dict[str, object]:
    rest: dict[str, object] = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))
    return rest | {"Metrics": [*metrics, {"Id": "e1", "Expression": expression}]}


def rules(load_stack: Callable[..., Stack], **resources: object) -> set[str]:
    return {finding.rule for finding in validate(load_stack(json.dumps({"Resources": resources})))}


def alarm(changes: dict[str, Json]) -> dict[str, object]:
    properties = {name: value for name, value in (ALARM | changes).items() if value is not None}
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


def composite(rule: str, **changes: object) -> dict[str, object]:
    return {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {"AlarmRule": rule} | changes}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, None),
        (math(stat("m1")), None),
        ({"Period": 86400, "EvaluationPeriods": 7}, None),
        ({"DatapointsToAlarm": 4}, "alarm-datapoints"),
        ({"DatapointsToAlarm": 0}, "alarm-datapoints"),
        ({"Period": 86400, "EvaluationPeriods": 8}, "alarm-window"),
        ({"Period": 300, "EvaluationPeriods": 289}, "alarm-window"),
        ({"Period": 2592000, "EvaluationPeriods": 1, "DatapointsToAlarm": 1}, "alarm-window"),
        ({"Period": 45}, "alarm-period"),
        ({"Threshold": None}, "alarm-threshold"),
        ({"ComparisonOperator": "GreaterThan"}, "alarm-comparison"),
        ({"ComparisonOperator": None}, "alarm-incomplete"),
        ({"EvaluationPeriods": "three"}, "alarm-malformed"),
        ({"TreatMissingData": "good"}, "alarm-missing-data"),
        ({"Namespace": "AWS/DynamoDB", "TreatMissingData": "notBreaching"}, "alarm-dynamodb-missing-data"),
        ({"Statistic": "Median"}, "alarm-statistic"),
        ({"AlarmActions": ["arn"] * 6}, "alarm-actions"),
        ({"AlarmDescription": "x" * 1025}, "alarm-description"),
        ({"Dimensions": [{"Name": str(n), "Value": "v"} for n in range(31)]}, "alarm-dimensions"),
        (math(stat("m1"), expression="SEARCH('{App} Failures', 'Sum', 60)"), "alarm-search"),
        (math(*(stat(f"m{n}") for n in range(11))), "alarm-too-many-metrics"),
        (math(stat("m1") | {"ReturnData": True}), "alarm-return-data"),
        (math(stat("m1"), stat("m2", Period=120)), "alarm-several-periods"),
        (math(stat("m1"), stat("m1")), "alarm-duplicate-id"),
        (math(stat("M1")), "alarm-metric-id"),
        (math(stat("m1")) | {"Namespace": "App"}, "alarm-metrics-and-metric"),
    ],
)
def test_metric_alarms(load_stack: Callable[..., Stack], changes: dict[str, Json], rule: str | None) -> None:
    assert rules(load_stack, A=alarm(changes)) == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (composite("ALARM(rotation-A)"), None),
        (composite("ALARM(rotation-A"), "alarm-malformed"),
        (composite("ALARM(absent)"), "composite-relations"),
        (composite("ALARM(rotation-B)"), "composite-relations"),
        (composite(" OR ".join(f"ALARM(a{n})" for n in range(101))), "composite-children"),
        (composite("ALARM(rotation-A)", ActionsSuppressor="rotation-A"), "composite-suppressor"),
        (composite(f'ALARM("{"a" * 10240}")'), "composite-rule-length"),
    ],
)
def test_composite_alarms(load_stack: Callable[..., Stack], written: dict[str, object], rule: str | None) -> None:
    assert rules(load_stack, A=alarm({}), B=written) == ({rule} if rule else set())


def test_two_alarms_of_one_name(load_stack: Callable[..., Stack]) -> None:
    assert rules(load_stack, A=alarm({}), B=alarm({"AlarmName": "rotation-A"})) == {"alarm-name"}


def test_a_finding_names_place_problem_and_rule(load_stack: Callable[..., Stack]) -> None:
    (finding,) = validate(load_stack(json.dumps({"Resources": {"A": alarm({"DatapointsToAlarm": 4})}})))
    assert str(finding) == ("template.yaml: A: DatapointsToAlarm 4 is more than EvaluationPeriods 3 [alarm-datapoints]")


ROW = ["App", "Failures", "step", "setSecret"]


def widget(kind: str = "metric", *, place: dict[str, int] | None = None, **properties: Json) -> dict[str, Json]:
    base = {"region": "eu-central-1", "metrics": [ROW]} if kind == "metric" else {}
    return {"type": kind, "x": 0, "y": 0, "width": 6, "height": 6} | (place or {}) | {"properties": base | properties}


def variable(**changes: object) -> dict[str, object]:
    base = {"type": "property", "property": "step", "id": "step", "inputType": "select"}
    return base | {"values": [{"value": "setSecret"}]} | changes


HORIZONTAL = {"horizontal": [{"value": 1}]}


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"widgets": [widget()]}, None),
        ({"widgets": [widget("text", markdown="# Hello")], "variables": [variable()]}, None),
        ({"widgets": [widget("log", query="SOURCE '/aws/lambda/f' | fields x", region="eu-central-1")]}, None),
        ({"widgets": [widget("alarm", alarms=["arn:aws:cloudwatch:x:1:alarm:a"])]}, None),
        ({"widgets": [widget(metrics=[], annotations={"alarms": ["arn:a"]})]}, None),
        ({"widgets": [widget(metrics=[[{"expression": "a + 1", "id": "e1"}], ["...", "x", {"id": "a"}]][:1])]}, None),
        ({}, "dashboard-no-widgets"),
        ({"widgets": [widget()] * 501}, "dashboard-widgets"),
        ({"widgets": [], "variables": [variable(id=str(n)) for n in range(26)]}, "dashboard-variables"),
        ({"widgets": [], "variables": [variable(), variable()]}, "variable-id"),
        ({"widgets": [], "variables": [variable(type="regex")]}, "variable-type"),
        ({"widgets": [], "variables": [variable(inputType="slider")]}, "variable-input"),
        ({"widgets": [], "variables": [variable(search="{App,step}")]}, "variable-values"),
        ({"widgets": [widget("chart")]}, "widget-type"),
        ({"widgets": [{"type": "text"}]}, "widget-properties"),
        ({"widgets": [widget(place={"x": 20, "width": 6})]}, "widget-outside"),
        ({"widgets": [widget(place={"height": 0})]}, "widget-outside"),
        ({"widgets": [widget("text")]}, "text-markdown"),
        ({"widgets": [widget("log", query="fields @message", region="x")]}, "log-source"),
        ({"widgets": [widget("log", query="SOURCE 'g' | fields x")]}, "log-region"),
        ({"widgets": [widget("log", query="SOURCE 'g' | fields x", region="x", view="gauge")]}, "log-view"),
        ({"widgets": [widget("alarm", alarms=["arn:a"] * 101)]}, "alarm-widget-size"),
        ({"widgets": [widget("alarm", alarms=["a"])]}, "alarm-widget-arns"),
        ({"widgets": [widget("alarm", alarms=["arn:a"], sortBy="name")]}, "alarm-widget-sort"),
        ({"widgets": [widget("alarm", alarms=["arn:a"], states=["BAD"])]}, "alarm-widget-states"),
        ({"widgets": [widget(region="")]}, "metric-region"),
        ({"widgets": [widget(view="donut")]}, "metric-view"),
        ({"widgets": [widget(annotations={"alarms": ["arn:a"]})]}, "metric-alarm-beside-metrics"),
        (
            {"widgets": [widget(metrics=[], annotations={"alarms": ["arn:a"]} | HORIZONTAL)]},
            "metric-alarm-beside-metrics",
        ),
        ({"widgets": [widget(metrics=[], annotations={"alarms": ["arn:a", "arn:b"]})]}, "metric-several-alarms"),
        ({"widgets": [widget(metrics=[])]}, "metric-nothing"),
        ({"widgets": [widget(metrics=[ROW] * 101)]}, "metric-too-many"),
        ({"widgets": [widget(view="gauge", yAxis={"left": {"min": 0}})]}, "gauge-axis"),
        ({"widgets": [widget(view="pie", stacked=True)]}, "metric-stacked"),
        ({"widgets": [widget(metrics=[["App", "Failures", "step"]])]}, "metric-row"),
        ({"widgets": [widget(metrics=[[*ROW, {"id": "M1"}]])]}, "metric-id"),
    ],
)
def test_dashboard_bodies(body: dict[str, Json], rule: str | None) -> None:
    assert {finding.rule for finding in check_body(json.dumps(body), "d")} == ({rule} if rule else set())


def test_a_body_that_is_not_json_is_found() -> None:
    (finding,) = check_body('{"widgets": [,]}', "overview.yaml: Overview")
    assert (finding.rule, finding.place) == ("dashboard-not-json", "overview.yaml: Overview")


def test_the_dashboards_of_a_stack_are_checked(load_stack: Callable[..., Stack]) -> None:
    board = {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardBody": json.dumps({"widgets": [widget("chart")]})},
    }
    (finding,) = validate(load_stack(json.dumps({"Resources": {"D": board}})))
    assert (finding.rule, finding.place) == ("widget-type", "template.yaml: D: widget 0")
