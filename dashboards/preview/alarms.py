"""What an alarm is: metric alarms, composite alarms, and the alarms of one template together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from dashboards.preview.alarm_rule import Rule, names_in
from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_math import Query


class AlarmState(StrEnum):
    """The three states, in CloudWatch's words."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MissingData(StrEnum):
    """How an alarm treats periods without data."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


@dataclass(frozen=True, slots=True)
class Actions:
    """Whom a change of state tells, by the new state."""

    targets: Mapping[AlarmState, tuple[str, ...]]
    enabled: bool

    def on(self, state: AlarmState) -> tuple[str, ...]:
        return self.targets.get(state, ()) if self.enabled else ()


@dataclass(frozen=True, slots=True)
class Header:
    """What metric alarms and composite alarms have in common."""

    name: str
    arn: str
    description: str
    actions: Actions
    tags: Mapping[str, str]
    place: str


@dataclass(frozen=True, slots=True)
class MetricAlarm:
    """An alarm on one metric or on one expression: M (`datapoints`) of N (`periods`)."""

    header: Header
    queries: tuple[Query, ...]
    period: int
    periods: int
    datapoints: int
    threshold: float
    comparison: str
    missing: MissingData

    @property
    def watched(self) -> Query:
        """The one query whose series is compared with the threshold."""
        return next(query for query in self.queries if query.returned)


@dataclass(frozen=True, slots=True)
class Suppressor:
    """The alarm that holds a composite's actions back, and how long is waited around it, in seconds."""

    alarm: str
    wait: int
    extension: int


@dataclass(frozen=True, slots=True)
class CompositeAlarm:
    """An alarm on the states of other alarms."""

    header: Header
    rule: Rule
    suppressor: Suppressor | None = None

    @property
    def children(self) -> tuple[str, ...]:
        """Names or ARNs, as the rule writes them."""
        return names_in(self.rule)


type Alarm = MetricAlarm | CompositeAlarm


@dataclass(frozen=True)
class AlarmSet:
    """The alarms of one template."""

    alarms: tuple[Alarm, ...]

    def metric_alarms(self) -> Iterable[MetricAlarm]:
        return (alarm for alarm in self.alarms if isinstance(alarm, MetricAlarm))

    def find(self, reference: str) -> Alarm:
        """Finds an alarm by its name or its ARN.

        Raises:
            PreviewError: If there is none.
        """
        if reference not in self._by_reference:
            message = f"there is no alarm {reference}"
            raise PreviewError(message)
        return self._by_reference[reference]

    @cached_property
    def composites(self) -> tuple[CompositeAlarm, ...]:
        """Children before their parents, so that one pass evaluates them all.

        Raises:
            PreviewError: If composite alarms contain each other.
        """
        ordered: dict[str, CompositeAlarm] = {}

        def visit(alarm: Alarm, above: tuple[str, ...]) -> None:
            name = alarm.header.name
            if name in above:
                message = f"composite alarms contain each other: {' > '.join((*above, name))}"
                raise PreviewError(message)
            if isinstance(alarm, CompositeAlarm):
                for child in alarm.children:
                    visit(self.find(child), (*above, name))
                ordered[name] = alarm

        for alarm in self.alarms:
            visit(alarm, ())
        return tuple(ordered.values())

    @cached_property
    def _by_reference(self) -> dict[str, Alarm]:
        return {key: alarm for alarm in self.alarms for key in (alarm.header.name, alarm.header.arn)}
