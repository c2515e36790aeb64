"""Recorded telemetry, for the long stretches in which thousands of real invocations would say the same again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dashboards.drill.cloudwatch import CloudWatch
from dashboards.drill.stage import Stage
from dashboards.preview.metric_store import MetricPoint


@dataclass(frozen=True)
class Replay:
    """The data points of one real rotation, its events included, and of one real look of the probe."""

    rotation: Sequence[MetricPoint]
    look: Sequence[MetricPoint]

    @classmethod
    def record(cls, stage: Stage) -> "Replay":
        """Rotate once and look once, for real."""
        victim = stage.victim()
        with stage.cloudwatch.recording() as rotation:
            victim.succeed()
        victim.forget()
        with stage.cloudwatch.recording() as look:
            stage.probe_rule.target.invoke({})
        return cls(rotation, look)

    def rotate(self, cloudwatch: CloudWatch, at: datetime, count: int = 1) -> None:
        """Let `count` rotations happen at one simulated time."""
        counts = (float(count),)
        cloudwatch.put(replace(point, timestamp=at, counts=counts) for point in self.rotation if count)

    def look_around(self, cloudwatch: CloudWatch, at: datetime) -> None:
        """Let the probe look at one simulated time."""
        cloudwatch.put(replace(point, timestamp=at) for point in self.look)
