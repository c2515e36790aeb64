"""One invocation as an operator sees it: log, metrics and trace, taken apart."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.invocation import Invocation
from local.xray import TraceNode, XRayDaemon


@dataclass(frozen=True)
class EmittedMetric:
    """One metric of one log line in the embedded metric format."""

    namespace: str
    name: str
    unit: str
    values: tuple[float, ...]
    dimension_sets: tuple[tuple[str, ...], ...]
    record: dict[str, Any]
    """The whole log line."""

    @property
    def value(self) -> float:
        (value,) = self.values
        return value


class Seen:
    """One invocation."""

    def __init__(self, invocation: Invocation, xray: XRayDaemon) -> None:
        self.invocation = invocation
        self._xray = xray

    @property
    def succeeded(self) -> bool:
        return self.invocation.succeeded

    @property
    def outcome(self) -> str:
        """The outcome that the caller is told."""
        assert self.succeeded, self.error
        return str(self.invocation.payload["outcome"])

    @property
    def error(self) -> str:
        """The error that the caller is told."""
        return f"{self.invocation.error_type}: {self.invocation.error_message}"

    @cached_property
    def documents(self) -> list[dict[str, Any]]:
        """Every log line that is JSON."""
        return [json.loads(line) for line in self.invocation.log_lines if line.startswith("{")]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines that tell of the whole step or look: there is one."""
        return [line for line in self.documents if "level" in line and "request_id" in line]

    @property
    def line(self) -> dict[str, Any]:
        (line,) = self.lines
        return line

    @property
    def details(self) -> list[dict[str, Any]]:
        """The lines that tell of single calls."""
        return [line for line in self.documents if "call" in line]

    @cached_property
    def emitted(self) -> list[EmittedMetric]:
        return [
            EmittedMetric(
                directive["Namespace"],
                metric["Name"],
                metric["Unit"],
                tuple(record[metric["Name"]]),
                tuple(map(tuple, directive["Dimensions"])),
                record,
            )
            for record in self.documents
            if "_aws" in record
            for directive in record["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"]
        ]

    @property
    def metrics(self) -> dict[str, float]:
        """Values by name; each metric is emitted once."""
        values = {metric.name: metric.value for metric in self.emitted}
        assert len(values) == len(self.emitted)
        return values

    @cached_property
    def trace(self) -> TraceNode:
        """The root of what the function itself recorded."""
        (root,) = self._xray.trace_tree(self.invocation.trace_id)
        return root

    @property
    def reasons(self) -> dict[str, str | None]:
        """Why it failed, by each way in which that is told."""
        failures = [metric for metric in self.emitted if metric.name == "Failures"]
        return {
            "error": (self.invocation.error_message or "").partition(":")[0],
            "line": self.line.get("reason"),
            "metric": failures[0].record["reason"] if failures else None,
            "trace": self.trace.annotations.get("reason"),
        }
