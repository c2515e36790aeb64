"""Dashboards as a whole: time ranges, variables, logs, alarms and text."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.preview.documents import Content, Json, PreviewError
from dashboards.preview.metric_store import MetricKey, MetricPoint
from dashboards.preview.rich_text import to_html
from dashboards.preview.template import Stack
from dashboards.preview.time_ranges import TimeRange, own_range
from dashboards.preview.watch import Options, Watch

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GROUP = "/aws/lambda/f"
ALARM = {
    "Type": "AWS::CloudWatch::Alarm",
    "Properties": {
        "AlarmName": "slow",
        "AlarmDescription": "Too **slow**.",
        "Namespace": "App",
        "MetricName": "Duration",
        "Dimensions": [{"Name": "step", "Value": "set"}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 25,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": ["arn:aws:sns:x:1:on-call-page"],
    },
}
ARN = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow"


def widget(kind: str, **properties: Json) -> dict[str, Json]:
    base = {"region": "eu-central-1"} if kind in {"metric", "log"} else {}
    return {"type": kind, "width": 12, "height": 6, "properties": base | properties}


@pytest.fixture
def watching(load_stack: Callable[..., Stack]) -> Callable[..., Watch]:
    def make(*widgets: dict[str, Json], options: Options | None = None, **body: Json) -> Watch:
        board = {"DashboardBody": json.dumps({"widgets": list(widgets), **body})}
        resources = {"A": ALARM, "D": {"Type": "AWS::CloudWatch::Dashboard", "Properties": board}}
        watch = Watch(load_stack(json.dumps({"Resources": resources})), options)
        for step, value in (("set", 30.0), ("test", 7.0)):
            key = MetricKey("App", "Duration", frozenset({("step", step)}))
            watch.telemetry.take_points([MetricPoint(key, NOON - timedelta(minutes=10), (value,), unit="Seconds")])
        lines = (json.dumps({"timestamp": NOON.isoformat(), "step": step, "took": 2}) for step in ("set", "set", "test"))
        watch.telemetry.take_lines(lines, GROUP)
        watch.board.run(NOON - timedelta(minutes=12), NOON)
        return watch

    return make


def contents(watch: Watch, choice: dict[str, str] | None = None) -> list[dict[str, Content]]:
    return [one["variants"] for one in watch.page(NOON, choice)["dashboards"][0]["widgets"]]


def content(watch: Watch) -> Content:
    ((found,),) = (variants.values() for variants in contents(watch))
    return found


def test_text_is_rendered_and_raw_markup_shown(watching: Callable[..., Watch]) -> None:
    found = content(watching(widget("text", markdown="# Hello\n<script>x</script>", background="transparent")))
    assert found["html"].startswith("<h1>Hello</h1>")
    assert "<script>" not in found["html"]
    assert found["plain"]


def test_links_open_elsewhere_and_buttons_look_like_buttons() -> None:
    html = to_html("[button:primary:Go](https://example.com) [here](#part) [bad](javascript:alert)")
    assert '<a href="https://example.com" target="_blank" rel="noopener noreferrer" class="button">Go</a>' in html
    assert '<a href="#part">here</a>' in html
    assert 'href="javascript' not in html


def test_log_tables(watching: Callable[..., Watch]) -> None:
    query = f"SOURCE '{GROUP}' | stats count(*) as n, sum(took) by step | sort n desc"
    found = content(watching(widget("log", query=query)))
    assert (found["columns"], found["rows"]) == (["step", "n", "sum(took)"], [["set", 2.0, 4.0], ["test", 1.0, 2.0]])


def test_log_charts(watching: Callable[..., Watch]) -> None:
    by_step = f"SOURCE '{GROUP}' | stats count(*) as n by step"
    found = content(watching(widget("log", query=by_step, view="pie")))
    assert [(item["name"], item["value"]) for item in found["items"]] == [("set", 2.0), ("test", 1.0)]
    by_time = f"SOURCE '{GROUP}' | stats count(*) as n by bin(5m)"
    found = content(watching(widget("log", query=by_time, view="timeSeries", stacked=True)))
    assert [(line["name"], line["x"], line["y"], line["period"]) for line in found["series"]] == [
        ("n", [NOON.isoformat()], [3.0], 300)
    ]


def test_a_widget_that_cannot_be_drawn_says_why(watching: Callable[..., Watch]) -> None:
    watch = watching(widget("log", query="SOURCE 'g' | diff"), widget("explorer"), widget("alarm", alarms=["arn:absent"]))
    errors = [found[""]["text"] for found in contents(watch)]
    assert ["'diff'" in errors[0], "explorer" in errors[1], "arn:absent" in errors[2]] == [True] * 3


def test_alarm_widgets_name_their_alarms(watching: Callable[..., Watch]) -> None:
    assert content(watching(widget("alarm", alarms=[ARN])))["names"] == ["slow"]
    assert content(watching(widget("alarm", alarms=[ARN], states=["OK"])))["names"] == []


def test_a_widget_of_one_alarm_draws_its_series_and_threshold(watching: Callable[..., Watch]) -> None:
    found = content(watching(widget("metric", annotations={"alarms": [ARN]})))
    assert [value for value in found["series"][0]["y"] if value] == [30.0]
    assert (found["horizontal"][0]["value"], found["horizontal"][0]["label"]) == (25.0, "slow > 25")


def test_the_wall_tells_everything_about_an_alarm(watching: Callable[..., Watch]) -> None:
    (alarm,) = watching(widget("text", markdown="x")).page(NOON)["alarms"]
    assert (alarm["state"], alarm["severity"], alarm["tells"]) == ("INSUFFICIENT_DATA", "on-call-page", ["on-call-page"])
    assert alarm["description"] == "<p>Too <strong>slow</strong>.</p>\n"
    assert alarm["condition"] == (
        "Maximum of App/Duration{step=set} > 25 for 1 of 1 periods of 1 min, missing data: missing"
    )
    assert [(change["after"], change["time"][11:16]) for change in alarm["history"]] == [
        ("INSUFFICIENT_DATA", "11:54"),
        ("ALARM", "11:51"),
    ]
    assert [part["state"] for part in alarm["strip"]] == ["INSUFFICIENT_DATA", "ALARM", "INSUFFICIENT_DATA"]
    assert sum(part["width"] for part in alarm["strip"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "start", "end"),
    [
        ({}, NOON - timedelta(hours=3), NOON),
        ({"start": "-PT15M"}, NOON - timedelta(minutes=15), NOON),
        ({"start": "-P14D"}, NOON - timedelta(days=14), NOON),
        ({"start": "-P2W"}, NOON - timedelta(weeks=2), NOON),
        ({"start": "-P1DT12H"}, NOON - timedelta(days=1, hours=12), NOON),
        (
            {"start": "2026-03-01T00:00:00", "end": "2026-03-02T00:00:00Z"},
            datetime(2026, 3, 1, tzinfo=UTC),
            datetime(2026, 3, 2, tzinfo=UTC),
        ),
    ],
)
def test_a_dashboards_own_time_range(body: dict[str, str], start: datetime, end: datetime) -> None:
    assert own_range(body, NOON) == TimeRange(start, end)


def test_a_time_range_that_is_none_is_refused() -> None:
    with pytest.raises(PreviewError, match="'yesterday'"):
        own_range({"start": "yesterday"}, NOON)


def test_a_fitted_page_shows_the_stretch_that_has_data(watching: Callable[..., Watch]) -> None:
    watch = watching(widget("text", markdown="x"), options=Options(fitted=True), start="-P14D")
    assert watch.page(NOON)["dashboards"][0]["start"] == (NOON - timedelta(minutes=12)).isoformat()


STEP = {
    "type": "property",
    "property": "step",
    "id": "chosen",
    "inputType": "select",
    "search": "{App,step} Duration",
    "populateFrom": "step",
    "defaultValue": "__FIRST",
}
DURATION = widget("metric", metrics=[["App", "Duration", "step", "set"]], title="d")


def test_every_choice_is_rendered_for_a_page_that_stands_alone(watching: Callable[..., Watch]) -> None:
    watch = watching(DURATION, widget("text", markdown="x"), variables=[STEP])
    (variable,) = watch.page(NOON)["dashboards"][0]["variables"]
    assert ([option["value"] for option in variable["options"]], variable["value"]) == (["set", "test"], "set")
    drawn, text = contents(watch)
    assert {key: found["series"][0]["y"] for key, found in drawn.items()} == {"chosen=set": [30.0], "chosen=test": [7.0]}
    assert list(text) == [""]


def test_a_page_that_can_ask_again_gets_one_choice(watching: Callable[..., Watch]) -> None:
    watch = watching(DURATION, variables=[STEP])
    assert list(contents(watch, {"chosen": "test", "unknown": "x"})[0]) == ["chosen=test"]
    assert list(contents(watch, {})[0]) == ["chosen=set"]


def test_a_pattern_is_replaced_wherever_it_stands(watching: Callable[..., Watch]) -> None:
    values = [{"value": "Duration", "label": "time"}, {"value": 'a"b'}]
    variable = {"type": "pattern", "pattern": "METRIC", "id": "m", "inputType": "radio", "values": values}
    watch = watching(widget("metric", metrics=[["App", "METRIC", "step", "set"]]), variables=[variable])
    (drawn,) = contents(watch)
    assert [found["empty"] for found in drawn.values()] == [False, True]


def test_a_property_reaches_into_search_expressions(watching: Callable[..., Watch]) -> None:
    search = "SEARCH('{App,step} Duration step=\"set\"', 'Sum', 60)"
    watch = watching(widget("metric", metrics=[[{"expression": search, "id": "s"}]]), variables=[STEP])
    (drawn,) = contents(watch)
    assert {key: found["series"][0]["y"] for key, found in drawn.items()} == {"chosen=set": [30.0], "chosen=test": [7.0]}


def test_a_stack_that_cloudwatch_would_refuse_is_not_watched(load_stack: Callable[..., Stack]) -> None:
    broken = {"Resources": {"D": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": "{"}}}}
    with pytest.raises(PreviewError, match="dashboard-not-json"):
        Watch(load_stack(json.dumps(broken)))


def test_lines_that_lose_metrics_are_told(watching: Callable[..., Watch]) -> None:
    watch = watching(widget("text", markdown="x"))
    watch.telemetry.take_lines(['{"_aws": {"CloudWatchMetrics": []}}'], GROUP)
    assert watch.page(NOON)["problems"] == [f"{GROUP}: _aws.Timestamp is not a number of milliseconds since 1970"]


def test_what_was_recorded_can_be_replayed(watching: Callable[..., Watch]) -> None:
    watch = watching(widget("text", markdown="x"))
    replayed = Watch(watch.stack)
    replayed.telemetry.take_points(
        [MetricPoint(MetricKey("App", "Duration", frozenset({("step", "set")})), NOON, (30.0,), unit="Seconds")]
    )
    assert replayed.replay() == NOON + timedelta(minutes=2)
    assert replayed.board.state("slow") == "ALARM"


def test_nothing_to_replay_is_said(watching: Callable[..., Watch]) -> None:
    empty = Watch(watching(widget("text", markdown="x")).stack)
    with pytest.raises(PreviewError, match="embedded metric format"):
        empty.replay()
