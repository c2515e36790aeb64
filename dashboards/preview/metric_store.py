"""Metric data points and their statistics per period.

Points are kept per (namespace, name, dimensions): to CloudWatch two dimension sets are two metrics, and a query for one
never sees the other. Times are truncated to the metric's resolution, as CloudWatch stores them.
"""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dashboards.preview.documents import PreviewError

type Dimensions = frozenset[tuple[str, str]]
type Series = list[float | None]
"""One value per period, oldest first; None where no data point was reported."""

STANDARD_RESOLUTION = 60
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class MetricKey:
    """What makes a metric one metric."""

    namespace: str
    name: str
    dimensions: Dimensions = frozenset()

    def __str__(self) -> str:
        pairs = ", ".join(f"{name}={value}" for name, value in sorted(self.dimensions))
        return f"{self.namespace}/{self.name}{{{pairs}}}"


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """Samples of one metric at one time: each value occurred `counts` times (once, where `counts` is left out)."""

    key: MetricKey
    timestamp: datetime
    values: tuple[float, ...]
    counts: tuple[float, ...] = ()
    unit: str = "None"
    resolution: int = STANDARD_RESOLUTION


@dataclass(frozen=True, slots=True)
class Samples:
    """Values with the number of times each occurred."""

    pairs: Sequence[tuple[float, float]]

    def statistic(self, name: str) -> float:
        """Computes one CloudWatch statistic.

        Raises:
            PreviewError: For a statistic that is unknown here; it is named.
        """
        if name == "SampleCount":
            return sum(count for _, count in self.pairs)
        if name == "Sum":
            return sum(value * count for value, count in self.pairs)
        if name == "Average":
            return self.statistic("Sum") / self.statistic("SampleCount")
        if name == "Minimum":
            return min(value for value, _ in self.pairs)
        if name == "Maximum":
            return max(value for value, _ in self.pairs)
        if match := _PERCENTILE.fullmatch(name):
            return self._percentile(float(match.group(1)))
        message = f"statistic {name!r} is not one of Sum, Average, Minimum, Maximum, SampleCount, p0 to p100"
        raise PreviewError(message)

    def _percentile(self, percent: float) -> float:
        """The nearest rank: always a value that was really observed."""
        ordered = sorted(self.pairs)
        rank = max(math.ceil(percent / 100 * sum(count for _, count in ordered)), 1)
        seen = 0.0
        for value, count in ordered:
            seen += count
            if seen >= rank:
                return value
        return ordered[-1][0]


@dataclass(slots=True)
class _Track:
    """One metric's samples in order of time; the two lists are parallel."""

    times: list[int] = field(default_factory=list)
    points: list[MetricPoint] = field(default_factory=list)

    def insert(self, time: int, point: MetricPoint) -> None:
        index = bisect_right(self.times, time)
        self.times.insert(index, time)
        self.points.insert(index, point)

    def samples(self, start: int, end: int, unit: str | None) -> Samples | None:
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        pairs = [
            pair
            for point in self.points[first:last]
            if unit is None or point.unit == unit
            for pair in zip(point.values, point.counts or (1.0,) * len(point.values), strict=True)
        ]
        return Samples(pairs) if pairs else None


class MetricStore:
    """All data points that were reported so far."""

    def __init__(self, points: Iterable[MetricPoint] = ()) -> None:
        self._tracks: dict[MetricKey, _Track] = {}
        self.put(points)

    def put(self, points: Iterable[MetricPoint]) -> None:
        for point in points:
            if point.values:
                stored = epoch(point.timestamp) // point.resolution * point.resolution
                self._tracks.setdefault(point.key, _Track()).insert(stored, point)

    def keys(self) -> frozenset[MetricKey]:
        return frozenset(self._tracks)

    def reaches(self, key: MetricKey, windows: "Windows") -> bool:
        """Whether the metric has any data point in these periods."""
        track = self._tracks.get(key)
        if track is None:
            return False
        first = bisect_left(track.times, windows.start)
        return first < len(track.times) and track.times[first] < windows.end

    def span(self) -> tuple[datetime, datetime] | None:
        """The times of the first and the last point; None while the store is empty."""
        if not self._tracks:
            return None
        first = min(track.times[0] for track in self._tracks.values())
        last = max(track.times[-1] for track in self._tracks.values())
        return moment(first), moment(last)

    def unit(self, key: MetricKey) -> str:
        """The unit of the newest point; "None" for an unknown metric."""
        track = self._tracks.get(key)
        return track.points[-1].unit if track else "None"

    def series(self, key: MetricKey, statistic: str, windows: "Windows", unit: str | None = None) -> Series:
        """One statistic per period. Data in another unit than the requested one is not seen, as in CloudWatch."""
        track = self._tracks.get(key)
        if track is None or track.times[-1] < windows.start or track.times[0] >= windows.end:
            return [None] * windows.count
        found = (track.samples(start, start + windows.period, unit) for start in windows.starts())
        return [samples.statistic(statistic) if samples else None for samples in found]


@dataclass(frozen=True, slots=True)
class Windows:
    """`count` adjacent periods of `period` seconds; `start` in seconds since 1970."""

    start: int
    period: int
    count: int

    @property
    def end(self) -> int:
        return self.start + self.period * self.count

    def starts(self) -> range:
        return range(self.start, self.end, self.period)

    def times(self) -> list[datetime]:
        """When each period begins: the timestamp CloudWatch gives to a period's data point."""
        return [moment(start) for start in self.starts()]

    @classmethod
    def ending_at(cls, end: datetime, period: int, count: int, grain: int = _MINUTE) -> "Windows":
        """The sliding windows of an alarm: they end at the last full minute, not at a multiple of the period."""
        last = epoch(end) // grain * grain
        return cls(last - period * count, period, count)

    @classmethod
    def covering(cls, start: datetime, end: datetime, period: int) -> "Windows":
        """The windows of a graph: they begin at multiples of the period."""
        first = epoch(start) // period * period
        count = max(math.ceil((epoch(end) - first) / period), 1)
        return cls(first, period, count)


def epoch(time: datetime) -> int:
    """Full seconds since 1970."""
    return math.floor(time.timestamp())


def moment(seconds: float) -> datetime:
    """The time, in UTC, that many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)
