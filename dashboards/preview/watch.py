"""One stack under observation: its definitions, what was observed of it, and what to show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dashboards.preview.alarm_board import AlarmBoard
from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.alarm_view import alarm_wall
from dashboards.preview.dashboard import Dashboard, Source, read_dashboards, render
from dashboards.preview.documents import Content, PreviewError
from dashboards.preview.telemetry import Telemetry
from dashboards.preview.template import Stack
from dashboards.preview.time_ranges import TimeRange, own_range
from dashboards.preview.traces import waterfalls
from dashboards.preview.validation import validate
from dashboards.preview.variables import Choice

_PADDING = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Options:
    """How the page is to look.

    Attributes:
        title: What stands at the top of the page.
        fitted: Show the stretch of time there is data for, instead of what each dashboard asks for.
        annotation: The X-Ray annotation that holds the invocations of one rotation together.
    """

    title: str = "Secret rotation"
    fitted: bool = False
    annotation: str = "rotation_id"


class Watch:
    """A stack's alarms and dashboards, fed by `telemetry`, on a clock that the caller moves."""

    def __init__(self, stack: Stack, options: Options | None = None) -> None:
        """Reads what the stack deploys.

        Raises:
            PreviewError: If CloudWatch would refuse any of it; every finding is named.
        """
        if findings := validate(stack):
            raise PreviewError("\n".join(str(finding) for finding in findings))
        self.stack = stack
        self.options = options or Options()
        self.telemetry = Telemetry()
        self.board = AlarmBoard(read_alarms(stack), self.telemetry.store)
        self.dashboards: list[Dashboard] = read_dashboards(stack)

    @classmethod
    def template(
        cls,
        path: Path,
        parameters: Mapping[str, object] | None = None,
        *,
        names: Mapping[str, str] | None = None,
        options: Options | None = None,
    ) -> "Watch":
        """Watches what a template file deploys; see `Stack.load`."""
        return cls(Stack.load(path, parameters, names=names), options)

    def replay(self) -> datetime:
        """Evaluates the alarms minute by minute over everything that was taken so far; returns where the clock stands.

        Raises:
            PreviewError: If nothing was taken.
        """
        span = self.telemetry.store.span()
        if span is None:
            message = "there is no metric in what was read: give log lines in the embedded metric format"
            raise PreviewError(message)
        end = span[1] + _PADDING
        self.board.run(span[0] + timedelta(minutes=1), end)
        return end

    def page(self, now: datetime, choice: Choice | None = None) -> Content:
        """Everything the page shows at a time of the simulated clock, as JSON.

        With a choice of variables only that one is rendered; without, all are, for a page that stands alone.
        """
        source = Source(self.telemetry, self.board)
        ranges = [self._range(dashboard, now) for dashboard in self.dashboards]
        shown = max(ranges, key=lambda time: time.end - time.start, default=TimeRange(now - timedelta(hours=3), now))
        boards = zip(self.dashboards, ranges, strict=True)
        return {
            "title": self.options.title,
            "stack": self.stack.name,
            "now": now.isoformat(),
            "start": shown.start.isoformat(),
            "dashboards": [render(dashboard, source, time, choice) for dashboard, time in boards],
            "alarms": alarm_wall(self.board, shown),
            "rotations": waterfalls(self.telemetry.segments, self.options.annotation),
            "problems": self.telemetry.problems,
        }

    def _range(self, dashboard: Dashboard, now: datetime) -> TimeRange:
        own = own_range(dashboard.body, now)
        span = self.telemetry.store.span() if self.options.fitted else None
        if span is None:
            return own
        return TimeRange(max(own.start, span[0] - _PADDING), now, exact=False)
