"""Metric widgets: what is drawn, from a widget's own properties."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.preview.alarm_board import AlarmBoard
from dashboards.preview.alarms import AlarmSet
from dashboards.preview.charts import metric_content
from dashboards.preview.documents import Content, Json, PreviewError
from dashboards.preview.metric_array import read_metrics
from dashboards.preview.metric_store import MetricKey, MetricPoint, MetricStore
from dashboards.preview.time_ranges import TimeRange

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = TimeRange(NOON, NOON + timedelta(hours=1))
DURATION = ["App", "Duration", "step", "set"]


@pytest.fixture
def store() -> MetricStore:
    """Durations of two steps: `set` at 12:00, 12:05 and 12:30, `test` at 12:00."""
    points = [("set", 0, 10.0), ("set", 5, 30.0), ("set", 30, 20.0), ("test", 0, 7.0)]
    return MetricStore(
        MetricPoint(
            MetricKey("App", "Duration", frozenset({("step", step)})),
            NOON + timedelta(minutes=minute),
            (value,),
            unit="Milliseconds",
        )
        for step, minute, value in points
    )


def draw(
    store: MetricStore, *metrics: Json, time: TimeRange = HOUR, chosen: Mapping[str, str] | None = None, **properties: Json
) -> Content:
    board = AlarmBoard(AlarmSet(()), store)
    return metric_content({"metrics": list(metrics), **properties}, store, time, board, chosen or {})


def test_a_line_is_broken_where_data_is_missing(store: MetricStore) -> None:
    (series,) = draw(store, DURATION)["series"]
    assert series["y"] == [10.0, 30.0, None, 20.0]
    assert [stamp[11:16] for stamp in series["x"]] == ["12:00", "12:05", "12:30", "12:30"]
    assert (series["name"], series["unit"], series["period"]) == ("Duration", "ms", 300)


def test_period_and_statistic_come_from_the_row_or_from_the_widget(store: MetricStore) -> None:
    rows = ([*DURATION, {"stat": "Maximum"}], ["...", {"period": 1800}])
    first, second = draw(store, *rows, stat="Sum", period=3600)["series"]
    assert (first["y"], second["y"]) == ([30.0], [40.0, 20.0])


def test_a_short_stretch_is_drawn_finer_if_it_need_not_be_exact(store: MetricStore) -> None:
    time = TimeRange(NOON, NOON + timedelta(minutes=10), exact=False)
    assert draw(store, DURATION, time=time)["series"][0]["period"] == 60
    assert draw(store, DURATION)["series"][0]["period"] == 300


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "set"),
        ({"label": "how long"}, "how long"),
        ({"label": "${PROP('Dim.step')}: ${MAX} of ${PROP('MetricName')}"}, "set: 30 of Duration"),
        ({"label": "${LABEL} ${LAST} ${WHAT}"}, "set 20 ${WHAT}"),
    ],
)
def test_labels(store: MetricStore, options: dict[str, str], name: str) -> None:
    series = draw(store, [*DURATION, options], ["...", "test"])["series"]
    assert [line["name"] for line in series] == [name, "test"]


def test_invisible_rows_serve_expressions_only(store: MetricStore) -> None:
    rows = ([*DURATION, {"id": "m1", "visible": False}], [{"expression": "m1 / 10", "id": "e1", "label": "tenth"}])
    (series,) = draw(store, *rows)["series"]
    assert (series["name"], series["y"][0]) == ("tenth", 1.0)


@pytest.mark.parametrize(("totals", "value"), [(True, 60.0), (False, 20.0)])
def test_a_number_is_the_last_value_or_that_of_the_whole_range(store: MetricStore, totals: bool, value: float) -> None:
    content = draw(store, DURATION, view="singleValue", stat="Sum", setPeriodToTimeRange=totals)
    (item,) = content["items"]
    assert item["value"] == value
    assert [found for found in item["trend"]["y"] if found is not None] == [10.0, 30.0, 20.0]


def test_no_data_is_said(store: MetricStore) -> None:
    content = draw(store, ["App", "Absent"], view="singleValue", sparkline=False)
    assert content["empty"]
    assert content["items"] == [{"name": "Absent", "unit": "", "color": None, "value": None, "trend": None}]


def test_a_gauge_has_its_limits_and_bands(store: MetricStore) -> None:
    axis, band = {"left": {"min": 0, "max": 50}}, [{"value": 40, "label": "slow"}, {"value": 50}]
    content = draw(store, DURATION, view="gauge", yAxis=axis, annotations={"horizontal": [band]})
    assert (content["min"], content["max"], content["items"][0]["value"]) == (0, 50, 20.0)
    assert (content["bands"][0]["value"], content["bands"][0]["until"]) == (40.0, 50.0)


def test_bars_leave_out_what_has_no_data(store: MetricStore) -> None:
    content = draw(store, DURATION, ["...", "absent"], view="bar", stat="Sum", setPeriodToTimeRange=True)
    assert [(item["name"], item["value"]) for item in content["items"]] == [("set", 60.0)]


def test_a_table_sums_up_each_series(store: MetricStore) -> None:
    content = draw(store, DURATION, ["...", "test"], view="table")
    assert content["columns"] == ["", "latest", "min", "max", "average", "sum", "unit"]
    assert content["rows"][0] == ["set", 20.0, 10.0, 30.0, 20.0, 60.0, "ms"]


def test_annotations(store: MetricStore) -> None:
    annotations = {
        "horizontal": [{"value": 25, "label": "alarm", "fill": "above"}],
        "vertical": [{"value": "2026-03-02T12:10:00Z", "label": "release"}, [{"value": "a"}, {"value": "b"}]],
    }
    content = draw(store, DURATION, annotations=annotations)
    assert (content["horizontal"][0]["value"], content["horizontal"][0]["fill"]) == (25.0, "above")
    assert [mark["until"] for mark in content["vertical"]] == [None, "b"]


def test_a_search_draws_what_it_finds(store: MetricStore) -> None:
    expression = "SEARCH('{App,step} Duration', 'Average', 300)"
    series = draw(store, [{"expression": expression, "label": "${PROP('Dim.step')}"}])["series"]
    assert [line["name"] for line in series] == ["set", "test"]


def test_a_variable_puts_its_value_into_the_dimension(store: MetricStore) -> None:
    (series,) = draw(store, DURATION, chosen={"step": "test"})["series"]
    assert series["y"] == [7.0]


def test_metric_math_that_is_not_implemented_is_named(store: MetricStore) -> None:
    with pytest.raises(PreviewError, match="HISTOGRAM"):
        draw(store, [{"expression": "HISTOGRAM(m1)", "id": "e1"}])


def test_rows_repeat_what_stands_above_them() -> None:
    read = read_metrics(
        [["A", "M", "d", "1", "e", "2"], [".", "N", ".", ".", ".", "3"], ["...", "4"], ["...", "5", ".", "6"]]
    )
    keys = [row.query.key for row in read.rows]
    assert [key and (key.name, dict(key.dimensions)) for key in keys] == [
        ("M", {"d": "1", "e": "2"}),
        ("N", {"d": "1", "e": "3"}),
        ("N", {"d": "1", "e": "4"}),
        ("N", {"d": "5", "e": "6"}),
    ]
