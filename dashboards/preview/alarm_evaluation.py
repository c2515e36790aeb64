"""What state an alarm is in, given its data: thresholds, M of N and missing data as CloudWatch documents them.

CloudWatch looks at a few more periods than N (its documentation's example: 5 for N = 3) and lets real data points count
before it asks how missing ones are to be treated. The windows slide: they end at the last full minute. An alarm that
looks back over more than a day is evaluated once an hour, on data up to the full hour.

Source: CloudWatch's user guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data".
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboards.preview.alarms import AlarmState, MetricAlarm, MissingData
from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_math import Calculation
from dashboards.preview.metric_store import MetricStore, Series, Windows, moment

EXTRA_PERIODS = 2
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "≥",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state, and why, unless it stays as it was."""

    state: AlarmState
    reason: str


def evaluate(alarm: MetricAlarm, store: MetricStore, at: datetime, previous: AlarmState) -> Verdict:
    """Evaluates an alarm at one time of the simulated clock."""
    windows = evaluation_range(alarm, at)
    values = watched_values(alarm, store, windows)
    exceeds = COMPARISONS[alarm.comparison]
    points = [None if value is None else exceeds(value, alarm.threshold) for value in values]
    state = decide(points, alarm.periods, alarm.datapoints, alarm.missing, previous)
    return Verdict(state, "" if state is previous else _reason(alarm, values, windows))


def evaluation_range(alarm: MetricAlarm, at: datetime) -> Windows:
    """The periods that CloudWatch looks at, the newest last."""
    grain = _HOUR if alarm.period * alarm.periods > _DAY else _MINUTE
    return Windows.ending_at(at, alarm.period, alarm.periods + EXTRA_PERIODS, grain)


def watched_values(alarm: MetricAlarm, store: MetricStore, windows: Windows) -> Series:
    """The series that the alarm compares with its threshold.

    Raises:
        PreviewError: If its metric math is not implemented here, or does not give exactly one series.
    """
    calculation = Calculation(alarm.queries, store, lambda _period: windows, searches=False)
    try:
        lines = calculation.lines(alarm.watched.id)
    except PreviewError as error:
        message = f"{alarm.header.place}: {error}"
        raise PreviewError(message) from error
    if len(lines) != 1:
        message = f"{alarm.header.place}: an alarm watches one series, its expression gives {len(lines)}"
        raise PreviewError(message)
    return lines[0].values


def decide(
    points: Sequence[bool | None], periods: int, datapoints: int, missing: MissingData, previous: AlarmState
) -> AlarmState:
    """The state for the data points of the evaluation range (True breaches, None is missing), oldest first."""
    real = [point for point in points if point is not None]
    if len(real) >= periods:
        return _counted(sum(real[-periods:]), datapoints)
    breaching = sum(real)
    if missing is MissingData.BREACHING:
        return _counted(breaching + periods - len(real), datapoints)
    if missing is MissingData.NOT_BREACHING or breaching >= datapoints or breaching < len(real):
        return _counted(breaching, datapoints)
    if not real:
        return previous if missing is MissingData.IGNORE else AlarmState.INSUFFICIENT_DATA
    # Every real point breaches, but there are fewer than M. The alarm goes off only once the oldest of them is M
    # periods old: until then the next point may still show that all is well.
    age = len(points) - next(index for index, point in enumerate(points) if point)
    return AlarmState.ALARM if missing is MissingData.MISSING and age >= datapoints else previous


def _counted(breaching: int, datapoints: int) -> AlarmState:
    return AlarmState.ALARM if breaching >= datapoints else AlarmState.OK


def _reason(alarm: MetricAlarm, values: Series, windows: Windows) -> str:
    """Which data points broke the threshold, newest first, as the console says it."""
    real = [(start, value) for start, value in zip(windows.starts(), values, strict=True) if value is not None]
    if not real:
        return f"no data point in the last {len(values)} periods; missing data: {alarm.missing}"
    recent = real[-alarm.periods :]
    shown = ", ".join(f"{value:g} ({moment(start):%d %b %H:%M})" for start, value in reversed(recent))
    exceeds = COMPARISONS[alarm.comparison]
    breaching = sum(exceeds(value, alarm.threshold) for _, value in recent)
    sign = f"{SIGNS[alarm.comparison]} {alarm.threshold:g}"
    return f"{breaching} of the last {len(recent)} data points {sign}, {alarm.datapoints} needed: {shown}"
