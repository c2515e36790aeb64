"""CloudWatch on the simulated clock: it takes what functions write and Lambda measures, and runs the stack's alarms."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboards.drill.simulated_clock import SimulatedClock
from dashboards.preview.alarm_board import AlarmBoard, Transition
from dashboards.preview.alarms import AlarmSet, AlarmState
from dashboards.preview.emf import extract, read_events
from dashboards.preview.metric_store import MetricKey, MetricPoint, MetricStore
from local.invocation import Invocation

MINUTE = timedelta(minutes=1)


class CloudWatch:
    """Metrics and alarms of one stack. Nothing but data points decides on an alarm."""

    def __init__(self, alarms: AlarmSet, clock: SimulatedClock) -> None:
        self.alarms = alarms
        self.emitted: set[MetricKey] = set()
        self._clock = clock
        self._recordings: list[list[MetricPoint]] = []
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget all data points and states, as in a new account."""
        self._store = MetricStore()
        self.board = AlarmBoard(self.alarms, self._store)
        self._evaluated = self._clock.now.replace(second=0, microsecond=0)

    def take(self, invocation: Invocation) -> None:
        """Take an invocation's log lines, as CloudWatch Logs does, and what Lambda itself measured of it."""
        log_group = f"/aws/lambda/{invocation.function_name}"
        events = read_events(invocation.log_lines, log_group, lambda: datetime.now(UTC))
        written = (point for event in events for point in extract(event).points)
        measured = (
            MetricPoint(
                MetricKey(point.namespace, point.name, frozenset(point.dimensions.items())),
                point.timestamp,
                (point.value,),
                unit=point.unit,
            )
            for point in invocation.platform_metrics
        )
        for points in (written, measured):
            self.put(replace(point, timestamp=self._clock.at(point.timestamp)) for point in points)

    def count(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> None:
        """Take one occurrence that a service of AWS would report now."""
        key = MetricKey(namespace, name, frozenset(dimensions.items()))
        self.put([MetricPoint(key, self._clock.now, (1.0,), unit="Count")])

    def put(self, points: Iterable[MetricPoint]) -> None:
        """Take data points that carry simulated times."""
        taken = list(points)
        self._store.put(taken)
        self.emitted.update(point.key for point in taken)
        for recording in self._recordings:
            recording.extend(taken)

    @contextmanager
    def recording(self) -> Iterator[list[MetricPoint]]:
        """Note the data points that come in during the block, to be replayed at other times."""
        recording: list[MetricPoint] = []
        self._recordings.append(recording)
        try:
            yield recording
        finally:
            self._recordings.pop()  # the innermost: by value, one empty list is like another

    def evaluate(self) -> list[Transition]:
        """Evaluate all alarms at every full minute that has passed since the last time."""
        transitions: list[Transition] = []
        while self._evaluated + MINUTE <= self._clock.now:
            self._evaluated += MINUTE
            transitions += self.board.evaluate(self._evaluated)
        return transitions

    def ringing(self) -> set[str]:
        """The alarms that are in ALARM."""
        return set(self.board.ringing())

    def undecided(self) -> set[str]:
        """The alarms that have not yet seen enough data for a verdict."""
        names = (alarm.header.name for alarm in self.alarms.alarms)
        return {name for name in names if self.board.state(name) is AlarmState.INSUFFICIENT_DATA}
