"""The record of one invocation: the only thing that the rest of the function tells what it does."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger

from rotation.errors import RotationError, printable
from rotation.tracing import Tracing

UNKNOWN = "unknown"


def printable_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that are known, with texts that can neither end a line nor fail to be written: some come from a secret."""
    known = {key: value for key, value in facts.items() if value is not None}
    return {key: printable(value) if isinstance(value, str) else value for key, value in known.items()}


class StepRecord:
    """Facts and timings of one invocation, gathered while it runs."""

    def __init__(self, logger: Logger, tracing: Tracing) -> None:
        logger.set_correlation_id(None)  # the logger outlives the invocation, its rotation does not
        self._logger = logger
        self._tracing = tracing
        self._began = time.perf_counter()
        self.began_ms = time.time_ns() // 1_000_000
        self.facts: dict[str, Any] = {}
        self.phases_ms: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    def note(self, **facts: Any) -> None:
        """Remember what became known; None is ignored. Nothing secret."""
        self.facts.update(printable_facts(facts))
        if "rotation_id" in facts:
            # At once, so that the details that follow carry it as well.
            self._logger.set_correlation_id(self.facts["rotation_id"])

    def fact(self, name: str) -> str:
        """A noted fact for use as a dimension."""
        return str(self.facts.get(name, UNKNOWN))

    @contextmanager
    def call(self, phase: str, operation: str) -> Iterator[None]:
        """Time a call that leaves the process; `phase` sums up in the log line, the operation is a span."""
        began = time.perf_counter()
        outcome = "ok"
        with self._tracing.span(f"{phase}.{operation}", remote=True) as span:
            try:
                yield
            except RotationError as error:
                outcome = error.reason
                span.fail(error.reason)
                raise
            except BaseException:
                outcome = UNKNOWN
                span.fail(UNKNOWN)
                raise
            finally:
                took = (time.perf_counter() - began) * 1000
                self.phases_ms[phase] = self.phases_ms.get(phase, 0.0) + took
                self.calls[phase] = self.calls.get(phase, 0) + 1
                self._logger.debug("call", call=f"{phase}.{operation}", result=outcome, took_ms=round(took, 2))

    def elapsed_ms(self) -> float:
        """Milliseconds since the step began."""
        return (time.perf_counter() - self._began) * 1000
