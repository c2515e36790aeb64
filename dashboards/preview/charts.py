"""Metric widgets: from a widget's properties to what is to be drawn, without saying how it looks.

A chart is plain JSON: its kind, its series with times and values, its annotations. The page chooses colours, sizes and
fonts, so one chart serves light and dark, desk and phone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboards.preview.alarm_board import AlarmBoard
from dashboards.preview.alarm_evaluation import SIGNS
from dashboards.preview.alarms import MetricAlarm
from dashboards.preview.annotations import horizontal_marks, vertical_marks
from dashboards.preview.documents import Content, Document, Json, PreviewError
from dashboards.preview.labels import distinct_names, label
from dashboards.preview.math_values import Line
from dashboards.preview.metric_array import WidgetMetric, read_metrics
from dashboards.preview.metric_math import Calculation
from dashboards.preview.metric_store import MetricStore, Series, Windows
from dashboards.preview.time_ranges import TimeRange
from dashboards.preview.units import short_unit

DEFAULT_PERIOD = 300


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One series with its name, as it was asked for."""

    name: str
    unit: str
    values: Series
    windows: Windows
    options: Document


def metric_content(
    properties: Document, store: MetricStore, time: TimeRange, board: AlarmBoard, chosen: Mapping[str, str]
) -> Content:
    """What a metric widget shows.

    Args:
        properties: The widget's properties.
        store: Where the data points are.
        time: The stretch of time to show.
        board: For a widget that shows one alarm.
        chosen: Dimension values that the dashboard's variables put in, by dimension name.

    Raises:
        PreviewError: If the widget uses metric math that is not implemented here.
    """
    if arns := (properties.get("annotations") or {}).get("alarms"):
        return _alarm_content(board.alarms.find(arns[0]), store, time)
    view = properties.get("view", "timeSeries")
    drawn = _draw(properties, store, time, chosen, totals=bool(properties.get("setPeriodToTimeRange")))
    content: Content = {"kind": view, "empty": all(_last(line.values) is None for line in drawn)}
    if view == "timeSeries":
        return content | _time_series(properties, drawn, time)
    if view == "singleValue":
        # The small lines beside the numbers need the series, whatever the numbers themselves are taken from.
        trend = _draw(properties, store, time, chosen, totals=False) if properties.get("sparkline", True) else []
        return content | {"items": [_number(line, trend[index : index + 1]) for index, line in enumerate(drawn)]}
    if view == "gauge":
        left = properties["yAxis"]["left"]
        return content | {
            "items": [_number(line, []) for line in drawn],
            "min": left["min"],
            "max": left["max"],
            "bands": horizontal_marks(properties.get("annotations") or {}),
        }
    if view == "table":
        return content | _table(drawn)
    return content | {"items": [_number(line, []) for line in drawn if _last(line.values) is not None]}


def _draw(
    properties: Document, store: MetricStore, time: TimeRange, chosen: Mapping[str, str], *, totals: bool
) -> list[_Drawn]:
    read = read_metrics(properties.get("metrics") or [], str(properties.get("stat", "Average")), chosen)
    default = int(properties.get("period", DEFAULT_PERIOD))
    windows = _totals(time) if totals else _periods(time, default)
    calculation = Calculation([row.query for row in read.rows], store, windows)
    visible = [(row, calculation.lines(row.query.id)) for row in read.rows if row.visible]
    keys = [line.key for _, lines in visible for line in lines if line.key]
    names = dict(zip(keys, distinct_names(keys), strict=True))
    return [
        _Drawn(
            label(row.query.label, _fallback(row, line, names), line.key, line.values),
            short_unit(store.unit(line.key)) if line.key else str(row.options.get("unit", "")),
            line.values,
            line.windows or windows(row.query.period),
            row.options,
        )
        for row, lines in visible
        for line in lines
    ]


def _totals(time: TimeRange) -> Callable[[int | None], Windows]:
    return lambda _period: time.whole()


def _periods(time: TimeRange, default: int) -> Callable[[int | None], Windows]:
    return lambda period: time.windows(period or default)


def _fallback(row: WidgetMetric, line: Line, names: Mapping[Json, str]) -> str:
    return names[line.key] if line.key else row.query.expression or row.query.id


def _time_series(properties: Document, drawn: Sequence[_Drawn], time: TimeRange) -> Content:
    annotations = properties.get("annotations") or {}
    return {
        "stacked": bool(properties.get("stacked")),
        "series": [_series(line) for line in drawn],
        "horizontal": horizontal_marks(annotations),
        "vertical": vertical_marks(annotations),
        "yAxis": properties.get("yAxis") or {},
        "legend": (properties.get("legend") or {}).get("position", "bottom"),
        "range": [time.start.isoformat(), time.end.isoformat()],
    }


def _series(line: _Drawn) -> Content:
    """Points with a gap wherever periods without data lie between them, so that no line bridges silence."""
    times: list[str] = []
    values: Series = []
    silent = False
    for time, value in zip(line.windows.times(), line.values, strict=True):
        if value is None:
            silent = bool(values)
            continue
        if silent:
            times.append(time.isoformat())
            values.append(None)
        silent = False
        times.append(time.isoformat())
        values.append(value)
    return {
        "name": line.name,
        "unit": line.unit,
        "color": line.options.get("color"),
        "axis": line.options.get("yAxis", "left"),
        "period": line.windows.period,
        "x": times,
        "y": values,
    }


def _number(line: _Drawn, trend: Sequence[_Drawn]) -> Content:
    return {
        "name": line.name,
        "unit": line.unit,
        "color": line.options.get("color"),
        "value": _last(line.values),
        "trend": _series(trend[0]) if trend else None,
    }


def _table(drawn: Sequence[_Drawn]) -> Content:
    summaries: dict[str, Callable[[list[float]], float]] = {
        "min": min,
        "max": max,
        "average": lambda values: sum(values) / len(values),
        "sum": sum,
    }
    rows: list[list[Json]] = []
    for line in drawn:
        present = [value for value in line.values if value is not None]
        cells = [_last(line.values), *(change(present) if present else None for change in summaries.values())]
        rows.append([line.name, *cells, line.unit])
    return {"columns": ["", "latest", *summaries, "unit"], "rows": rows}


def _last(values: Series) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _alarm_content(alarm: Json, store: MetricStore, time: TimeRange) -> Content:
    """The series that an alarm watches, with its threshold."""
    if not isinstance(alarm, MetricAlarm):
        message = f"the alarm {alarm.header.name} is a composite: it has no series to draw"
        raise PreviewError(message)
    calculation = Calculation(alarm.queries, store, lambda period: time.windows(period or alarm.period))
    watched = alarm.watched
    line = calculation.lines(watched.id)[0]
    name = watched.label or (line.key.name if line.key else watched.expression or watched.id)
    unit = short_unit(store.unit(line.key)) if line.key else ""
    drawn = _Drawn(name, unit, line.values, time.windows(alarm.period), {})
    threshold = {
        "value": alarm.threshold,
        "label": f"{alarm.header.name} {SIGNS[alarm.comparison]} {alarm.threshold:g}",
        "fill": _side(alarm),
    }
    return {"kind": "timeSeries", "empty": _last(line.values) is None} | _time_series(
        {"annotations": {"horizontal": [threshold]}}, [drawn], time
    )


def _side(alarm: MetricAlarm) -> str:
    return "above" if alarm.comparison.startswith("Greater") else "below"
