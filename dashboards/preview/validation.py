"""What CloudWatch would refuse or silently disregard, said before a deployment tries it.

Linters pass a dashboard body that is not JSON, alarms that search and windows of 30 days. Every rule here has a name
that stays the same, so that a test or a reader can refer to it. Source: CloudWatch's API reference (PutMetricAlarm,
PutCompositeAlarm, PutDashboard with the dashboard body's structure) and its quotas.
"""

import re
from collections.abc import Callable, Iterator

from dashboards.preview.alarm_evaluation import COMPARISONS
from dashboards.preview.alarm_reading import COMPOSITE_ALARM, alarm_resources, read_alarms, read_queries
from dashboards.preview.alarm_rule import names_in, parse_rule
from dashboards.preview.body_validation import check_body
from dashboards.preview.documents import Document, PreviewError
from dashboards.preview.findings import Finding
from dashboards.preview.metric_math import Query
from dashboards.preview.template import Resource, Stack

DASHBOARD = "AWS::CloudWatch::Dashboard"
MAX_MATH_METRICS = 10
MAX_CHILDREN = 100
MAX_ACTIONS = 5
_HOUR, _DAY = 3600, 86400
_STATISTICS = re.compile(r"SampleCount|Average|Sum|Minimum|Maximum|p(\d{1,2}(\.\d{1,10})?|100)")
_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
_MISSING = frozenset({"missing", "ignore", "breaching", "notBreaching"})


def validate(stack: Stack) -> list[Finding]:
    """Looks at every alarm and dashboard that the stack deploys; an empty list means that all would be accepted."""
    findings: list[Finding] = []
    for resource in alarm_resources(stack):
        check = _composite if resource.type == COMPOSITE_ALARM else _metric_alarm
        findings += _guarded(check, resource)
    for resource in stack.resources(DASHBOARD):
        findings += check_body(str(resource.properties.get("DashboardBody", "")), resource.place)
    if not findings:
        findings += _relations(stack)
    return findings


def _guarded(check: Callable[[Document], Iterator[tuple[str, str]]], resource: Resource) -> list[Finding]:
    """Runs one check; a definition that it cannot even read is a finding too."""
    try:
        return [Finding(rule, resource.place, problem) for rule, problem in check(resource.properties)]
    except KeyError as error:
        return [Finding("alarm-incomplete", resource.place, f"the property {error} is missing")]
    except (PreviewError, TypeError, ValueError) as error:
        return [Finding("alarm-malformed", resource.place, str(error))]


def _metric_alarm(alarm: Document) -> Iterator[tuple[str, str]]:
    periods = int(alarm["EvaluationPeriods"])
    datapoints = int(alarm.get("DatapointsToAlarm", periods))
    if datapoints > periods:
        yield "alarm-datapoints", f"DatapointsToAlarm {datapoints} is more than EvaluationPeriods {periods}"
    if periods < 1 or datapoints < 1:
        yield "alarm-datapoints", "EvaluationPeriods and DatapointsToAlarm must be at least 1"
    if "Threshold" not in alarm and "ThresholdMetricId" not in alarm:
        yield "alarm-threshold", "there is no Threshold"
    if alarm["ComparisonOperator"] not in COMPARISONS:
        yield "alarm-comparison", f"ComparisonOperator {alarm['ComparisonOperator']!r} does not exist"
    if alarm.get("TreatMissingData", "missing") not in _MISSING:
        yield "alarm-missing-data", f"TreatMissingData must be one of {', '.join(sorted(_MISSING))}"
    if alarm.get("Namespace") == "AWS/DynamoDB" and alarm.get("TreatMissingData", "ignore") != "ignore":
        yield "alarm-dynamodb-missing-data", "missing data of AWS/DynamoDB is always ignored; use FILL in metric math"
    yield from _shared(alarm)
    if "Metrics" in alarm:
        yield from _one_form(alarm)
    queries = read_queries(alarm)
    yield from _queries(queries, math="Metrics" in alarm)
    yield from _window(queries, periods)


