"""The alarm wall: every alarm with its state, its meaning and its history, as JSON for the page."""

from datetime import datetime, timedelta

from dashboards.preview.alarm_board import AlarmBoard, Transition
from dashboards.preview.alarm_evaluation import SIGNS
from dashboards.preview.alarms import Alarm, AlarmState, CompositeAlarm, MetricAlarm
from dashboards.preview.documents import Content
from dashboards.preview.rich_text import to_html
from dashboards.preview.time_ranges import TimeRange

_ORDER = (AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA, AlarmState.OK)


def urgency(state: AlarmState) -> int:
    """Where alarms in this state stand in a list: the lower, the nearer to the top."""
    return _ORDER.index(state)


def alarm_wall(board: AlarmBoard, time: TimeRange) -> list[Content]:
    """Ringing alarms first, composites before what they watch, then by how long they ring and by name."""
    alarms = sorted(board.alarms.alarms, key=lambda alarm: _rank(alarm, board, time.end))
    return [_alarm(alarm, board, time) for alarm in alarms]


def _rank(alarm: Alarm, board: AlarmBoard, now: datetime) -> tuple[int, bool, float, str]:
    state, name = board.state(alarm.header.name), alarm.header.name
    since = (board.since(name) or now).timestamp() if state is AlarmState.ALARM else 0.0
    return urgency(state), not isinstance(alarm, CompositeAlarm), since, name


def _alarm(alarm: Alarm, board: AlarmBoard, time: TimeRange) -> Content:
    header = alarm.header
    since = board.since(header.name)
    return {
        "name": header.name,
        "arn": header.arn,
        "state": board.state(header.name),
        "since": since.isoformat() if since else None,
        "reason": board.reason(header.name),
        "severity": _severity(alarm),
        "composite": isinstance(alarm, CompositeAlarm),
        "children": _children(alarm, board),
        "condition": _condition(alarm),
        "description": to_html(header.description),
        "tells": [arn.rsplit(":", 1)[-1] for arn in header.actions.on(AlarmState.ALARM)],
        "history": [_transition(change) for change in reversed(board.history(header.name))],
        "strip": _strip(board.history(header.name), time),
    }


def _severity(alarm: Alarm) -> str:
    """The tag `severity`; without one, the name of the topic that is told."""
    tagged = next((value for name, value in alarm.header.tags.items() if name.lower() == "severity"), None)
    told = alarm.header.actions.on(AlarmState.ALARM)
    return tagged or (told[0].rsplit(":", 1)[-1] if told else "")


def _children(alarm: Alarm, board: AlarmBoard) -> list[str]:
    if not isinstance(alarm, CompositeAlarm):
        return []
    return [board.alarms.find(child).header.name for child in alarm.children]


def _condition(alarm: Alarm) -> str:
    """In a sentence, what makes the alarm go off."""
    if not isinstance(alarm, MetricAlarm):
        return "goes off by the state of other alarms"
    watched = alarm.watched
    subject = f"{watched.statistic} of {watched.key}" if watched.key else f"{watched.expression}"
    times = f"{alarm.datapoints} of {alarm.periods} periods of {_duration(alarm.period)}"
    inputs = "; ".join(f"{q.id} is {q.statistic} of {q.key}" for q in alarm.queries if q.key and q is not watched)
    sentence = f"{subject} {SIGNS[alarm.comparison]} {alarm.threshold:g} for {times}"
    return f"{sentence}, missing data: {alarm.missing}" + (f" ({inputs})" if inputs else "")


def _duration(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _transition(change: Transition) -> Content:
    return {
        "time": change.time.isoformat(),
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
    }


def _strip(history: tuple[Transition, ...], time: TimeRange) -> list[Content]:
    """The states over the shown range, as shares of its width."""
    width = max(time.end - time.start, timedelta(seconds=1))
    before = [change for change in history if change.time <= time.start]
    state = before[-1].after if before else AlarmState.INSUFFICIENT_DATA
    edges = [(time.start, state)]
    edges += [(change.time, change.after) for change in history if time.start < change.time < time.end]
    ends = [start for start, _ in edges[1:]] + [time.end]
    return [
        {"state": found, "start": (start - time.start) / width, "width": (end - start) / width}
        for (start, found), end in zip(edges, ends, strict=True)
    ]
