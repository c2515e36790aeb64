"""The functions of Logs Insights: those of one event, and those of a group of events.

Only what the saved queries use; the rest is refused by name.
"""

import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime

from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_store import Samples, epoch, moment

type LogValue = str | float | bool | datetime | None
"""A field's value; None where the event has no such field."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def number(value: LogValue) -> float | None:
    """A value as a number, as Logs Insights coerces it: None where it is not one."""
    if isinstance(value, datetime):
        return value.timestamp() * 1000
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def text(value: LogValue) -> str:
    """A value as a result table shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
    if isinstance(value, float):
        return f"{value:.10g}"
    return value


def leaf(value: object) -> LogValue:
    """A JSON leaf as a field's value; lists and objects stay JSON text."""
    if value is None or isinstance(value, bool | str):
        return value
    return float(value) if isinstance(value, int | float) else json.dumps(value)


def seconds(duration: str) -> float:
    """`5m` as 300.

    Raises:
        PreviewError: If it is no duration.
    """
    unit = duration.lstrip("0123456789")
    if unit not in _SECONDS or unit == duration:
        message = f"{duration!r} is not a duration such as 5m or 1h"
        raise PreviewError(message)
    return int(duration.removesuffix(unit)) * _SECONDS[unit]


def bin_of(time: LogValue, duration: str) -> LogValue:
    """The beginning of the slot that a time falls into."""
    width = seconds(duration)
    return moment(epoch(time) // width * width) if isinstance(time, datetime) else None


def _numeric(apply: Callable[[float], float]) -> Callable[[Sequence[LogValue]], LogValue]:
    def wrapped(arguments: Sequence[LogValue]) -> LogValue:
        value = number(arguments[0])
        return None if value is None else float(apply(value))

    return wrapped


def _round(arguments: Sequence[LogValue]) -> LogValue:
    value, digits = number(arguments[0]), number(arguments[1]) if len(arguments) > 1 else 0
    return None if value is None else float(round(value, int(digits or 0)))


SCALARS: dict[str, Callable[[Sequence[LogValue]], LogValue]] = {
    "abs": _numeric(abs),
    "ceil": _numeric(math.ceil),
    "floor": _numeric(math.floor),
    "round": _round,
    "coalesce": lambda values: next((value for value in values if value is not None), None),
    "concat": lambda values: "".join(text(value) for value in values),
    "isblank": lambda values: not text(values[0]).strip(),
    "isempty": lambda values: not text(values[0]),
    "ispresent": lambda values: values[0] is not None,
    "strcontains": lambda values: text(values[1]) in text(values[0]),
    "strlen": lambda values: float(len(text(values[0]))),
    "tolower": lambda values: text(values[0]).lower(),
    "toupper": lambda values: text(values[0]).upper(),
    "trim": lambda values: text(values[0]).strip(),
}


def _statistic(name: str) -> Callable[[Sequence[LogValue]], LogValue]:
    def over(values: Sequence[LogValue]) -> LogValue:
        numbers = [found for found in map(number, values) if found is not None]
        return Samples([(found, 1.0) for found in numbers]).statistic(name) if numbers else None

    return over


def _extreme(pick: Callable[[list[float]], float]) -> Callable[[Sequence[LogValue]], LogValue]:
    """The smallest or largest; times stay times."""

    def over(values: Sequence[LogValue]) -> LogValue:
        numbers = [found for found in map(number, values) if found is not None]
        if not numbers:
            return None
        extreme = pick(numbers)
        return next(value for value in values if number(value) == extreme)

    return over


AGGREGATES: dict[str, Callable[[Sequence[LogValue]], LogValue]] = {
    "avg": _statistic("Average"),
    "sum": _statistic("Sum"),
    "min": _extreme(min),
    "max": _extreme(max),
    "count": lambda values: float(sum(value is not None for value in values)),
    "count_distinct": lambda values: float(len({text(value) for value in values if value is not None})),
    "earliest": lambda values: values[0] if values else None,
    "latest": lambda values: values[-1] if values else None,
}
"""Over one group of events, in order of time."""


def percentile(percent: float) -> Callable[[Sequence[LogValue]], LogValue]:
    """The aggregate `pct(field, percent)`."""
    return _statistic(f"p{percent:g}")
