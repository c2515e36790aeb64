"""All alarms of a template on a simulated clock: states, history and whom they would have told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dashboards.preview.alarm_evaluation import Verdict, evaluate, evaluation_range
from dashboards.preview.alarm_rule import holds
from dashboards.preview.alarms import Alarm, AlarmSet, AlarmState, CompositeAlarm, MetricAlarm
from dashboards.preview.metric_store import MetricStore

_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state: the only thing that makes CloudWatch act."""

    alarm: str
    time: datetime
    before: AlarmState
    after: AlarmState
    reason: str


@dataclass(frozen=True, slots=True)
class Notification:
    """An action that was carried out: `target` is the ARN it went to."""

    alarm: str
    time: datetime
    state: AlarmState
    target: str


@dataclass(slots=True)
class _Track:
    state: AlarmState = AlarmState.INSUFFICIENT_DATA
    since: datetime | None = None
    reason: str = "not evaluated yet"
    history: list[Transition] = field(default_factory=list)


class AlarmBoard:
    """The alarms with their memory. Time only moves forward."""

    def __init__(self, alarms: AlarmSet, store: MetricStore) -> None:
        self.alarms = alarms
        self.notifications: list[Notification] = []
        self._store = store
        self._tracks = {alarm.header.name: _Track() for alarm in alarms.alarms}
        self._held: dict[str, _Held] = {}
        self._silent: dict[tuple[str, AlarmState], Verdict] = {}

    def run(self, start: datetime, end: datetime, step: timedelta = _STEP) -> list[Transition]:
        """Evaluates at `start`, at every step after it, and not after `end`."""
        return [transition for at in _clock(start, end, step) for transition in self.evaluate(at)]

    def evaluate(self, at: datetime) -> list[Transition]:
        """Evaluates every alarm once, children before composites, and carries out what the changes call for."""
        changes = [self._metric(alarm, at) for alarm in self.alarms.metric_alarms()]
        changes += [self._composite(alarm, at) for alarm in self.alarms.composites]
        self._release(at)
        return [change for change in changes if change]

    def state(self, reference: str) -> AlarmState:
        """The state of an alarm by its name or ARN."""
        return self._track(reference).state

    def since(self, reference: str) -> datetime | None:
        """When the alarm came into its state; None before the first evaluation."""
        return self._track(reference).since

    def reason(self, reference: str) -> str:
        return self._track(reference).reason

    def history(self, reference: str) -> tuple[Transition, ...]:
        return tuple(self._track(reference).history)

    def ringing(self) -> tuple[str, ...]:
        """The names of the alarms that are in ALARM."""
        return tuple(name for name, track in self._tracks.items() if track.state is AlarmState.ALARM)

    def _track(self, reference: str) -> _Track:
        return self._tracks[self.alarms.find(reference).header.name]

    def _metric(self, alarm: MetricAlarm, at: datetime) -> Transition | None:
        return self._enter(alarm, self._verdict(alarm, at), at)

    def _verdict(self, alarm: MetricAlarm, at: datetime) -> Verdict:
        """Most metrics are silent most of the time, and silence that changed nothing before changes nothing now."""
        windows, previous = evaluation_range(alarm, at), self._track(alarm.header.name).state
        silence = (alarm.header.name, previous)
        if any(query.key and self._store.reaches(query.key, windows) for query in alarm.queries):
            return evaluate(alarm, self._store, at, previous)
        if silence not in self._silent:
            verdict = evaluate(alarm, self._store, at, previous)
            if verdict.state is not previous:
                return verdict
            self._silent[silence] = verdict
        return self._silent[silence]

    def _composite(self, alarm: CompositeAlarm, at: datetime) -> Transition | None:
        on = holds(alarm.rule, self.state)
        ringing = [self.alarms.find(child).header.name for child in alarm.children if self.state(child) == "ALARM"]
        reason = f"in ALARM: {', '.join(ringing)}" if ringing else "no child is in ALARM"
        return self._enter(alarm, Verdict(AlarmState.ALARM if on else AlarmState.OK, reason), at)

    def _enter(self, alarm: Alarm, verdict: Verdict, at: datetime) -> Transition | None:
        track = self._tracks[alarm.header.name]
        track.since = track.since or at
        if verdict.state is track.state:
            return None
        change = Transition(alarm.header.name, at, track.state, verdict.state, verdict.reason)
        track.state, track.since, track.reason = verdict.state, at, verdict.reason
        track.history.append(change)
        self._act(alarm, change)
        return change

    def _act(self, alarm: Alarm, change: Transition) -> None:
        self._held.pop(alarm.header.name, None)
        if isinstance(alarm, CompositeAlarm) and alarm.suppressor:
            self._held[alarm.header.name] = _Held(alarm, change.time + timedelta(seconds=alarm.suppressor.wait))
        else:
            self._notify(alarm, change.time)

    def _notify(self, alarm: Alarm, at: datetime) -> None:
        name = alarm.header.name
        state = self._tracks[name].state
        self.notifications += [Notification(name, at, state, target) for target in alarm.header.actions.on(state)]

    def _release(self, at: datetime) -> None:
        """Carries out held actions once their suppressor has been silent for long enough."""
        for name, held in list(self._held.items()):
            suppressor = held.alarm.suppressor
            if suppressor and self.state(suppressor.alarm) is AlarmState.ALARM:
                held.until = at + timedelta(seconds=suppressor.extension)
            elif at >= held.until:
                del self._held[name]
                self._notify(held.alarm, at)


@dataclass(slots=True)
class _Held:
    """A composite's actions that wait for its suppressor: first for it to go off, then for it to be over."""

    alarm: CompositeAlarm
    until: datetime


def _clock(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    at = start
    while at <= end:
        yield at
        at += step
