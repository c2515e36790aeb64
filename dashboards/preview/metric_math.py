"""Metric queries and metric math, as alarms and dashboard widgets use them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from dashboards.preview.documents import PreviewError
from dashboards.preview.expressions import Binary, Call, Expression, Items, Name, Number, Parser, Text, Unary
from dashboards.preview.math_values import (
    AGGREGATES,
    FILLERS,
    SERIES_FUNCTIONS,
    Line,
    Lines,
    Value,
    as_lines,
    combine,
    map_values,
)
from dashboards.preview.metric_search import search
from dashboards.preview.metric_store import MetricKey, MetricStore, Series, Windows


@dataclass(frozen=True, slots=True)
class Query:
    """One entry of an alarm's `Metrics` or of a widget's `metrics`: a metric, or an expression over the others."""

    id: str
    label: str = ""
    expression: str | None = None
    key: MetricKey | None = None
    statistic: str = "Average"
    period: int | None = None
    unit: str | None = None
    returned: bool = True


class Calculation:
    """The queries of one alarm or widget over one stretch of time.

    Every method raises PreviewError, naming the function, for what metric math offers and the preview does not.
    """

    def __init__(
        self,
        queries: Sequence[Query],
        store: MetricStore,
        windows: Callable[[int | None], Windows],
        *,
        searches: bool = True,
    ) -> None:
        """`windows` gives the periods for a query's own period, or for the default where it has none."""
        self._queries: Mapping[str, Query] = {query.id: query for query in queries}
        self._store = store
        self._windows = windows
        self._length = windows(None).count
        self._searches = searches
        self._known: dict[str, Value] = {}
        self._open: set[str] = set()

    def lines(self, query_id: str) -> tuple[Line, ...]:
        """What a query returns, as series."""
        return as_lines(self.value(query_id), self._length)

    def value(self, query_id: str) -> Value:
        if query_id not in self._queries:
            message = f"metric math refers to {query_id!r}, which is the id of no metric"
            raise PreviewError(message)
        if query_id in self._open:
            message = f"the metric math of {query_id!r} refers to itself"
            raise PreviewError(message)
        if query_id not in self._known:
            self._open.add(query_id)
            self._known[query_id] = self._compute(self._queries[query_id])
            self._open.discard(query_id)
        return self._known[query_id]

    def _compute(self, query: Query) -> Value:
        if query.expression is not None:
            return self._evaluate(_parsed(query.expression))
        if query.key is None:
            message = f"the metric {query.id!r} names neither a metric nor an expression"
            raise PreviewError(message)
        windows = self._windows(query.period)
        return Line(self._store.series(query.key, query.statistic, windows, query.unit), query.key, windows)

    def _evaluate(self, node: Expression) -> Value:
        match node:
            case Number(value):
                return value
            case Name(name):
                return self.value(name)
            case Items(values):
                parts = (as_lines(self._evaluate(value), self._length) for value in values)
                return Lines(tuple(line for part in parts for line in part))
            case Unary("-", operand):
                return combine("*", self._evaluate(operand), -1.0)
            case Binary(operator, left, right):
                return combine(operator, self._evaluate(left), self._evaluate(right))
            case Call(function, arguments):
                return self._call(function.upper(), arguments)
        message = f"metric math cannot use {node}"
        raise PreviewError(message)

    def _call(self, function: str, arguments: tuple[Expression, ...]) -> Value:
        if not arguments and function != "METRICS":
            message = f"the metric math function {function} needs an argument"
            raise PreviewError(message)
        if special := self._special().get(function):
            return special(arguments)
        if aggregate := AGGREGATES.get(function):
            return aggregate(self._evaluate(arguments[0]))
        if transform := SERIES_FUNCTIONS.get(function):
            period = self._period(arguments[0])
            return map_values(self._evaluate(arguments[0]), lambda series: transform(series, period))
        message = f"the preview does not implement the metric math function {function}"
        raise PreviewError(message)

    def _special(self) -> Mapping[str, Callable[[tuple[Expression, ...]], Value]]:
        """The functions that look at more than their arguments' values."""
        return {
            "METRICS": self._metrics,
            "SEARCH": self._search,
            "FILL": self._fill,
            "IF": self._if,
            "PERIOD": lambda arguments: float(self._period(arguments[0])),
            "TIME_SERIES": lambda arguments: Lines(as_lines(self._evaluate(arguments[0]), self._length)),
        }

    def _metrics(self, arguments: tuple[Expression, ...]) -> Lines:
        wanted = arguments[0].value if arguments and isinstance(arguments[0], Text) else ""
        chosen = [query.id for query in self._queries.values() if query.expression is None and wanted in query.id]
        return Lines(tuple(line for query_id in chosen for line in self.lines(query_id)))

    def _search(self, arguments: tuple[Expression, ...]) -> Lines:
        if not self._searches:
            message = "SEARCH cannot be used in an alarm"
            raise PreviewError(message)
        match arguments:
            case (Text(expression), Text(statistic), *rest):
                period = int(rest[0].value) if rest and isinstance(rest[0], Number) else None
            case _:
                message = "SEARCH needs a search expression and a statistic, both in quotes"
                raise PreviewError(message)
        windows = self._windows(period)
        found = search(expression, self._store.keys())
        lines = (Line(self._store.series(key, statistic, windows), key, windows) for key in found)
        return Lines(tuple(line for line in lines if any(value is not None for value in line.values)))

    def _fill(self, arguments: tuple[Expression, ...]) -> Value:
        match arguments:
            case (target, Name(word)) if word.upper() in FILLERS:
                return map_values(self._evaluate(target), FILLERS[word.upper()])
            case (target, filler):
                other = as_lines(self._evaluate(filler), self._length)[0].values
            case _:
                message = "FILL needs a metric and what to fill its gaps with"
                raise PreviewError(message)

        def fill(series: Series) -> Series:
            pairs = zip(series, other, strict=True)
            return [new if value is None else value for value, new in pairs]

        return map_values(self._evaluate(target), fill)

    def _if(self, arguments: tuple[Expression, ...]) -> Value:
        """A missing condition gives no data point, and so does a branch that is not there."""
        values = [self._evaluate(argument) for argument in arguments]
        if any(isinstance(value, Lines) for value in values):
            message = "the preview implements IF for single series only"
            raise PreviewError(message)
        test, *branches = (as_lines(value, self._length)[0] for value in values)
        branches.append(Line([None] * len(test.values)))
        picks = (None if truth is None else 0 if truth else 1 for truth in test.values)
        chosen = [None if pick is None else branches[pick].values[index] for index, pick in enumerate(picks)]
        return Line(chosen, windows=next((line.windows for line in (test, *branches) if line.windows), None))

    def _period(self, node: Expression) -> int:
        query = self._queries.get(node.value) if isinstance(node, Name) else None
        return self._windows(query.period if query else None).period


@cache
def _parsed(expression: str) -> Expression:
    """Every alarm is evaluated every minute, and its expression stays the same."""
    return Parser(expression).whole()
