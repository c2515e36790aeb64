"""Statistics per period."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_store import MetricKey, MetricPoint, MetricStore, Samples, Windows, moment

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = MetricKey("Rotation", "Duration", frozenset({("step", "setSecret")}))


def put(store: MetricStore, seconds: int, *values: float, key: MetricKey = KEY, unit: str = "None") -> None:
    store.put([MetricPoint(key, NOON + timedelta(seconds=seconds), values, unit=unit)])


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("Sum", 110.0),
        ("Average", 22.0),
        ("Minimum", 1.0),
        ("Maximum", 100.0),
        ("SampleCount", 5.0),
        ("p50", 3.0),
        ("p99", 100.0),
        ("p0", 1.0),
        ("p100", 100.0),
    ],
)
def test_statistics(statistic: str, expected: float) -> None:
    store = MetricStore()
    for second, value in enumerate((4, 100, 1, 2, 3)):
        put(store, second, value)
    assert store.series(KEY, statistic, Windows.covering(NOON, NOON + timedelta(minutes=1), 60)) == [expected]


def test_counts_weigh_values() -> None:
    samples = Samples([(5.0, 9.0), (105.0, 1.0)])
    assert (samples.statistic("Average"), samples.statistic("p90"), samples.statistic("p91")) == (15.0, 5.0, 105.0)


def test_an_unknown_statistic_is_refused_by_name() -> None:
    with pytest.raises(PreviewError, match="'Median'"):
        Samples([(1.0, 1.0)]).statistic("Median")


def test_dimensions_are_part_of_the_metric() -> None:
    store = MetricStore()
    put(store, 0, 1)
    other = MetricKey("Rotation", "Duration", frozenset({("step", "setSecret"), ("engine", "postgres")}))
    assert store.series(other, "Sum", Windows.covering(NOON, NOON + timedelta(minutes=1), 60)) == [None]


def test_another_unit_is_not_seen() -> None:
    store = MetricStore()
    put(store, 0, 1, unit="Seconds")
    windows = Windows.covering(NOON, NOON + timedelta(minutes=1), 60)
    assert store.series(KEY, "Sum", windows, "Milliseconds") == [None]
    assert store.series(KEY, "Sum", windows, "Seconds") == [1.0]


def test_graph_periods_begin_at_multiples_of_the_period() -> None:
    windows = Windows.covering(NOON + timedelta(minutes=7), NOON + timedelta(minutes=21), 300)
    assert windows.times() == [NOON + timedelta(minutes=minutes) for minutes in (5, 10, 15, 20)]


def test_alarm_periods_end_at_the_last_full_minute() -> None:
    windows = Windows.ending_at(NOON + timedelta(minutes=7, seconds=42), 300, 2)
    assert windows.times() == [NOON + timedelta(minutes=minutes) for minutes in (-3, 2)]


def test_times_are_stored_in_the_resolution_of_the_metric() -> None:
    store = MetricStore([MetricPoint(KEY, NOON + timedelta(seconds=59), (1.0,))])
    store.put([MetricPoint(KEY, NOON + timedelta(seconds=59), (1.0,), resolution=1)])
    assert store.series(KEY, "Sum", Windows(int(NOON.timestamp()), 1, 60)) == [1.0, *[None] * 58, 1.0]


@given(st.lists(st.tuples(st.integers(0, 3599), st.floats(-1e6, 1e6)), min_size=1))
def test_no_sample_is_lost_or_counted_twice(samples: list[tuple[int, float]]) -> None:
    store = MetricStore()
    for seconds, value in samples:
        put(store, seconds, value)
    windows = Windows.covering(NOON, NOON + timedelta(hours=1), 300)
    counted = [count for count in store.series(KEY, "SampleCount", windows) if count is not None]
    assert sum(counted) == len(samples)


def test_the_span_covers_all_points() -> None:
    store = MetricStore()
    assert store.span() is None
    put(store, 600, 1)
    put(store, 0, 1)
    assert store.span() == (NOON, NOON + timedelta(minutes=10))
    assert moment(NOON.timestamp()) == NOON
