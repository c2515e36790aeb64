"""A dashboard's own body with the data put in: what the page draws."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboards.preview.alarm_board import AlarmBoard
from dashboards.preview.alarm_view import urgency
from dashboards.preview.charts import metric_content
from dashboards.preview.documents import Content, Document, PreviewError
from dashboards.preview.log_values import LogValue, number, seconds, text
from dashboards.preview.logs_insights import Table, run_query
from dashboards.preview.rich_text import to_html
from dashboards.preview.telemetry import Telemetry
from dashboards.preview.template import Stack
from dashboards.preview.time_ranges import TimeRange
from dashboards.preview.validation import DASHBOARD
from dashboards.preview.variables import Choice, Variable, apply, choices, default_choice, key_of, read_variables

MAX_VARIANTS = 200
_BIN = re.compile(r"\bbin\(\s*(\w+)\s*\)")


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard as it is deployed; `place` tells where it is written."""

    name: str
    body: Document
    place: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a dashboard's data comes from."""

    telemetry: Telemetry
    board: AlarmBoard


def read_dashboards(stack: Stack) -> list[Dashboard]:
    """The dashboards that the stack deploys.

    Raises:
        PreviewError: If a body is not JSON.
    """
    dashboards: list[Dashboard] = []
    for resource in stack.resources(DASHBOARD):
        try:
            body = json.loads(str(resource.properties["DashboardBody"]))
        except ValueError as error:
            message = f"{resource.place}: DashboardBody is not JSON: {error}"
            raise PreviewError(message) from error
        dashboards.append(Dashboard(resource.name, body, resource.place))
    return dashboards


def render(dashboard: Dashboard, source: Source, time: TimeRange, choice: Choice | None) -> Content:
    """One dashboard as JSON.

    Args:
        dashboard: The dashboard.
        source: Its data.
        time: What it shows.
        choice: The values of its variables; None renders every combination, for a page that cannot ask again.
    """
    variables = read_variables(dashboard.body, source.telemetry.store)
    return {
        "name": dashboard.name,
        "start": time.start.isoformat(),
        "end": time.end.isoformat(),
        "variables": [_variable(variable) for variable in variables],
        "widgets": [_widget(widget, variables, source, time, choice) for widget in dashboard.body["widgets"]],
    }


def _variable(variable: Variable) -> Content:
    return {
        "id": variable.id,
        "label": variable.label,
        "input": variable.input_type,
        "visible": variable.visible,
        "options": [{"label": shown, "value": value} for shown, value in variable.options],
        "value": variable.default,
    }


def _widget(
    widget: Document, variables: Sequence[Variable], source: Source, time: TimeRange, choice: Choice | None
) -> Content:
    """The widget with its content for every combination of the variables that matter to it."""
    affecting = [variable for variable in variables if variable.affects(widget)]
    standard = default_choice(affecting)
    if choice is not None:
        wanted = [standard | {name: value for name, value in choice.items() if name in standard}]
    else:
        wanted = choices(affecting)
        wanted = wanted if standard in wanted and len(wanted) <= MAX_VARIANTS else [standard]
    return {
        "type": widget["type"],
        "title": (widget.get("properties") or {}).get("title", ""),
        "x": widget.get("x", 0),
        "y": widget.get("y", 0),
        "width": widget.get("width", 6),
        "height": widget.get("height", 6),
        "variables": [variable.id for variable in affecting],
        "variants": {key_of(values): _content(widget, affecting, values, source, time) for values in wanted},
    }


def _content(widget: Document, variables: Sequence[Variable], values: Choice, source: Source, time: TimeRange) -> Content:
    """What the widget shows; a widget that cannot be drawn says why in its place."""
    changed, dimensions = apply(widget, variables, values)
    properties, kind = changed["properties"], changed["type"]
    try:
        if kind == "metric":
            return metric_content(properties, source.telemetry.store, time, source.board, dimensions)
        if kind not in _OTHERS:
            return {"kind": "error", "text": f"The preview does not draw widgets of the type {kind}."}
        return _OTHERS[kind](properties, source, time)
    except PreviewError as error:
        return {"kind": "error", "text": str(error)}


def _text(properties: Document, _source: Source, _time: TimeRange) -> Content:
    plain = properties.get("background") == "transparent"
    return {"kind": "text", "html": to_html(str(properties["markdown"])), "plain": plain}


def _alarms(properties: Document, source: Source, _time: TimeRange) -> Content:
    board, wanted = source.board, properties.get("states")
    names = sorted(board.alarms.find(arn).header.name for arn in properties["alarms"])
    if properties.get("sortBy") == "stateUpdatedTimestamp":
        names.sort(
            key=lambda name: (urgency(board.state(name)), -since.timestamp() if (since := board.since(name)) else 0.0)
        )
    return {"kind": "alarms", "names": [name for name in names if not wanted or board.state(name) in wanted]}


def _logs(properties: Document, source: Source, time: TimeRange) -> Content:
    table = run_query(str(properties["query"]), source.telemetry.events, time.start, time.end)
    content: Content = {"empty": not table.rows}
    view = properties.get("view", "table")
    if view == "timeSeries":
        return content | _log_series(table, properties, time)
    if view in {"bar", "pie"}:
        items = [
            {"name": text(row[0]), "value": number(row[-1]), "unit": "", "color": None, "trend": None} for row in table.rows
        ]
        return content | {"kind": view, "items": items}
    return content | {
        "kind": "table",
        "columns": list(table.columns),
        "rows": [list(map(_cell, r)) for r in table.rows],
    }


def _cell(value: LogValue) -> str | float:
    return value if isinstance(value, float) else text(value)


def _log_series(table: Table, properties: Document, time: TimeRange) -> Content:
    """`stats … by bin(…)`: the first column holds the times, every other one is a series."""
    rows = sorted(table.rows, key=lambda row: text(row[0]))
    width = _BIN.search(str(properties["query"]))
    series = [
        {
            "name": name,
            "unit": "",
            "color": None,
            "axis": "left",
            "period": seconds(width[1]) if width else 0,
            "x": [row[0].isoformat() if isinstance(row[0], datetime) else text(row[0]) for row in rows],
            "y": [number(row[index + 1]) for row in rows],
        }
        for index, name in enumerate(table.columns[1:])
    ]
    return {
        "kind": "timeSeries",
        "stacked": bool(properties.get("stacked")),
        "series": series,
        "horizontal": [],
        "vertical": [],
        "yAxis": {},
        "legend": "bottom",
        "range": [time.start.isoformat(), time.end.isoformat()],
    }


_OTHERS: dict[str, Callable[[Document, Source, TimeRange], Content]] = {
    "alarm": _alarms,
    "log": _logs,
    "text": _text,
}
