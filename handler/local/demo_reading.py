"""From what the local stage gives back to the demonstration's report."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from statistics import median
from typing import Any

from local.demo_report import AttemptSeen, MetricSeen, SpanSeen, Statistics, StepSeen, StepStatistics
from local.invocation import Invocation
from local.secrets_manager_rotation import RotationReport
from local.xray import TraceNode


def step_seen(step: str, invocation: Invocation) -> StepSeen:
    """Read what one invocation wrote."""
    lines = list(_documents(invocation.log_lines))
    return StepSeen(
        step=step,
        duration_ms=round(invocation.duration_ms, 1),
        init_duration_ms=invocation.init_duration_ms and round(invocation.init_duration_ms, 1),
        log=next((line for line in lines if line.get("step") == step and "_aws" not in line), None),
        metrics=tuple(metric for line in lines if "_aws" in line for metric in _metrics(line)),
    )


def attempt_seen(report: RotationReport, nodes: Iterable[TraceNode]) -> AttemptSeen:
    """Read all that one way through the steps has left."""
    return AttemptSeen(
        secret=report.secret_arn,
        version_id=report.version_id,
        steps=tuple(step_seen(step, invocation) for step, invocation in report.invocations.items()),
        failed_step=report.failed_step,
        failure=report.failure,
        events=report.events,
        trace=_spans(nodes),
    )


def statistics_of(durations: Mapping[str, Sequence[float]], seconds: float) -> Statistics:
    """Sum up durations in milliseconds by step, over rotations that took so many seconds together."""
    rotations = max(map(len, durations.values()))
    steps = [
        StepStatistics(
            step=step,
            median_ms=round(median(values), 1),
            p95_ms=round(sorted(values)[math.ceil(0.95 * len(values)) - 1], 1),
            max_ms=round(max(values), 1),
        )
        for step, values in durations.items()
    ]
    return Statistics(
        rotations=rotations, seconds=round(seconds, 3), per_second=round(rotations / seconds, 1), steps=tuple(steps)
    )


def _spans(nodes: Iterable[TraceNode], origin: float | None = None) -> tuple[SpanSeen, ...]:
    """Take over finished parts of a trace, with times counted from the first."""
    finished = [node for node in nodes if node.duration_ms is not None]
    first = min((node.start for node in finished), default=0.0) if origin is None else origin
    return tuple(
        SpanSeen(
            name=node.name,
            start_ms=round((node.start - first) * 1000, 2),
            duration_ms=round(node.duration_ms or 0.0, 2),
            remote=node.namespace == "remote",
            fault=node.fault,
            annotations=node.annotations,
            children=_spans(node.children, first),
        )
        for node in finished
    )


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        # What the runtime itself writes about a failure is text.
        with suppress(ValueError):
            document = json.loads(line)
            if isinstance(document, dict):
                yield document


def _metrics(line: dict[str, Any]) -> Iterator[MetricSeen]:
    for directive in line["_aws"]["CloudWatchMetrics"]:
        sets = tuple({name: line[name] for name in names} for names in directive["Dimensions"])
        for metric in directive["Metrics"]:
            for value in line[metric["Name"]]:
                yield MetricSeen(name=metric["Name"], value=value, unit=metric["Unit"], dimensions=sets)
