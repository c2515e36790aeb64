"""Alarms on a simulated clock: history, composite alarms, actions and suppressors."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from dashboards.preview.alarm_board import AlarmBoard
from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.alarm_rule import holds, names_in, parse_rule
from dashboards.preview.alarms import AlarmState
from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_store import MetricKey, MetricPoint, MetricStore
from dashboards.preview.template import Stack


def metric_alarm(metric: str, **changes: object) -> dict[str, object]:
    properties = {
        "AlarmName": metric,
        "Namespace": "App",
        "MetricName": metric,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": ["arn:page"],
        "OKActions": ["arn:calm"],
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties | changes}


def composite(rule: str, **changes: object) -> dict[str, object]:
    properties = {"AlarmName": "unhealthy", "AlarmRule": rule, "AlarmActions": ["arn:page"]}
    return {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": properties | changes}


def board(load_stack: Callable[..., Stack], store: MetricStore, **resources: object) -> AlarmBoard:
    return AlarmBoard(read_alarms(load_stack(json.dumps({"Resources": resources}))), store)


def at(noon: datetime, minute: int, metric: str = "failed") -> MetricPoint:
    return MetricPoint(MetricKey("App", metric), noon + timedelta(minutes=minute), (1.0,))


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def test_an_alarm_goes_off_and_recovers_by_itself(load_stack: Callable[..., Stack], noon: datetime) -> None:
    alarms = board(load_stack, MetricStore([at(noon, 5)]), A=metric_alarm("failed"))
    changes = alarms.run(noon, noon + minutes(20))
    assert [(change.after, (change.time - noon) / minutes(1)) for change in changes] == [
        (AlarmState.OK, 0),
        (AlarmState.ALARM, 6),
        (AlarmState.OK, 9),
    ]
    assert alarms.history("failed") == tuple(changes)
    assert (alarms.state("failed"), alarms.since("failed")) == (AlarmState.OK, noon + minutes(9))
    assert "failed" not in alarms.ringing()


def test_absence_is_told_with_its_own_time(load_stack: Callable[..., Stack], noon: datetime) -> None:
    metric = {"Metric": {"Namespace": "App", "MetricName": "beat"}, "Stat": "Sum", "Period": 60}
    alarm = metric_alarm("silent", Threshold=1, ComparisonOperator="LessThanThreshold")
    properties = alarm["Properties"]
    assert isinstance(properties, dict)
    for name in ("Namespace", "MetricName", "Statistic", "Period"):
        del properties[name]
    properties["Metrics"] = [
        {"Id": "beat", "MetricStat": metric, "ReturnData": False},
        {"Id": "filled", "Expression": "FILL(beat, 0)"},
    ]
    alarms = board(load_stack, MetricStore([at(noon, 10, "beat")]), A=alarm)
    changes = alarms.run(noon, noon + minutes(20))
    assert [(change.after, change.reason[-14:-1]) for change in changes] == [
        (AlarmState.ALARM, "(02 Mar 11:59"),
        (AlarmState.OK, "(02 Mar 12:10"),
        (AlarmState.ALARM, "(02 Mar 12:11"),
    ]


def test_actions_run_on_transitions_only(load_stack: Callable[..., Stack], noon: datetime) -> None:
    store = MetricStore(at(noon, minute) for minute in range(5, 15))
    alarms = board(load_stack, store, A=metric_alarm("failed"))
    alarms.run(noon + minutes(1), noon + minutes(30))
    assert [(told.state, told.target) for told in alarms.notifications] == [
        ("OK", "arn:calm"),
        ("ALARM", "arn:page"),
        ("OK", "arn:calm"),
    ]


def test_disabled_actions_do_not_run(load_stack: Callable[..., Stack], noon: datetime) -> None:
    alarms = board(load_stack, MetricStore([at(noon, 0)]), A=metric_alarm("failed", ActionsEnabled="false"))
    alarms.run(noon, noon + minutes(5))
    assert alarms.notifications == []
    assert len(alarms.history("failed")) > 1


def test_a_composite_explains_itself_by_its_children(load_stack: Callable[..., Stack], noon: datetime) -> None:
    alarms = board(
        load_stack,
        MetricStore([at(noon, 5, "stuck")]),
        # The parent comes first: the order in the template must not matter.
        Unhealthy=composite('ALARM("failed") OR ALARM(stuck)'),
        A=metric_alarm("failed"),
        B=metric_alarm("stuck"),
    )
    alarms.run(noon, noon + minutes(6))
    assert alarms.state("unhealthy") is AlarmState.ALARM
    assert alarms.reason("unhealthy") == "in ALARM: stuck"
    assert alarms.since("unhealthy") == alarms.since("stuck") == noon + minutes(6)


@pytest.mark.parametrize(("begins", "pages"), [(3, 0), (7, 0), (9, 1)])
def test_a_suppressor_holds_actions_back(load_stack: Callable[..., Stack], noon: datetime, begins: int, pages: int) -> None:
    """The composite goes off at minute 6 and waits two minutes for the suppressor, which then lasts to the end."""
    rings = (at(noon, minute, "maintenance") for minute in range(begins - 1, 40))
    alarms = board(
        load_stack,
        MetricStore([*(at(noon, minute) for minute in range(5, 40)), *rings]),
        A=metric_alarm("failed", AlarmActions=[]),
        B=metric_alarm("maintenance", AlarmActions=[]),
        C=composite(
            "ALARM(failed)",
            ActionsSuppressor="maintenance",
            ActionsSuppressorWaitPeriod=120,
            ActionsSuppressorExtensionPeriod=60,
        ),
    )
    alarms.run(noon, noon + minutes(30))
    assert [told.target for told in alarms.notifications].count("arn:page") == pages


def test_held_actions_run_once_the_suppressor_is_over(load_stack: Callable[..., Stack], noon: datetime) -> None:
    store = MetricStore([*(at(noon, minute) for minute in range(60)), at(noon, 0, "maintenance")])
    alarms = board(
        load_stack,
        store,
        A=metric_alarm("failed", AlarmActions=[]),
        B=metric_alarm("maintenance", AlarmActions=[]),
        C=composite(
            "ALARM(failed)",
            ActionsSuppressor="maintenance",
            ActionsSuppressorWaitPeriod=60,
            ActionsSuppressorExtensionPeriod=300,
        ),
    )
    alarms.run(noon + minutes(1), noon + minutes(30))
    (told,) = (told for told in alarms.notifications if told.target == "arn:page")
    quiet = alarms.since("maintenance")
    assert quiet is not None
    assert told.time == quiet + minutes(4)  # five minutes after it was last seen in ALARM, a minute before


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ALARM(a)", True),
        ("ALARM(b)", False),
        ("OK(b) AND INSUFFICIENT_DATA(c)", True),
        ("NOT ALARM(a)", False),
        ("ALARM(b) OR ALARM(a) AND FALSE", False),
        ("(ALARM(b) OR ALARM(a)) AND TRUE", True),
        ('ALARM("a") AND NOT (OK(a) OR OK("arn:aws:cloudwatch:x:1:alarm:c"))', True),
    ],
)
def test_rules(rule: str, expected: bool) -> None:
    states = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}
    assert holds(parse_rule(rule), lambda reference: states[reference.rsplit(":", 1)[-1]]) is expected


def test_a_rule_names_each_alarm_once() -> None:
    assert names_in(parse_rule("ALARM(a) AND (OK(b) OR NOT ALARM(a)) AND TRUE")) == ("a", "b")


@pytest.mark.parametrize("rule", ["", "ALARM(a) AND", "ALARM(a", "(ALARM(a)", "ALARM(a) ALARM(b)", "RINGS(a)", "ALARM()"])
def test_a_rule_that_is_not_well_formed_is_refused(rule: str) -> None:
    with pytest.raises(PreviewError, match="alarm rule"):
        parse_rule(rule)


def test_composites_that_contain_each_other_are_refused(load_stack: Callable[..., Stack], noon: datetime) -> None:
    alarms = board(
        load_stack,
        MetricStore(),
        A=composite("ALARM(b)", AlarmName="a"),
        B=composite("ALARM(a)", AlarmName="b"),
    )
    with pytest.raises(PreviewError, match="a > b > a"):
        alarms.evaluate(noon)


def test_a_composite_of_an_unknown_alarm_is_refused(load_stack: Callable[..., Stack], noon: datetime) -> None:
    with pytest.raises(PreviewError, match="no alarm absent"):
        board(load_stack, MetricStore(), A=composite("ALARM(absent)")).evaluate(noon)
