"""The drill's stage with all that it does on a page: metrics and alarms, log lines, traces."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, override

from dashboards.drill.deployment import Deployment, FunctionDefinition
from dashboards.drill.stage import Stage
from dashboards.preview.emf import LogEvent, extract, read_events
from dashboards.preview.metric_store import MetricPoint
from dashboards.preview.watch import Options, Watch
from local.invocation import Invocation
from local.xray import XRayDaemon

_MOST_EVENTS = 20_000
_MOST_SEGMENTS = 1_000
"""More than the page shows; what is older is forgotten, because a session may last for hours."""


class ObservedStage(Stage):
    """What the functions write and send carries real times; the page gets it on the stage's clock."""

    def __init__(self, xray: XRayDaemon, options: Options) -> None:
        deployment = Deployment()
        # Rotations alone: the watchers' traces would crowd them off the page.
        deployment.rotation = _traced(deployment.rotation, xray)
        super().__init__(deployment)
        self.watch = Watch(deployment.stack, options)
        self.points: list[MetricPoint] = []
        self._xray = xray
        self._datagrams_seen = 0

    @override
    def evaluate(self) -> None:
        super().evaluate()
        self.watch.telemetry.take_points(self.points)
        self.points.clear()

    @override
    def _observe(self, invocation: Invocation) -> None:
        super()._observe(invocation)
        telemetry, group = self.watch.telemetry, f"/aws/lambda/{invocation.function_name}"
        for event in read_events(invocation.log_lines, group, lambda: datetime.now(UTC)):
            telemetry.events.append(self._on_clock(event))
            if error := extract(event).error:
                telemetry.problems.append(f"{group}: {error}")
        telemetry.segments += self._new_segments()
        del telemetry.events[:-_MOST_EVENTS], telemetry.segments[:-_MOST_SEGMENTS]

    def _on_clock(self, event: LogEvent) -> LogEvent:
        fields = dict(event.fields)
        if isinstance(since := fields.get("since"), str):
            fields["since"] = self.clock.at(datetime.fromisoformat(since)).isoformat(timespec="seconds")
        return replace(event, timestamp=self.clock.at(event.timestamp), fields=fields)

    def _new_segments(self) -> Iterator[dict[str, Any]]:
        datagrams = self._xray.datagrams
        for datagram in datagrams[self._datagrams_seen :]:
            yield _moved(json.loads(datagram.partition(b"\n")[2]), self.clock.skipped)
        self._datagrams_seen = len(datagrams)


@contextmanager
def observed_stage(options: Options) -> Iterator[ObservedStage]:
    """The stage for as long as the block lasts."""
    with XRayDaemon() as xray, ObservedStage(xray, options) as stage:
        stage.watch.board = stage.cloudwatch.board
        with stage.cloudwatch.recording() as stage.points:
            yield stage


def _traced(function: FunctionDefinition, xray: XRayDaemon) -> FunctionDefinition:
    return replace(function, variables={**function.variables, **xray.environment})


def _moved(segment: dict[str, Any], by: timedelta) -> dict[str, Any]:
    """A segment document with its subsegments, at a later time."""
    moved = {**segment, "subsegments": [_moved(part, by) for part in segment.get("subsegments", ())]}
    for name in {"start_time", "end_time"} & segment.keys():
        moved[name] += by.total_seconds()
    return moved
