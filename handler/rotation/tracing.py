"""The only module that knows what traces are made with.

The X-Ray SDK is in maintenance; a move to OpenTelemetry is a change of this file. Exceptions are never handed to it: it
would put their text into the trace. A failed span carries the stable reason instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Tracer
from aws_xray_sdk.core.streaming.default_streaming import DefaultStreaming

_SPANS_PER_DATAGRAM = 50
"""A span takes up to 500 bytes, and X-Ray drops what exceeds a datagram's 64 KB."""


class _WholeTrees(DefaultStreaming):  # type: ignore[misc]
    """Sends an invocation's spans together when the outermost ends, instead of each in a datagram of its own.

    Nothing is lost by the wait: X-Ray cannot show a span whose parent never arrived.
    """

    def is_eligible(self, segment: Any) -> bool:
        """Whether to send what has ended: when all has, or when there is more of it than a datagram holds."""
        is_complete = not any(subsegment.in_progress for subsegment in segment.subsegments)
        return bool((segment.sampled and is_complete) or super().is_eligible(segment))


class Span:
    """One timed part of the trace."""

    def __init__(self, subsegment: Any) -> None:
        self._subsegment = subsegment

    def annotate(self, **annotations: str | None) -> None:
        """Add searchable annotations; None is left out."""
        for key, value in annotations.items():
            if value is not None and self._subsegment is not None:
                self._subsegment.put_annotation(key, value)

    def fail(self, reason: str) -> None:
        """Mark as failed for a stable reason."""
        if self._subsegment is not None:
            self._subsegment.add_fault_flag()
            self._subsegment.put_annotation("reason", reason)


class Tracing:
    """Starts spans; without Lambda's environment they are not sent."""

    def __init__(self, service: str) -> None:
        # auto_patch would import and patch every driver and put user@host into the trace.
        self._tracer = Tracer(service=service, auto_patch=False)
        if not self._tracer.disabled:
            recorder: Any = self._tracer.provider
            recorder.configure(streaming=_WholeTrees(_SPANS_PER_DATAGRAM))

    @contextmanager
    def span(self, name: str, *, remote: bool) -> Iterator[Span]:
        """Time a block under `name`; `remote` marks a call that leaves the process."""
        if self._tracer.disabled:
            yield Span(None)
            return
        provider: Any = self._tracer.provider
        subsegment = provider.begin_subsegment(name, namespace="remote" if remote else "local")
        try:
            yield Span(subsegment)
        finally:
            provider.end_subsegment()
