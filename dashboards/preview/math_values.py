"""The values of metric math, its operators, and the functions that need nothing but values.

A value is a number, one series, or several series (METRICS, SEARCH, a list). Missing data stays missing through every
operator; a division by zero gives no data point.
"""

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_store import MetricKey, Series, Windows


@dataclass(frozen=True, slots=True)
class Line:
    """One series; `key` is None where it was computed, `windows` where it is the same at all times."""

    values: Series
    key: MetricKey | None = None
    windows: Windows | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """Several series of equal length."""

    lines: tuple[Line, ...]


type Value = float | Line | Lines


def as_lines(value: Value, length: int) -> tuple[Line, ...]:
    """Every value as series; a number becomes a flat one."""
    if isinstance(value, Lines):
        return value.lines
    return (value if isinstance(value, Line) else Line([value] * length),)


def map_values(value: Value, change: Callable[[Series], Series]) -> Value:
    """Changes each series on its own; a number stays as it is."""
    if isinstance(value, Lines):
        return Lines(tuple(replace(line, values=change(line.values)) for line in value.lines))
    return replace(value, values=change(value.values)) if isinstance(value, Line) else value


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": operator.pow,
    "=": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    "<=": lambda left, right: float(left <= right),
    ">": lambda left, right: float(left > right),
    ">=": lambda left, right: float(left >= right),
    "and": lambda left, right: float(bool(left) and bool(right)),
    "or": lambda left, right: float(bool(left) or bool(right)),
}


def combine(sign: str, left: Value, right: Value) -> Value:
    """Applies an operator period by period; several series with one value gives several series.

    Raises:
        PreviewError: For an operator that metric math lacks, or series of different periods.
    """
    apply = _OPERATORS.get(sign)
    if apply is None:
        message = f"metric math has no operator {sign!r}"
        raise PreviewError(message)
    if isinstance(left, Lines):
        if isinstance(right, Lines):
            message = "metric math cannot combine two lists of series"
            raise PreviewError(message)
        return Lines(tuple(replace(line, values=_zip(apply, line, right)) for line in left.lines))
    if isinstance(right, Lines):
        return Lines(tuple(replace(line, values=_zip(apply, left, line)) for line in right.lines))
    if isinstance(left, Line):
        return Line(_zip(apply, left, right), windows=left.windows or (right.windows if isinstance(right, Line) else None))
    if isinstance(right, Line):
        return Line(_zip(apply, left, right), windows=right.windows)
    return apply(left, right)


def _zip(apply: Callable[[float, float], float], left: float | Line, right: float | Line) -> Series:
    length = max(len(side.values) for side in (left, right) if isinstance(side, Line))
    sides = [side.values if isinstance(side, Line) else [side] * length for side in (left, right)]
    if len(sides[0]) != len(sides[1]):
        message = "the preview cannot combine series of different periods"
        raise PreviewError(message)
    pairs = zip(*sides, strict=True)
    return [_finite(apply(one, two)) if one is not None and two is not None else None for one, two in pairs]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _aggregate(reduce: Callable[[list[float]], float]) -> Callable[[Value], Value]:
    """Over a series: one number. Over several series: one series, of whatever each period has."""

    def over(values: Iterable[float | None]) -> float | None:
        present = [value for value in values if value is not None]
        return reduce(present) if present else None

    def aggregate(value: Value) -> Value:
        if isinstance(value, Lines):
            columns = zip(*(line.values for line in value.lines), strict=True)
            return Line([over(column) for column in columns], windows=value.lines[0].windows if value.lines else None)
        if isinstance(value, Line):
            found = over(value.values)
            return Line([None] * len(value.values), windows=value.windows) if found is None else found
        return value

    return aggregate


AGGREGATES: dict[str, Callable[[Value], Value]] = {
    "SUM": _aggregate(math.fsum),
    "AVG": _aggregate(lambda values: math.fsum(values) / len(values)),
    "MIN": _aggregate(min),
    "MAX": _aggregate(max),
}


def _each(change: Callable[[float], float]) -> Callable[[Series, int], Series]:
    return lambda series, _period: [None if value is None else float(change(value)) for value in series]


def _difference(series: Series) -> Series:
    pairs = pairwise([None, *series])
    return [None if old is None or new is None else new - old for old, new in pairs]


def _running_sum(series: Series, _period: int) -> Series:
    total = 0.0
    sums: Series = []
    for value in series:
        total += value or 0.0
        sums.append(total)
    return sums


SERIES_FUNCTIONS: dict[str, Callable[[Series, int], Series]] = {
    "ABS": _each(abs),
    "CEIL": _each(math.ceil),
    "FLOOR": _each(math.floor),
    "DIFF": lambda series, _period: _difference(series),
    "RATE": lambda series, period: [None if d is None else d / period for d in _difference(series)],
    "RUNNING_SUM": _running_sum,
}
"""Functions of one series and its period in seconds."""


def _repeat(series: Series) -> Series:
    last: float | None = None
    filled: Series = []
    for value in series:
        last = value if value is not None else last
        filled.append(last)
    return filled


def _linear(series: Series) -> Series:
    known = [index for index, value in enumerate(series) if value is not None]
    filled = list(series)
    for before, after in pairwise(known):
        low, high = series[before], series[after]
        if low is not None and high is not None:
            for index in range(before + 1, after):
                filled[index] = low + (high - low) * (index - before) / (after - before)
    return filled


FILLERS: dict[str, Callable[[Series], Series]] = {"REPEAT": _repeat, "LINEAR": _linear}
"""The words that FILL takes instead of a number or a series."""
