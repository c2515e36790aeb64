"""Log lines to metric data points, as CloudWatch reads the embedded metric format.

A document that breaks a rule of the format gives no data point at all and is counted in `AWS/Logs` under its log group,
where an alarm can see it: a metric that silently goes missing is the failure this module exists to show. CloudWatch
does not document which part of a broken document survives; "none" is the cautious reading.

Source: CloudWatch's specification of the embedded metric format and of MetricDatum.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from dashboards.preview.documents import Document
from dashboards.preview.metric_store import STANDARD_RESOLUTION, Dimensions, MetricKey, MetricPoint, moment
from dashboards.preview.units import UNITS

MAX_METRICS = 100
MAX_DIMENSIONS = 30
MAX_VALUES = 100
_MAX_NAME = 255
_MAX_DIMENSION_NAME = 250
_MAX_DIMENSION_VALUE = 1024
_OLDEST = timedelta(days=14)
_NEWEST = timedelta(hours=2)
_LARGEST = 2.0**360


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log line.

    `fields` holds what Logs Insights would discover in it: empty for a line that is not JSON. `received` is when
    CloudWatch Logs took it, None where that is not known (a file), and then no metric is too old or too new.
    """

    timestamp: datetime
    log_group: str
    message: str
    fields: Document
    received: datetime | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """What one log line yields: its metrics, or the rule it breaks."""

    points: tuple[MetricPoint, ...] = ()
    error: str | None = None


class _ParsingError(Exception):
    """The line claims to be in the embedded metric format and is not."""


class _ValidationError(Exception):
    """A metric definition breaks a rule of the format."""


def read_events(lines: Iterable[str], log_group: str, clock: Callable[[], datetime] | None = None) -> Iterator[LogEvent]:
    """Reads log lines in their order.

    A line that carries no time of its own gets the clock's or, where there is no clock (a file), that of the line
    before it.
    """
    last = datetime.fromtimestamp(0, UTC)
    for line in lines:
        if text := line.strip():
            fields = _parse(text)
            received = clock() if clock else None
            last = _time_of(fields) or received or last
            yield LogEvent(last, log_group, text, fields, received)


def extract(event: LogEvent) -> Extraction:
    """Reads the metrics of one event. A broken document becomes a data point of `AWS/Logs`; nothing is raised."""
    try:
        return Extraction(tuple(_points(event)))
    except _ParsingError as error:
        return Extraction((_failure(event, "EMFParsingErrors"),), str(error))
    except _ValidationError as error:
        return Extraction((_failure(event, "EMFValidationErrors"),), str(error))


def _parse(text: str) -> Document:
    if not text.startswith("{"):
        return {}
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _time_of(fields: Document) -> datetime | None:
    aws = fields.get("_aws")
    if isinstance(aws, dict) and _is_number(aws.get("Timestamp")):
        return moment(aws["Timestamp"] / 1000)
    stamp = fields.get("timestamp") or fields.get("time")
    if not isinstance(stamp, str):
        return None
    try:
        read = datetime.fromisoformat(stamp.replace(",", "."))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _failure(event: LogEvent, name: str) -> MetricPoint:
    key = MetricKey("AWS/Logs", name, frozenset({("LogGroupName", event.log_group)}))
    return MetricPoint(key, event.received or event.timestamp, (1.0,), unit="Count")


def _points(event: LogEvent) -> Iterator[MetricPoint]:
    if not event.fields:
        # A line cut off in the middle (an over-long one) is no JSON any more, so its metrics are lost.
        _require(not (event.message.startswith("{") and '"CloudWatchMetrics"' in event.message), "not a JSON object")
        return
    aws = event.fields.get("_aws")
    if not isinstance(aws, dict) or "CloudWatchMetrics" not in aws:
        return
    directives = _array(aws["CloudWatchMetrics"], "_aws.CloudWatchMetrics")
    _require(_is_number(aws.get("Timestamp")), "_aws.Timestamp is not a number of milliseconds since 1970")
    timestamp = moment(aws["Timestamp"] / 1000)
    if event.received is not None:
        in_time = event.received - _OLDEST <= timestamp <= event.received + _NEWEST
        _check(in_time, "_aws.Timestamp is over 14 days old or over 2 hours ahead")
    for directive in directives:
        yield from _read_directive(_object(directive, "a metric directive"), event.fields, timestamp)