def _one_form(alarm: Document) -> Iterator[tuple[str, str]]:
    single = ("MetricName", "Namespace", "Dimensions", "Statistic", "ExtendedStatistic", "Period", "Unit")
    if both := [name for name in single if name in alarm]:
        yield "alarm-metrics-and-metric", f"Metrics cannot stand beside {', '.join(both)}"


def _queries(queries: tuple[Query, ...], *, math: bool) -> Iterator[tuple[str, str]]:
    returned = [query.id for query in queries if query.returned]
    if math and len(returned) != 1:
        yield "alarm-return-data", f"exactly one ReturnData is needed, here: {', '.join(returned) or 'none'}"
    if len([query for query in queries if query.key]) > MAX_MATH_METRICS:
        yield "alarm-too-many-metrics", f"more than {MAX_MATH_METRICS} metrics in one alarm"
    if len({query.id for query in queries}) < len(queries):
        yield "alarm-duplicate-id", "two metrics have the same Id"
    for query in queries:
        if not _ID.fullmatch(query.id):
            yield "alarm-metric-id", f"Id {query.id!r} must begin with a small letter"
        if query.key and not _STATISTICS.fullmatch(query.statistic):
            yield "alarm-statistic", f"the statistic {query.statistic!r} does not exist"
        if query.key and len(query.key.dimensions) > 30:  # noqa: PLR2004 - CloudWatch's limit
            yield "alarm-dimensions", "more than 30 dimensions"
        if query.expression and re.search(r"\bSEARCH\s*\(", query.expression, re.IGNORECASE):
            yield "alarm-search", "SEARCH cannot be used in an alarm"


def _window(queries: tuple[Query, ...], periods: int) -> Iterator[tuple[str, str]]:
    used = {query.period for query in queries if query.period}
    if len(used) > 1:
        yield "alarm-several-periods", f"all metrics of an alarm need one period, here: {sorted(used)}"
    if not used:
        yield "alarm-period", "there is no Period"
    for period in used:
        if period not in (10, 20, 30) and (period < 60 or period % 60):  # noqa: PLR2004 - CloudWatch's periods
            yield "alarm-period", f"Period {period} is neither 10, 20, 30 nor a multiple of 60"
        longest = 7 * _DAY if period >= _HOUR else _DAY
        if period * periods > longest:
            shown = "7 days" if period >= _HOUR else "1 day, as the period is under an hour"
            yield "alarm-window", f"Period x EvaluationPeriods is {period * periods} s; the longest is {shown}"


def _composite(alarm: Document) -> Iterator[tuple[str, str]]:
    children = names_in(parse_rule(str(alarm["AlarmRule"])))
    if len(children) > MAX_CHILDREN:
        yield "composite-children", f"more than {MAX_CHILDREN} alarms in one rule"
    if len(str(alarm["AlarmRule"])) > 10240:  # noqa: PLR2004 - CloudWatch's limit
        yield "composite-rule-length", "the rule is longer than 10240 characters"
    waits = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
    if "ActionsSuppressor" in alarm and not all(name in alarm for name in waits):
        yield "composite-suppressor", f"ActionsSuppressor needs {' and '.join(waits)}"
    yield from _shared(alarm)


def _shared(alarm: Document) -> Iterator[tuple[str, str]]:
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        if len(alarm.get(name) or ()) > MAX_ACTIONS:
            yield "alarm-actions", f"more than {MAX_ACTIONS} {name}"
    if len(str(alarm.get("AlarmDescription", ""))) > 1024:  # noqa: PLR2004 - CloudWatch's limit
        yield "alarm-description", "AlarmDescription is longer than 1024 characters"


def _relations(stack: Stack) -> Iterator[Finding]:
    """What only shows once every alarm can be read: doubled names, unknown children, circles."""
    try:
        alarms = read_alarms(stack)
        alarms.composites  # noqa: B018 - follows every rule to its end
    except PreviewError as error:
        yield Finding("composite-relations", stack.path.name, str(error))
        return
    names = [alarm.header.name for alarm in alarms.alarms]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding("alarm-name", stack.path.name, f"two alarms are called {name}")
