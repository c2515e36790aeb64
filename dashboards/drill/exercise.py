"""Runs scenarios one after the other on one stage, and judges what rang."""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime

from dashboards.drill.deployment import SERVICE
from dashboards.drill.report import Verdict
from dashboards.drill.scenario import Scenario
from dashboards.drill.stage import Stage
from dashboards.preview.alarms import AlarmState
from rotation.metrics import Metric

_CLEAR_WITHIN = 180
_SETTLE = 20


class Exercise:
    """Scenarios on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def run(self, scenario: Scenario) -> Verdict:
        """Cause it, listen, remove the cause, and wait until all is silent again.

        Whatever goes wrong in one scenario is its verdict, and the stage is put in order for the next.
        """
        begun, before = self._stage.clock.now, len(self._stage.transitions)
        try:
            cleared, problems = self._cause(scenario, before)
        except Exception as error:  # noqa: BLE001 - the other scenarios are to be heard as well
            self._stage.restore()
            cleared, problems = None, [f"{type(error).__name__}: {error}"]
        rang = {name: _minutes(begun, at) for name, at in self._rung(before).items()}
        problems += [*_alarm_problems(scenario, rang), *self._flapping(before)]
        if self._stage.cloudwatch.ringing():
            self._stage.start_afresh()
        return Verdict(
            name=scenario.name,
            title=scenario.title,
            expected=tuple(sorted(scenario.rings)),
            rang=rang,
            cleared=cleared if rang else 0,
            problems=tuple(problems),
        )

    def _cause(self, scenario: Scenario, before: int) -> tuple[int | None, list[str]]:
        """Minutes until all was clear, and what was wrong apart from the alarms that rang."""
        stage, cloudwatch = self._stage, self._stage.cloudwatch
        with cloudwatch.recording() as points, scenario.cause(stage):
            stage.run(scenario.patience, until=lambda: bool(scenario.rings) and scenario.rings <= self._rung(before).keys())
            stage.run(scenario.listen_on)
        removed = stage.clock.now
        stage.run(_CLEAR_WITHIN, until=lambda: not cloudwatch.ringing())
        cleared = None if cloudwatch.ringing() else _minutes(removed, stage.clock.now)
        stage.run(_SETTLE)
        problems = [f"{_short(alarm)} still rings" for alarm in sorted(cloudwatch.ringing())]
        problems += [f"{_short(alarm)} has no data to decide on" for alarm in sorted(cloudwatch.undecided())]
        reasons = {dict(point.key.dimensions).get("reason") for point in points if point.key.name == Metric.FAILURES}
        if scenario.reason and scenario.reason not in reasons:
            problems.append(f"no failure was counted for the reason {scenario.reason}")
        return cleared, problems

    def _flapping(self, since: int) -> Iterator[str]:
        """The metric alarms that went off more than once, where there was one cause."""
        rung = Counter(change.alarm for change in self._stage.transitions[since:] if change.after is AlarmState.ALARM)
        for alarm in self._stage.cloudwatch.alarms.metric_alarms():
            if rung[alarm.header.name] > 1:
                yield f"{_short(alarm.header.name)} rang {rung[alarm.header.name]} times"

    def _rung(self, since: int) -> dict[str, datetime]:
        """When each alarm went off first."""
        rung = [change for change in self._stage.transitions[since:] if change.after is AlarmState.ALARM]
        first = {_short(change.alarm): change.time for change in reversed(rung)}
        return dict(sorted(first.items(), key=lambda item: (item[1], item[0])))


def _alarm_problems(scenario: Scenario, rang: Collection[str]) -> Iterator[str]:
    for alarm in sorted(scenario.rings.difference(rang)):
        yield f"{alarm} did not ring"
    for alarm in sorted({*rang} - scenario.rings - scenario.alongside):
        yield f"{alarm} rang for no reason"


def _short(alarm: str) -> str:
    return alarm.removeprefix(f"{SERVICE}-")


def _minutes(begin: datetime, end: datetime) -> int:
    return round((end - begin).total_seconds() / 60)
