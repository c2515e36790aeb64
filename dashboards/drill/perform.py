"""A drill from its beginning to its end: set the stage, run the scenarios, look for gaps."""

import time
from collections.abc import Callable, Sequence

from dashboards.drill.coverage import gaps
from dashboards.drill.deployment import Deployment
from dashboards.drill.exercise import Exercise
from dashboards.drill.report import DrillReport
from dashboards.drill.scenario import Scenario
from dashboards.drill.scenarios import ALL
from dashboards.drill.screen import Screen
from dashboards.drill.stage import Stage
from dashboards.preview.alarms import AlarmState


def perform(
    deployment: Deployment, chosen: Sequence[Scenario], screen: Screen, check_interruption: Callable[[], None]
) -> DrillReport:
    """Run the chosen scenarios; the first is always the deployment, because the alarms have to begin somewhere.

    `check_interruption` is called at every simulated minute, and may raise to end the drill there.
    """
    began = time.perf_counter()
    scenarios = list(dict.fromkeys((ALL[0], *chosen)))
    verdicts = []
    with Stage(deployment, check_interruption) as stage:
        exercise = Exercise(stage)
        for scenario in scenarios:
            with screen.running(scenario.title):
                verdicts.append(exercise.run(scenario))
            screen.verdict(verdicts[-1])
        rang = {change.alarm for change in stage.transitions if change.after is AlarmState.ALARM}
        complete = len(scenarios) == len(ALL)
        found = tuple(gaps(deployment, rang, stage.cloudwatch.emitted)) if complete else ()
    seconds = round(time.perf_counter() - began, 1)
    report = DrillReport(verdicts=tuple(verdicts), gaps=found, complete=complete, seconds=seconds)
    screen.conclusion(report)
    return report
