"""What one invocation of a Lambda function came to, and what the platform would have measured of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class MetricPoint:
    """One data point as Lambda itself publishes it, under the invocation's *start*."""

    namespace: str
    name: str
    value: float
    unit: str
    timestamp: datetime
    dimensions: dict[str, str]


@dataclass(frozen=True)
class Invocation:
    """The result of a synchronous invocation, with all that its log stream and its report line hold.

    `function_error` is None on success and `Unhandled` otherwise, as in the API. A throttled invocation never reached the
    function: it has no function error, no log and no duration. `log_lines` are log events in order (an event may hold line
    breaks); those of the initialisation come first. `trace_id` is the X-Ray trace id, `1-<time>-<id>`.
    """

    function_name: str
    request_id: str
    trace_id: str
    started_at: datetime
    payload: Any = None
    function_error: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    log_lines: tuple[str, ...] = ()
    duration_ms: float = 0.0
    init_duration_ms: float | None = None
    cold_start: bool = False
    timed_out: bool = False
    throttled: bool = False
    max_memory_mb: int = 0

    @property
    def succeeded(self) -> bool:
        return self.function_error is None and not self.throttled

    @property
    def platform_metrics(self) -> tuple[MetricPoint, ...]:
        """The data points in `AWS/Lambda`; a throttled call is in neither Invocations nor Errors."""
        if self.throttled:
            return (self._point("Throttles", 1, "Count"),)
        return (
            self._point("Invocations", 1, "Count"),
            self._point("Errors", float(self.function_error is not None), "Count"),
            self._point("Duration", self.duration_ms, "Milliseconds"),
            self._point("Throttles", 0, "Count"),
        )

    def _point(self, name: str, value: float, unit: str) -> MetricPoint:
        return MetricPoint("AWS/Lambda", name, value, unit, self.started_at, {"FunctionName": self.function_name})
