"""What the template promises of its alarms and dashboards, checked without running anything."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dashboards.drill.coverage import unwatched
from dashboards.drill.deployment import Deployment
from dashboards.drill.watched import watched_metrics
from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.alarms import Alarm, AlarmState, CompositeAlarm, MetricAlarm
from dashboards.preview.dashboard import read_dashboards
from dashboards.preview.metric_array import read_metrics
from dashboards.preview.template import Stack
from dashboards.preview.validation import validate
from rotation.errors import error_classes
from rotation.metrics import DECLARATIONS, Metric

# Odd on purpose: an equal default elsewhere would hide that a parameter is not handed on.
PARAMETERS = {
    "SecretNamePrefix": "prod/",
    "Timeout": 61,
    "NearTimeoutPercent": 81,
    "SlowStepMilliseconds": 12347,
    "CredentialGapMilliseconds": 54323,
    "RunbookUrl": "https://runbook.example/rotation",
}
STACK = Stack.load(Path(__file__).resolve().parents[2] / "template.yaml", PARAMETERS)
ALARMS = read_alarms(STACK)
NAMESPACE = "SecretRotation"
UNEXPLAINED = {
    "duplicate_in_flight",  # is no failure
    "version_exists",  # is handled where it is met
    "service_reported",  # is what Secrets Manager says of failures that have a reason of their own
}


def short(alarm: Alarm) -> str:
    return alarm.header.name.removeprefix("rotation-")


def widgets() -> list[dict[str, Any]]:
    return [widget for dashboard in read_dashboards(STACK) for widget in dashboard.body["widgets"]]


@pytest.fixture(params=ALARMS.alarms, ids=short)
def alarm(request: pytest.FixtureRequest) -> Alarm:
    found: Alarm = request.param
    return found


def test_cloudwatch_would_accept_every_alarm_and_dashboard() -> None:
    assert [str(finding) for finding in validate(STACK)] == []


def test_every_reason_is_explained_by_exactly_one_cause_alarm() -> None:
    causes = [alarm for alarm in ALARMS.metric_alarms() if short(alarm).startswith("cause-")]
    keys = [query.key for alarm in causes for query in alarm.queries if query.key]
    explained = Counter(dict(key.dimensions)["reason"] for key in keys if key.name == Metric.FAILURES)
    assert explained == Counter({kind.reason for kind in error_classes()} - UNEXPLAINED)


def test_a_cause_alarm_names_the_reasons_it_explains() -> None:
    for alarm in ALARMS.metric_alarms():
        reasons = {dict(query.key.dimensions).get("reason") for query in alarm.queries if query.key} - {None}
        named = re.search(r"\(([a-z_, ]+)\)", alarm.header.description)
        assert reasons == (set(named[1].split(", ")) if named and reasons else set()), short(alarm)


def test_every_alarm_says_what_happened_which_secret_and_what_to_read(alarm: Alarm) -> None:
    form = r"(?P<what>[A-Z].{30,}?\.) Which secret: (?P<which>.{10,}?)\. Runbook: https://runbook\.example/rotation"
    assert re.fullmatch(form, alarm.header.description)


def test_every_alarm_tells_somebody_of_trouble_and_of_its_end(alarm: Alarm) -> None:
    (pager,) = [alarm for alarm in ALARMS.alarms if isinstance(alarm, CompositeAlarm)]
    told = alarm.header.actions.on(AlarmState.ALARM)
    if alarm.header.name in pager.children:
        assert told == ()
    else:
        assert len(told) == 1
        assert alarm.header.actions.on(AlarmState.OK) == told


def test_failures_to_deliver_are_told_by_the_other_topic() -> None:
    told = {short(alarm): alarm.header.actions.on(AlarmState.ALARM) for alarm in ALARMS.alarms}
    assert told["ticket-undelivered"] == told["rotation-unhealthy"]
    assert told["page-undelivered"] == told["slow-step"]
    assert told["page-undelivered"] != told["ticket-undelivered"]


def test_the_overview_shows_every_alarm_and_no_other() -> None:
    (overview,) = [dashboard for dashboard in read_dashboards(STACK) if dashboard.name.endswith("-overview")]
    walls = [widget["properties"]["alarms"] for widget in overview.body["widgets"] if widget["type"] == "alarm"]
    assert Counter(arn for wall in walls for arn in wall) == Counter(alarm.header.arn for alarm in ALARMS.alarms)


def test_every_threshold_that_is_drawn_is_that_of_an_alarm_on_the_same_metric() -> None:
    drawn = set()
    for widget in widgets():
        properties = widget["properties"]
        marks = (properties.get("annotations") or {}).get("horizontal") or []
        shown = {row.query.key.name for row in read_metrics(properties.get("metrics") or ()).rows if row.query.key}
        for mark in marks:
            alarms = {short(alarm) for alarm in ALARMS.metric_alarms() if _watches(alarm, shown, mark["value"])}
            assert len(alarms) == 1, properties["title"]
            drawn |= alarms
    assert drawn == {"near-timeout", "slow-step", "credential-gap"}


def _watches(alarm: MetricAlarm, names: set[str], threshold: float) -> bool:
    return alarm.threshold == threshold and any(query.key and query.key.name in names for query in alarm.queries)


def test_everything_that_is_watched_is_declared_with_just_these_dimensions() -> None:
    own = [key for key in watched_metrics(STACK) if key.namespace == NAMESPACE]
    declared = {(metric.value, frozenset(names)) for metric, it in DECLARATIONS.items() for names in it.dimension_sets}
    assert {(key.name, frozenset(dict(key.dimensions))) for key in own} == declared


def test_everything_that_is_declared_is_watched() -> None:
    deployment = Deployment()
    assert [*unwatched(deployment, watched_metrics(deployment.stack))] == []


def test_all_metrics_of_the_function_carry_the_stacks_name() -> None:
    own = [key for key in watched_metrics(STACK) if key.namespace == NAMESPACE]
    assert {dict(key.dimensions)["service"] for key in own} == {STACK.name}


def test_the_period_is_a_parameter_but_for_what_the_probes_schedule_decides() -> None:
    template = Path(__file__).resolve().parents[2] / "template.yaml"
    periods = {}
    for chosen in (300, 900):
        stack = Stack.load(template, {"SecretNamePrefix": "prod/", "PeriodSeconds": chosen}, name="rotation")
        alarms = (alarm for alarm in read_alarms(stack).alarms if isinstance(alarm, MetricAlarm))
        periods[chosen] = {alarm.header.name.removeprefix("rotation-"): alarm.period for alarm in alarms}
    fixed = {name for name, period in periods[300].items() if periods[900][name] == period}
    assert fixed == {"overdue", "stuck", "probe-silent", "switched-off", "credential-too-old"}
    assert {period for name, period in periods[900].items() if name not in fixed} == {900}
