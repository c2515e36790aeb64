"""Everything that was observed: log events with the metrics in them, platform metrics, and traces."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime

from dashboards.preview.documents import Json
from dashboards.preview.emf import LogEvent, extract, read_events
from dashboards.preview.metric_store import MetricPoint, MetricStore


class Telemetry:
    """Grows while rotations run. `problems` tells what CloudWatch would not have taken, in words."""

    def __init__(self) -> None:
        self.store = MetricStore()
        self.events: list[LogEvent] = []
        self.segments: list[dict[str, Json]] = []
        self.problems: list[str] = []

    def take_lines(
        self, lines: Iterable[str], log_group: str, clock: Callable[[], datetime] | None = None
    ) -> list[LogEvent]:
        """Takes log lines of any kind, in their order; see `emf.read_events` for the clock."""
        events = list(read_events(lines, log_group, clock))
        for event in events:
            found = extract(event)
            self.store.put(found.points)
            if found.error:
                self.problems.append(f"{log_group}: {found.error}")
        self.events += events
        return events

    def take_points(self, points: Iterable[MetricPoint]) -> None:
        """Takes metrics that AWS itself would report, such as those of AWS/Lambda."""
        self.store.put(points)

    def take_segments(self, texts: Iterable[str]) -> None:
        """Takes X-Ray segment documents as the daemon gets them: with or without its header line."""
        for text in texts:
            body = text.strip().rsplit("\n", 1)[-1]
            if body:
                self.segments.append(json.loads(body))
