"""The little that AWS does between the services, emulated because nothing local offers it.

Emulated is only what an alarm can see: who is invoked when, what is tried again, and the metrics that the services publish.
Sources: the user guides of EventBridge (rules, dead-letter queues, metrics), Lambda (asynchronous invocation), SNS and
DynamoDB (metrics).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboards.drill.cloudwatch import CloudWatch
from dashboards.drill.deployment import RuleDefinition
from dashboards.drill.simulated_clock import SimulatedClock
from dashboards.drill.watched_function import WatchedFunction
from dashboards.preview.alarm_board import Notification
from dashboards.preview.documents import Document
from local.aws_server import Call

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_THROTTLED = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException"})
_READS = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})
_RETRY_WAITS = (timedelta(minutes=1), timedelta(minutes=2))
"""Lambda's waits before the first and the second retry of an asynchronous invocation."""


class EmulatedQueue:
    """An SQS queue that takes what could not be delivered."""

    def __init__(self, name: str, cloudwatch: CloudWatch) -> None:
        self.messages: list[Any] = []
        self._name = name
        self._cloudwatch = cloudwatch

    def send(self, message: Any) -> None:
        self.messages.append(message)
        self._cloudwatch.count("AWS/SQS", "NumberOfMessagesSent", {"QueueName": self._name})


@dataclass
class _Attempt:
    """An event in Lambda's own queue: when it is tried again, and how many failures are behind it."""

    event: Any
    due: datetime
    failures: int = 0


class EmulatedRule:
    """An EventBridge rule with a Lambda target: EventBridge hands over, Lambda's asynchronous invocation does the rest.

    What cannot be handed over counts as the rule's FailedInvocations; what the function fails at is tried again by Lambda.
    Both end in the dead-letter queue. Set `is_enabled` or `may_invoke` to False to break the rule.
    """

    def __init__(
        self,
        definition: RuleDefinition,
        target: WatchedFunction,
        *,
        retries: int,
        queue: EmulatedQueue,
        cloudwatch: CloudWatch,
        clock: SimulatedClock,
    ) -> None:
        self.target = target
        self.is_enabled = True
        self.may_invoke = True
        self._definition = definition
        self._retries = retries
        self._queue = queue
        self._cloudwatch = cloudwatch
        self._clock = clock
        self._waiting: list[_Attempt] = []
        # A schedule's first event comes one period after the rule was created.
        self._due = clock.now + _period(definition.schedule) if definition.schedule else None

    def deliver(self, event: Document) -> None:
        """Hand an event over, if it is one of the rule's."""
        if self.is_enabled and _matches(self._definition.pattern or {}, event):
            self._hand_over(event)

    def tick(self) -> None:
        """Do what is due by now: the schedule's event, and Lambda's retries."""
        now = self._clock.now
        if self._due is not None and self._due <= now:
            self._due += _period(self._definition.schedule or "")
            if self.is_enabled:
                self._hand_over({"source": "aws.events", "detail-type": "Scheduled Event"})
        due = [attempt for attempt in self._waiting if attempt.due <= now]
        self._waiting = [attempt for attempt in self._waiting if attempt.due > now]
        for attempt in due:
            self._invoke(attempt)

    def _hand_over(self, event: Document) -> None:
        if self.may_invoke:
            self._invoke(_Attempt(event, self._clock.now))
            return
        # A missing permission is not tried again.
        self._cloudwatch.count("AWS/Events", "FailedInvocations", {"RuleName": self._definition.name})
        self._queue.send(event)

    def _invoke(self, attempt: _Attempt) -> None:
        invocation = self.target.invoke(attempt.event)
        if invocation.succeeded:
            return
        if invocation.throttled:
            # For up to six hours; a throttled call is no failure of the function.
            self._waiting.append(_Attempt(attempt.event, self._clock.now + _RETRY_WAITS[0], attempt.failures))
        elif attempt.failures < self._retries:
            due = self._clock.now + _RETRY_WAITS[attempt.failures]
            self._waiting.append(_Attempt(attempt.event, due, attempt.failures + 1))
        else:
            self._queue.send(attempt.event)


class EmulatedTopics:
    """SNS: it delivers, unless a topic's ARN is in `broken`."""

    def __init__(self, cloudwatch: CloudWatch) -> None:
        self.broken: set[str] = set()
        self._cloudwatch = cloudwatch
        self._seen = 0

    def deliver(self, notifications: Sequence[Notification]) -> None:
        """Deliver what has been added to a growing list since the last time."""
        for notification in notifications[self._seen :]:
            if notification.target in self.broken:
                name = notification.target.rpartition(":")[2]
                self._cloudwatch.count("AWS/SNS", "NumberOfNotificationsFailed", {"TopicName": name})
        self._seen = len(notifications)

    def start_afresh(self) -> None:
        """The list begins anew."""
        self._seen = 0


class EmulatedTableMetrics:
    """What DynamoDB publishes of a table's throttled requests, read off the calls that reached it."""

    def __init__(self, table: str, cloudwatch: CloudWatch) -> None:
        self._table = table
        self._cloudwatch = cloudwatch

    def count(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if call.service == "dynamodb" and call.error in _THROTTLED:
                kind = "Read" if call.operation in _READS else "Write"
                self._cloudwatch.count("AWS/DynamoDB", f"{kind}ThrottleEvents", {"TableName": self._table})


def _period(schedule: str) -> timedelta:
    match = _RATE.fullmatch(schedule)
    if match is None:
        raise ValueError(f"ScheduleExpression {schedule}: the stage knows rate(…) only")
    return timedelta(**{f"{match[2]}s": int(match[1])})


def _matches(pattern: Any, value: Any) -> bool:
    """EventBridge's patterns, as far as the template uses them: literals and prefixes."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(_matches(wanted, value.get(key)) for key, wanted in pattern.items())
    return any(
        str(value).startswith(wanted["prefix"]) if isinstance(wanted, dict) else value == wanted for wanted in pattern
    )