def _read_directive(directive: Document, root: Document, timestamp: datetime) -> Iterator[MetricPoint]:
    sets = _array(directive.get("Dimensions"), "Dimensions")
    definitions = _array(directive.get("Metrics"), "Metrics")
    namespace = _text(directive.get("Namespace"), _MAX_NAME, "Namespace")
    _check(len(definitions) <= MAX_METRICS, f"more than {MAX_METRICS} metrics in one directive")
    dimension_sets = [_read_dimensions(_array(names, "a dimension set"), root) for names in sets] or [frozenset()]
    for dimensions, definition in product(dimension_sets, definitions):
        key = MetricKey(namespace, "", dimensions)
        yield _read_metric(_object(definition, "a metric definition"), key, root, timestamp)


def _read_dimensions(names: list[Any], root: Document) -> Dimensions:
    _check(len(names) <= MAX_DIMENSIONS, f"more than {MAX_DIMENSIONS} dimensions in one set")
    read = [_text(name, _MAX_DIMENSION_NAME, "a dimension name") for name in names]
    return frozenset((name, _text(root.get(name), _MAX_DIMENSION_VALUE, f"dimension {name!r}")) for name in read)


def _read_metric(definition: Document, family: MetricKey, root: Document, timestamp: datetime) -> MetricPoint:
    name = _text(definition.get("Name"), _MAX_NAME, "a metric name")
    _check(name in root, f"metric {name!r} has no member on the root")
    unit, resolution = definition.get("Unit", "None"), definition.get("StorageResolution", STANDARD_RESOLUTION)
    _check(unit in UNITS, f"metric {name!r} has a unit that CloudWatch does not know")
    _check(resolution in (1, STANDARD_RESOLUTION), f"metric {name!r} has a StorageResolution other than 1 or 60")
    values, counts = _read_values(name, root[name])
    key = MetricKey(family.namespace, name, family.dimensions)
    return MetricPoint(key, timestamp, values, counts, unit, resolution)


def _read_values(name: str, target: object) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A number, an array of numbers (each a sample), or values with the number of times each occurred."""
    if isinstance(target, dict):
        values = _array(target.get("Values"), f"Values of {name!r}")
        counts = _array(target.get("Counts", [1] * len(values)), f"Counts of {name!r}")
    else:
        values = target if isinstance(target, list) else [target]
        counts = [1] * len(values)
    _check(len(counts) == len(values), f"metric {name!r}: as many Counts as Values are needed")
    _check(len(values) <= MAX_VALUES, f"metric {name!r} has more than {MAX_VALUES} values")
    _check(all(_is_number(value) for value in (*values, *counts)), f"metric {name!r} holds something that is no number")
    return tuple(float(value) for value in values), tuple(float(count) for count in counts)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) <= _LARGEST


def _text(value: object, longest: int, what: str) -> str:
    if isinstance(value, str) and value.strip() and len(value) <= longest:
        return value
    message = f"{what} is not a text of 1 to {longest} characters"
    raise _ValidationError(message)


def _array(value: object, what: str) -> list[Any]:
    if isinstance(value, list):
        return value
    message = f"{what} is missing or not an array"
    raise _ParsingError(message)


def _object(value: object, what: str) -> Document:
    if isinstance(value, dict):
        return value
    message = f"{what} is not an object"
    raise _ParsingError(message)


def _require(holds: object, message: str) -> None:
    if not holds:
        raise _ParsingError(message)


def _check(holds: object, message: str) -> None:
    if not holds:
        raise _ValidationError(message)
