"""Logs Insights queries over events in memory."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.preview.documents import PreviewError
from dashboards.preview.emf import LogEvent, read_events
from dashboards.preview.log_values import LogValue, text
from dashboards.preview.logs_insights import Table, log_groups, run_query

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GROUP = "/aws/lambda/rotation"
LINES = [
    {"step": "createSecret", "duration_ms": 20, "outcome": "success", "secret": {"name": "app/a"}},
    {"step": "setSecret", "duration_ms": 60, "outcome": "success", "secret": {"name": "app/a"}},
    {"step": "setSecret", "duration_ms": 100, "outcome": "failure", "reason": "login_refused", "secret": {"name": "b"}},
    {"step": "setSecret", "duration_ms": 300, "outcome": "failure", "reason": "tls_failed", "secret": {"name": "a|b"}},
    {"message": "user 'clerk' took 12 tries", "flag": True},
]


def events() -> list[LogEvent]:
    lines = (
        json.dumps({"timestamp": (NOON + timedelta(minutes=4 * index)).isoformat(), **line})
        for index, line in enumerate(LINES)
    )
    return list(read_events(lines, GROUP))


def run(query: str) -> Table:
    return run_query(query, events(), NOON, NOON + timedelta(hours=1))


def cells(query: str) -> list[list[str]]:
    return [[text(cell) for cell in row] for row in run(query).rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fields step | limit 2", [["createSecret"], ["setSecret"]]),
        ("fields secret.name | filter step = 'setSecret' and outcome != \"failure\"", [["app/a"]]),
        ("filter duration_ms >= 100 | display reason", [["login_refused"], ["tls_failed"]]),
        ("filter reason like /tls|kms/ | fields reason", [["tls_failed"]]),
        ("filter reason like 'refused' | fields reason", [["login_refused"]]),
        ("filter reason =~ /^login/ | fields reason", [["login_refused"]]),
        ("filter ispresent(reason) and reason not like /tls/ | fields reason", [["login_refused"]]),
        ("filter step in ['createSecret', 'finishSecret'] | fields step", [["createSecret"]]),
        ("filter not (step in ['createSecret']) and duration_ms < 80 | fields duration_ms", [["60"]]),
        ("filter secret.name = 'a|b' | fields secret.name", [["a|b"]]),
        ("fields duration_ms / 20 as score | filter score > 4 | sort score desc | limit 1", [["15"]]),
        ("stats count(*) as n by outcome | sort n desc, outcome asc", [["failure", "2"], ["success", "2"], ["", "1"]]),
        (
            "stats max(duration_ms), pct(duration_ms, 50) by step | filter step = 'setSecret'",
            [["setSecret", "300", "100"]],
        ),
        ("filter step = 'setSecret' | stats sum(duration_ms) / count(*) as mean", [["153.3333333"]]),
        ("stats count_distinct(step) as steps, avg(duration_ms) as mean", [["2", "120"]]),
        ("filter step = 'absent' | stats count(*) as n", [["0"]]),
        ("fields @timestamp | filter flag | limit 1", [["2026-03-02 12:16:00.000"]]),
        (
            "stats count(*) by bin(10m) as slot | sort slot",
            [["2026-03-02 12:00:00.000", "3"], ["2026-03-02 12:10:00.000", "2"]],
        ),
        ("stats latest(step) as last by outcome | filter outcome = 'success'", [["success", "setSecret"]]),
        (
            "parse message \"user '*' took * tries\" as who, tries | filter ispresent(who) | display who, tries + 1 as n",
            [["clerk", "13"]],
        ),
        (r"parse message /took (?<tries>\d+)/ | filter tries > 10 | display tries", [["12"]]),
        (
            "dedup outcome | fields step, outcome | sort outcome | filter ispresent(outcome)",
            [["setSecret", "failure"], ["createSecret", "success"]],
        ),
        ("# the newest\nfields step\n| sort @timestamp desc\n| filter ispresent(step) | limit 1", [["setSecret"]]),
        ("fields coalesce(reason, 'none') as why, toupper(step) as s | limit 1", [["none", "CREATESECRET"]]),
        ("fields round(duration_ms / 7, 1) as r | limit 1", [["2.9"]]),
    ],
)
def test_queries(query: str, expected: list[list[str]]) -> None:
    assert cells(query) == expected


def test_a_query_without_fields_shows_time_and_message() -> None:
    assert run("filter step = 'createSecret'").columns == ("@timestamp", "@message")


def test_source_chooses_the_log_groups() -> None:
    query = f"SOURCE '{GROUP}', \"/other\" | fields step"
    assert log_groups(query) == [GROUP, "/other"]
    assert len(run(query).rows) == len(LINES)
    assert run("SOURCE '/other' | fields step").rows == ()


def test_only_the_time_asked_for_is_seen() -> None:
    assert len(run_query("fields step", events(), NOON, NOON + timedelta(minutes=5)).rows) == 2


def test_columns_are_named_as_written() -> None:
    assert run("stats count(*), max(duration_ms) as longest by step").columns == ("step", "count(*)", "longest")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("diff previousDay", "'diff'"),
        ("fields jsonparse(@message)", "jsonparse"),
        ("limit many", "limit"),
        ("filter step = ", "the end"),
        ("filter step in 'a'", "square brackets"),
        ("stats count(*) by bin(5parsecs)", "5parsecs|cannot read"),
    ],
)
def test_what_is_wrong_or_not_implemented_is_named(query: str, named: str) -> None:
    with pytest.raises(PreviewError, match=named):
        run(query)


def test_values_are_shown_as_in_the_console() -> None:
    values: list[LogValue] = [None, True, 3.0, NOON, "x"]
    assert [text(value) for value in values] == ["", "1", "3", "2026-03-02 12:00:00.000", "x"]
