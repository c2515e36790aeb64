"""Who watches the rotations fails, and so does what brings the news."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import dedent

from dashboards.drill.code_copies import copy_with
from dashboards.drill.emulated_services import EmulatedRule
from dashboards.drill.scenario import ATTEMPT, Cause, Scenario
from dashboards.drill.stage import Stage

_SILENT = frozenset({"probe-silent", "rotation-unhealthy"})
_LOST = frozenset({"events-lost"})
_HOUR = 60
_LOOKS = 50
"""Simulated minutes in which the probe looks three times at least."""

type WhichRule = Callable[[Stage], EmulatedRule]

_BROKEN_LINES = dedent("""
    import json, time
    print(json.dumps({"_aws": {"CloudWatchMetrics": "none"}}))
    directive = {"Namespace": "Drill", "Dimensions": [[]], "Metrics": [{"Name": "Absent"}]}
    print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}}))
""")
"""One line is not in the format, the other names a metric that it does not bring."""


def _probe(stage: Stage) -> EmulatedRule:
    return stage.probe_rule


def _events(stage: Stage) -> EmulatedRule:
    return stage.events_rule


@contextmanager
def _probe_dead(stage: Stage) -> Iterator[None]:
    stage.probe_rule.is_enabled = False
    yield
    stage.probe_rule.is_enabled = True


@contextmanager
def _probe_denied(stage: Stage) -> Iterator[None]:
    stage.aws.fail("secretsmanager", "ListSecrets", code="AccessDeniedException", message="not authorized")
    yield
    stage.aws.clear_faults()


def _throttled(which: WhichRule) -> Cause:
    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        which(stage).target.throttled = True
        _rotate(stage)
        yield
        which(stage).target.throttled = False

    return cause


def _not_permitted(which: WhichRule) -> Cause:
    """EventBridge may not invoke the rule's function."""

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        which(stage).may_invoke = False
        _rotate(stage)
        yield
        which(stage).may_invoke = True

    return cause


@contextmanager
def _listener_broken(stage: Stage) -> Iterator[None]:
    with copy_with("service_events", "import nowhere") as code, stage.watcher_function(stage.events_rule, code=code):
        _rotate(stage)
        yield


def _undeliverable(topic: Callable[[Stage], str], problem: Callable[[Stage], None]) -> Cause:
    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        stage.topics.broken.add(topic(stage))
        problem(stage)
        yield
        stage.topics.broken.clear()

    return cause


def _page(stage: Stage) -> None:
    victim = stage.victim()
    victim.alter("NOLOGIN")
    victim.rotate()
    victim.alter("LOGIN")
    victim.recover()
    victim.forget()


def _ticket(stage: Stage) -> None:
    stage.rotation.invoke({})


@contextmanager
def _lines_broken(stage: Stage) -> Iterator[None]:
    """All three functions come with a library that writes broken metric lines."""
    with (
        copy_with("__init__", _BROKEN_LINES) as code,
        stage.rotation_function(code=code),
        stage.watcher_function(stage.probe_rule, code=code),
        stage.watcher_function(stage.events_rule, code=code),
    ):
        _rotate(stage)
        yield


def _rotate(stage: Stage) -> None:
    """A rotation that succeeds, and so is worth an event."""
    victim = stage.victim()
    victim.succeed()
    victim.forget()


WATCHERS = (
    Scenario("probe-dead", "The probe is not started any more", _probe_dead, _SILENT, patience=_HOUR, listen_on=_LOOKS),
    Scenario(
        "probe-failing",
        "The probe may not list the secrets",
        _probe_denied,
        _SILENT | _LOST | {"watchers-failing", "cause-permission"},
        reason="access_denied",
        patience=_HOUR,
        listen_on=_LOOKS,
    ),
    Scenario(
        "probe-throttled",
        "Lambda throttles the probe",
        _throttled(_probe),
        _SILENT | {"watchers-throttled"},
        patience=_HOUR,
        listen_on=_LOOKS,
    ),
    Scenario(
        "probe-not-permitted",
        "EventBridge may not start the probe",
        _not_permitted(_probe),
        _SILENT | _LOST | {"rule-failing"},
        patience=_HOUR,
        listen_on=_LOOKS,
    ),
    Scenario(
        "listener-failing",
        "The listener for Secrets Manager's events is broken",
        _listener_broken,
        _LOST | {"watchers-failing"},
    ),
    Scenario(
        "listener-throttled",
        "Lambda throttles the listener",
        _throttled(_events),
        frozenset({"watchers-throttled"}),
    ),
    Scenario(
        "listener-not-permitted",
        "EventBridge may not deliver the events",
        _not_permitted(_events),
        _LOST | {"rule-failing"},
    ),
    Scenario(
        "page-undeliverable",
        "Nobody receives what is sent to the page topic",
        _undeliverable(lambda stage: stage.deployment.page_topic, _page),
        ATTEMPT | {"cause-login", "page-undelivered"},
        reason="role_locked",
    ),
    Scenario(
        "ticket-undeliverable",
        "Nobody receives what is sent to the ticket topic",
        _undeliverable(lambda stage: stage.deployment.ticket_topic, _ticket),
        frozenset({"cause-function", "ticket-undelivered"}),
        reason="event_invalid",
    ),
    Scenario(
        "metric-lines-broken",
        "A library writes metric lines that CloudWatch rejects",
        _lines_broken,
        frozenset({"metrics-rejected"}),
        listen_on=_LOOKS,
    ),
)
