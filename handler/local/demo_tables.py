"""The demonstration's findings as tables."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from local.demo_report import Check, LoginSeen, MetricSeen, Statistics

_SHORT_ID = 8


def short(version_id: str) -> str:
    """Return the beginning of a version id, which is enough to tell a handful apart."""
    return version_id[:_SHORT_ID]


def sign(*, good: bool) -> Text:
    """Return the sign for right or wrong."""
    return Text("✔", "green") if good else Text("✘", "bold red")


def login_table(logins: Iterable[LoginSeen]) -> Table:
    """Who came in with which version."""
    table = _table("credential", "version", "user", "fingerprint", "answer")
    for login in logins:
        answer = Text(login.answer, "green" if login.accepted else "yellow")
        table.add_row(login.label, short(login.version_id), login.user, login.fingerprint, answer)
    return table


def check_list(checks: Iterable[Check]) -> Table:
    """What was promised, each with its sign."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for check in checks:
        table.add_row(sign(good=check.holds), Text(check.claim, "" if check.holds else "bold red"))
    return table


def metrics_table(metrics: Iterable[MetricSeen]) -> Table:
    """One row per value, under its finest dimensions; without counters that stayed at zero."""
    table = _table("metric", "value", "unit", "dimensions")
    table.columns[1].justify = "right"
    for rows in _by_name(metrics):
        for metric, dimensions in _merged([metric for metric in rows if metric.value]):
            value = f"{metric.value:,.1f}".removesuffix(".0")
            table.add_row(metric.name, value, metric.unit, Text(dimensions, "dim"))
    return table


def zeros_text(metrics: Iterable[MetricSeen]) -> Text:
    """The names of the counters that stayed at zero."""
    names = [rows[0].name for rows in _by_name(metrics) if not any(metric.value for metric in rows)]
    return Text(f"0: {', '.join(names)}", "dim")


def log_text(line: Mapping[str, object]) -> Text:
    """A log line as JSON, one line for each of its keys."""
    fields = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in line.items())
    return JSONHighlighter()(Text("{\n" + fields + "\n}"))


def statistics_table(statistics: Statistics) -> Table:
    """Durations by step."""
    table = _table("step", "median", "p95", "max")
    for step in statistics.steps:
        table.add_row(step.step, *(f"{value:.1f} ms" for value in (step.median_ms, step.p95_ms, step.max_ms)))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _table(*headers: str) -> Table:
    return Table(*headers, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")


def _by_name(metrics: Iterable[MetricSeen]) -> list[list[MetricSeen]]:
    """Group by name, those of the whole rotation first.

    What was counted in several invocations under the same dimensions is added up, as CloudWatch's `Sum` does.
    """
    grouped: dict[str, dict[str, MetricSeen]] = defaultdict(dict)
    for metric in metrics:
        same = grouped[metric.name].get(_finest(metric))
        total = metric.value + same.value if same and metric.unit == "Count" else metric.value
        grouped[metric.name][_finest(metric)] = metric.model_copy(update={"value": total})
    return sorted(([*rows.values()] for rows in grouped.values()), key=lambda rows: len(rows[0].dimensions[-1]))


def _merged(rows: Sequence[MetricSeen]) -> Iterator[tuple[MetricSeen, str]]:
    """Give each row with its dimensions as text; several of the same value become one."""
    if len(rows) > 1 and len({metric.value for metric in rows}) == 1:
        yield rows[0], f"each of {len(rows)} steps"
        return
    for metric in rows:
        yield metric, _finest(metric)


def _finest(metric: MetricSeen) -> str:
    """Return the largest dimension set as text, without what all metrics share."""
    dimensions = max(metric.dimensions, key=len)
    return " ".join(f"{name}={value}" for name, value in dimensions.items() if name != "service")
