"""Metric math and search expressions."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_math import Calculation, Query
from dashboards.preview.metric_store import MetricKey, MetricPoint, MetricStore, Series, Windows

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DATA: dict[str, Series] = {"m1": [1.0, None, 3.0, 4.0], "m2": [2.0, 5.0, None, 0.0], "m3": [None] * 4}


def key(name: str, **dimensions: str) -> MetricKey:
    return MetricKey("App", name, frozenset(dimensions.items()))


def calculation(expression: str, *, searches: bool = True) -> Calculation:
    store = MetricStore(
        MetricPoint(key(name), NOON + timedelta(minutes=minute), (value,))
        for name, series in DATA.items()
        for minute, value in enumerate(series)
        if value is not None
    )
    store.put(
        MetricPoint(key("Failed", Reason=reason, Step="set Secret"), NOON, (count,))
        for reason, count in (("login_refused", 1.0), ("target_unreachable", 2.0))
    )
    queries = [Query(name, key=key(name), statistic="Sum") for name in DATA]
    windows = Windows.covering(NOON, NOON + timedelta(minutes=4), 60)
    return Calculation([*queries, Query("e", expression=expression)], store, lambda _period: windows, searches=searches)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2", [3.0, None, None, 4.0]),
        ("100 * m1 / (m1 + m2)", [100 / 3, None, None, 100.0]),
        ("m1 / m2", [0.5, None, None, None]),
        ("-m1 ^ 2", [-1.0, None, -9.0, -16.0]),
        ("m1 - 1 - 1", [-1.0, None, 1.0, 2.0]),
        ("m1 > 2", [0.0, None, 1.0, 1.0]),
        ("m1 >= 3 && m1 < 4", [0.0, None, 1.0, 0.0]),
        ("m1 == 1 OR m1 == 4", [1.0, None, 0.0, 1.0]),
        ("FILL(m1, 0)", [1.0, 0.0, 3.0, 4.0]),
        ("FILL(m1, REPEAT)", [1.0, 1.0, 3.0, 4.0]),
        ("FILL(m1, LINEAR)", [1.0, 2.0, 3.0, 4.0]),
        ("FILL(m1, m2)", [1.0, 5.0, 3.0, 4.0]),
        ("FILL(m3, 0)", [0.0, 0.0, 0.0, 0.0]),
        ("IF(m1 > 2, m1, 0)", [0.0, None, 3.0, 4.0]),
        ("IF(m1 > 2, m1)", [None, None, 3.0, 4.0]),
        ("SUM([m1, m2])", [3.0, 5.0, 3.0, 4.0]),
        ("SUM(METRICS())", [3.0, 5.0, 3.0, 4.0]),
        ('MAX(METRICS("m2"))', [2.0, 5.0, None, 0.0]),
        ("SUM(m1)", [8.0] * 4),
        ("m1 / SUM(m1)", [0.125, None, 0.375, 0.5]),
        ("AVG([m1, m2])", [1.5, 5.0, 3.0, 2.0]),
        ("MIN(m3)", [None] * 4),
        ("RATE(m1 * 60)", [None, None, None, 1.0]),
        ("DIFF(m1)", [None, None, None, 1.0]),
        ("RUNNING_SUM(m1)", [1.0, 1.0, 4.0, 8.0]),
        ("CEIL(m1 / 3) + FLOOR(m1 / 3) + ABS(0 - m1)", [2.0, None, 5.0, 7.0]),
        ("PERIOD(m1)", [60.0] * 4),
    ],
)
def test_expressions(expression: str, expected: Series) -> None:
    (line,) = calculation(expression).lines("e")
    assert line.values == pytest.approx(expected)


@pytest.mark.parametrize(
    ("terms", "reasons"),
    [
        ('MetricName="Failed"', ["login_refused", "target_unreachable"]),
        ('Failed Reason="login_refused"', ["login_refused"]),
        ('MetricName="Failed" Reason=("login_refused" OR "nothing")', ["login_refused"]),
        ('MetricName="Failed" AND NOT Reason="login_refused"', ["target_unreachable"]),
        ("unreachable", ["target_unreachable"]),
        ('Reason="unreachable"', []),
        ("Reason=* Step=secret", ["login_refused", "target_unreachable"]),
        ("", ["login_refused", "target_unreachable"]),
    ],
)
def test_search(terms: str, reasons: list[str]) -> None:
    lines = calculation(f"SEARCH('{{App, Reason, Step}} {terms}', 'Sum', 60)").lines("e")
    assert [dict(line.key.dimensions)["Reason"] for line in lines if line.key] == reasons


def test_search_wants_exactly_the_dimensions_of_its_schema() -> None:
    assert calculation("SEARCH('{App,Reason} Failed', 'Sum')").lines("e") == ()
    (line,) = calculation("SUM(SEARCH('{App,Reason,Step} Failed', 'Sum'))").lines("e")
    assert line.values == [3.0, None, None, None]


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("ANOMALY_DETECTION_BAND(m1, 2)", "ANOMALY_DETECTION_BAND"),
        ("m9 + 1", "'m9'"),
        ("e + 1", "refers to itself"),
        ("m1 +", "the end"),
        ("m1 # 2", "#"),
        ("FILL(m1)", "FILL"),
        ("SUM()", "SUM"),
        ("[m1, m2] + [m1, m2]", "two lists"),
        ("SEARCH('Failed', 'Sum')", "schema"),
        ("SEARCH('{App,Reason,Step} (a', 'Sum')", "not closed"),
    ],
)
def test_what_is_not_implemented_or_wrong_is_named(expression: str, named: str) -> None:
    with pytest.raises(PreviewError, match=named):
        calculation(expression).lines("e")


def test_alarms_may_not_search() -> None:
    with pytest.raises(PreviewError, match="SEARCH cannot be used in an alarm"):
        calculation("SEARCH('{App} x', 'Sum')", searches=False).lines("e")
