"""Alarm definitions, read from the resources of a template."""

from dashboards.preview.alarm_rule import parse_rule
from dashboards.preview.alarms import (
    Actions,
    Alarm,
    AlarmSet,
    AlarmState,
    CompositeAlarm,
    Header,
    MetricAlarm,
    MissingData,
    Suppressor,
)
from dashboards.preview.documents import Document, PreviewError
from dashboards.preview.metric_math import Query
from dashboards.preview.metric_store import MetricKey
from dashboards.preview.template import Resource, Stack

METRIC_ALARM, COMPOSITE_ALARM = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"


def read_alarms(stack: Stack) -> AlarmSet:
    """Reads every alarm that the stack deploys.

    Raises:
        PreviewError: For an alarm that cannot be evaluated here; it is named.
    """
    return AlarmSet(tuple(read_alarm(resource, stack) for resource in alarm_resources(stack)))


def alarm_resources(stack: Stack) -> list[Resource]:
    """The alarms of both kinds that the stack deploys, in the order of the template."""
    return list(stack.resources(METRIC_ALARM, COMPOSITE_ALARM))


def read_alarm(resource: Resource, stack: Stack) -> Alarm:
    """Reads one alarm.

    Raises:
        PreviewError: If it lacks a property or cannot be evaluated here; the place is named.
    """
    try:
        return _read(resource, stack)
    except (KeyError, ValueError) as error:
        message = f"{resource.place}: the alarm lacks or misstates {error}"
        raise PreviewError(message) from error


def _read(resource: Resource, stack: Stack) -> Alarm:
    properties = resource.properties
    header = _header(resource, stack)
    if resource.type == COMPOSITE_ALARM:
        return CompositeAlarm(header, parse_rule(str(properties["AlarmRule"])), _suppressor(properties))
    if refused := {"ThresholdMetricId", "EvaluateLowSampleCountPercentile", "EvaluationWindow"} & properties.keys():
        message = f"{resource.place}: the preview does not implement {', '.join(sorted(refused))}"
        raise PreviewError(message)
    queries = read_queries(properties)
    periods = int(properties["EvaluationPeriods"])
    return MetricAlarm(
        header,
        queries,
        period=next(query.period for query in queries if query.period),
        periods=periods,
        datapoints=int(properties.get("DatapointsToAlarm", periods)),
        threshold=float(properties["Threshold"]),
        comparison=str(properties["ComparisonOperator"]),
        missing=_missing(properties),
    )


def _missing(properties: Document) -> MissingData:
    """CloudWatch ignores missing data of DynamoDB's metrics, whatever the alarm asks for (PutMetricAlarm).

    The user guide calls that a default that can be overridden; an alarm that holds under the stricter reading holds
    under both, so the stricter one is evaluated.
    """
    if properties.get("Namespace") == "AWS/DynamoDB":
        return MissingData.IGNORE
    return MissingData(properties.get("TreatMissingData", "missing"))


def _header(resource: Resource, stack: Stack) -> Header:
    properties = resource.properties
    targets = {
        AlarmState.ALARM: tuple(properties.get("AlarmActions") or ()),
        AlarmState.OK: tuple(properties.get("OKActions") or ()),
        AlarmState.INSUFFICIENT_DATA: tuple(properties.get("InsufficientDataActions") or ()),
    }
    enabled = str(properties.get("ActionsEnabled", True)).lower() == "true"
    return Header(
        resource.name,
        stack.account.arn("cloudwatch", f"alarm:{resource.name}"),
        str(properties.get("AlarmDescription", "")),
        Actions(targets, enabled),
        {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags") or ()},
        resource.place,
    )


def _suppressor(properties: Document) -> Suppressor | None:
    if "ActionsSuppressor" not in properties:
        return None
    return Suppressor(
        str(properties["ActionsSuppressor"]),
        int(properties["ActionsSuppressorWaitPeriod"]),
        int(properties["ActionsSuppressorExtensionPeriod"]),
    )


def read_queries(properties: Document) -> tuple[Query, ...]:
    """The queries of a metric alarm, whichever of the two ways it is written in."""
    if "Metrics" in properties:
        return tuple(_math_query(entry) for entry in properties["Metrics"])
    return (
        Query(
            "m1",
            key=_key(properties),
            statistic=str(properties.get("ExtendedStatistic") or properties["Statistic"]),
            period=int(properties["Period"]),
            unit=properties.get("Unit"),
        ),
    )


def _math_query(entry: Document) -> Query:
    shown = str(entry.get("ReturnData", True)).lower() == "true"
    label = str(entry.get("Label", ""))
    if "Expression" in entry:
        period = int(entry["Period"]) if "Period" in entry else None
        return Query(entry["Id"], label, expression=str(entry["Expression"]), period=period, returned=shown)
    stat = entry["MetricStat"]
    return Query(
        entry["Id"],
        label,
        key=_key(stat["Metric"]),
        statistic=str(stat["Stat"]),
        period=int(stat["Period"]),
        unit=stat.get("Unit"),
        returned=shown,
    )


def _key(metric: Document) -> MetricKey:
    dimensions = frozenset((entry["Name"], str(entry["Value"])) for entry in metric.get("Dimensions") or ())
    return MetricKey(str(metric["Namespace"]), str(metric["MetricName"]), dimensions)
