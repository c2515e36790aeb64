"""What CloudWatch would refuse in a dashboard body. Source: the API reference's dashboard body structure."""

import json
import re
from collections.abc import Iterator

from dashboards.preview.documents import Document
from dashboards.preview.findings import Finding
from dashboards.preview.metric_array import read_metrics

COLUMNS = 24
MAX_WIDGETS = 500
MAX_METRICS = 100
MAX_ALARMS = 100
MAX_VARIABLES = 25
MAX_HEIGHT = 1000
VIEWS = frozenset({"timeSeries", "singleValue", "gauge", "bar", "pie", "table"})
TYPES = frozenset({"metric", "text", "log", "alarm", "explorer", "custom"})
_SOURCE = re.compile(r"""\s*SOURCE\s+(['"])[^'"]+\1""")
_VARIABLE_TYPES = frozenset({"property", "pattern"})
_INPUTS = frozenset({"input", "radio", "select"})

type Problems = Iterator[tuple[str, str]]


def check_body(text: str, place: str) -> list[Finding]:
    """Looks at the body of one dashboard."""
    try:
        body = json.loads(text)
    except ValueError as error:
        return [Finding("dashboard-not-json", place, f"DashboardBody is not JSON: {error}")]
    if not isinstance(body, dict) or not isinstance(body.get("widgets"), list):
        return [Finding("dashboard-no-widgets", place, "DashboardBody is not an object with a list of widgets")]
    findings = [Finding(rule, place, problem) for rule, problem in _dashboard(body)]
    for index, widget in enumerate(body["widgets"]):
        title = (widget.get("properties") or {}).get("title", "")
        where = f"{place}: widget {index}" + (f" ({title})" if title else "")
        findings += [Finding(rule, where, problem) for rule, problem in _widget(widget)]
    return findings


def _dashboard(body: Document) -> Problems:
    if len(body["widgets"]) > MAX_WIDGETS:
        yield "dashboard-widgets", f"more than {MAX_WIDGETS} widgets"
    variables = body.get("variables") or []
    if len(variables) > MAX_VARIABLES:
        yield "dashboard-variables", f"more than {MAX_VARIABLES} variables"
    if len({variable.get("id") for variable in variables}) < len(variables):
        yield "variable-id", "two variables have the same id"
    for variable in variables:
        yield from _variable(variable)


def _variable(variable: Document) -> Problems:
    name = variable.get("id", "without an id")
    kind = variable.get("type")
    if kind not in _VARIABLE_TYPES or not variable.get(str(kind)):
        yield "variable-type", f"variable {name} needs a type, property or pattern, and the member of that name"
    if variable.get("inputType") not in _INPUTS:
        yield "variable-input", f"variable {name} needs an inputType of {', '.join(sorted(_INPUTS))}"
    elif variable["inputType"] != "input" and not ("values" in variable or "search" in variable):
        yield "variable-values", f"variable {name} needs values, or a search with populateFrom"
    if ("search" in variable) != ("populateFrom" in variable):
        yield "variable-values", f"variable {name}: search and populateFrom belong together"


def _widget(widget: Document) -> Problems:
    kind, properties = widget.get("type"), widget.get("properties")
    if kind not in TYPES:
        yield "widget-type", f"there is no widget type {kind!r}"
    if not isinstance(properties, dict):
        yield "widget-properties", "the widget has no properties"
        return
    yield from _place(widget)
    if kind == "metric":
        yield from _metric(properties)
    elif kind == "text" and not isinstance(properties.get("markdown"), str):
        yield "text-markdown", "a text widget needs markdown"
    elif kind == "log":
        yield from _log(properties)
    elif kind == "alarm":
        yield from _alarms(properties)


def _place(widget: Document) -> Problems:
    x, width, height = widget.get("x", 0), widget.get("width", 6), widget.get("height", 6)
    if not 1 <= width <= COLUMNS or not 0 <= x < COLUMNS or x + width > COLUMNS:
        yield "widget-outside", f"x {x} + width {width} is more than {COLUMNS} columns"
    if not 1 <= height <= MAX_HEIGHT or widget.get("y", 0) < 0:
        yield "widget-outside", f"height {height} or y {widget.get('y', 0)} is out of range"


def _metric(properties: Document) -> Problems:
    metrics = properties.get("metrics") or []
    annotations = properties.get("annotations") or {}
    alarms = annotations.get("alarms") or []
    view = properties.get("view", "timeSeries")
    if not properties.get("region"):
        yield "metric-region", "a metric widget needs a region"
    if view not in VIEWS:
        yield "metric-view", f"there is no view {view!r}"
    if alarms and (metrics or annotations.get("horizontal") or annotations.get("vertical")):
        yield "metric-alarm-beside-metrics", "an alarm annotation cannot stand beside metrics or other annotations"
    if len(alarms) > 1:
        yield "metric-several-alarms", "a metric widget shows one alarm"
    if not metrics and not alarms:
        yield "metric-nothing", "the widget has neither metrics nor an alarm"
    if len(metrics) > MAX_METRICS:
        yield "metric-too-many", f"more than {MAX_METRICS} metrics"
    if view == "gauge" and not {"min", "max"} <= ((properties.get("yAxis") or {}).get("left") or {}).keys():
        yield "gauge-axis", "a gauge needs yAxis.left.min and yAxis.left.max"
    if properties.get("stacked") and view != "timeSeries":
        yield "metric-stacked", "only the view timeSeries can be stacked"
    yield from ((rule, problem) for rule, problem in read_metrics(metrics).problems)


def _log(properties: Document) -> Problems:
    if not _SOURCE.match(str(properties.get("query", ""))):
        yield "log-source", "the query of a log widget begins with SOURCE and a log group in quotes"
    if not properties.get("region"):
        yield "log-region", "a log widget needs a region"
    if properties.get("view", "table") not in {"table", "timeSeries", "bar", "pie"}:
        yield "log-view", f"there is no view {properties['view']!r} for logs"


def _alarms(properties: Document) -> Problems:
    alarms = properties.get("alarms") or []
    if not 1 <= len(alarms) <= MAX_ALARMS:
        yield "alarm-widget-size", f"an alarm widget shows 1 to {MAX_ALARMS} alarms, not {len(alarms)}"
    if not all(isinstance(arn, str) and arn.startswith("arn:") for arn in alarms):
        yield "alarm-widget-arns", "an alarm widget names its alarms by ARN"
    if properties.get("sortBy", "default") not in {"default", "stateUpdatedTimestamp", "timestamp"}:
        yield "alarm-widget-sort", f"sortBy {properties['sortBy']!r} does not exist"
    if not set(properties.get("states") or ()) <= {"ALARM", "OK", "INSUFFICIENT_DATA"}:
        yield "alarm-widget-states", "states may be ALARM, OK and INSUFFICIENT_DATA"
