"""The `metrics` of a dashboard widget: `["AWS/Lambda", "Errors", "FunctionName", "f", {"stat": "Sum"}]`.

A row may repeat the one above it: "." is the same field of that row, "..." all of its fields up to those still written.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dashboards.preview.documents import Document, Json
from dashboards.preview.metric_math import Query
from dashboards.preview.metric_store import MetricKey

_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
_FIELDS_BEFORE_DIMENSIONS = 2


@dataclass(frozen=True, slots=True)
class WidgetMetric:
    """One row of a widget: what to compute, and how to draw it (label, color, yAxis, visible …)."""

    query: Query
    options: Document

    @property
    def visible(self) -> bool:
        return bool(self.options.get("visible", True))


@dataclass(slots=True)
class WidgetMetrics:
    """The rows that could be read, and what is wrong with the others: pairs of rule and problem."""

    rows: list[WidgetMetric] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def read_metrics(
    rows: Sequence[Json], statistic: str = "Average", dimensions: Mapping[str, str] | None = None
) -> WidgetMetrics:
    """Reads a widget's metrics.

    Args:
        rows: The widget's `metrics`.
        statistic: What a row that names none is drawn with.
        dimensions: Values that the dashboard's variables put in place of the written ones, by dimension name.
    """
    read = WidgetMetrics()
    above: list[str] = []
    for index, row in enumerate(rows):
        written = [row] if isinstance(row, dict) else list(row)
        options = written.pop() if written and isinstance(written[-1], dict) else {}
        if "expression" in options:
            query_id = str(options.get("id", f"expression{index}"))
            query = Query(query_id, str(options.get("label", "")), str(options["expression"]))
        else:
            above = _repeat([str(entry) for entry in written], above)
            if len(above) < _FIELDS_BEFORE_DIMENSIONS or len(above) % 2:
                read.problems.append(("metric-row", f"metrics[{index}] is not a namespace, a name and pairs"))
                continue
            query = _query(above, options, index, statistic, dimensions or {})
        read.rows.append(WidgetMetric(query, options))
        read.problems += _problems(query, index)
    ids = [row.query.id for row in read.rows]
    if len(set(ids)) < len(ids):
        read.problems.append(("metric-id", "two metrics of the widget have the same id"))
    return read


def _repeat(written: list[str], above: list[str]) -> list[str]:
    fields: list[str] = []
    for entry in written:
        if entry == "...":
            # Everything but what the row still writes after the dots.
            fields = above[: len(above) - (len(written) - 1 - written.index("..."))]
        elif entry == ".":
            fields += above[len(fields) : len(fields) + 1]
        else:
            fields.append(entry)
    return fields


def _query(fields: list[str], options: Document, index: int, statistic: str, replaced: Mapping[str, str]) -> Query:
    namespace, name, *pairs = fields
    written = dict(zip(pairs[::2], pairs[1::2], strict=True))
    dimensions = {key: replaced.get(key, value) for key, value in written.items()}
    return Query(
        str(options.get("id", f"metric{index}")),
        str(options.get("label", "")),
        key=MetricKey(namespace, name, frozenset(dimensions.items())),
        statistic=str(options.get("stat", statistic)),
        period=int(options["period"]) if "period" in options else None,
    )


def _problems(query: Query, index: int) -> list[tuple[str, str]]:
    return [] if _ID.fullmatch(query.id) else [("metric-id", f"metrics[{index}]: id {query.id!r} is not allowed")]
