"""What an operator sees of a step: one log line, its metrics, its trace, all from one record of facts.

Only this module writes. The others note facts and time their calls on the `StepRecord` they are given, so that the log
line, the metrics and the trace cannot disagree.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.buffer import LoggerBufferConfig

from rotation.errors import DuplicateInFlightError, InternalError, RotationError
from rotation.metrics import Metric, emit
from rotation.settings import ReportingSettings
from rotation.step_record import UNKNOWN, StepRecord, printable_facts
from rotation.tracing import Span, Tracing


class LambdaContext(Protocol):
    """The parts of Lambda's context object that are used."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


class WatchReport:
    """What a watcher has found."""

    def __init__(self, record: StepRecord, logger: Logger) -> None:
        self.record = record
        self._logger = logger
        self._values: dict[Metric, float] = {}
        self._fault: RotationError | None = None

    def detail(self, message: str, **facts: Any) -> None:
        """Log one finding."""
        self._logger.warning(message, extra=printable_facts(facts))

    def measure(self, values: Mapping[Metric, float]) -> None:
        """Add figures."""
        self._values |= values

    def fault(self, error: RotationError) -> None:
        """Count a failure that was reported to the watcher rather than met by it."""
        self._fault = error

    def close(self, failure: RotationError | None, span: Span, namespace: str, service: str) -> None:
        """Write it all."""
        reported = failure or self._fault
        line = {**self.record.facts, "duration_ms": round(self.record.elapsed_ms(), 1), "calls": self.record.calls}
        if reported is None:
            self._logger.info("%s done", self.record.fact("watcher"), extra=line)
        else:
            self._values[Metric.FAILURES] = 1.0
            span.fail(reported.reason)
            extra = {"reason": reported.reason, "error": reported.message, "next_action": reported.next_action}
            self._logger.error("%s: %s", self.record.fact("watcher"), reported.reason, extra={**line, **extra})
        if self._values:
            dimensions = {"service": service, "reason": reported.reason if reported else UNKNOWN}
            secret = self.record.facts.get("secret_arn")
            emit(namespace, self._values, dimensions, {"secret": secret} if secret else {}, at_ms=self.record.began_ms)


class Observability:
    """Logger, metrics and tracer of one execution environment."""

    def __init__(self, settings: ReportingSettings) -> None:
        self._namespace = settings.metrics_namespace
        self._service = settings.service
        self._tracing = Tracing(settings.service)
        details = LoggerBufferConfig(buffer_at_verbosity="DEBUG", flush_on_error_log=True)
        self._holds_back = settings.log_level != "DEBUG"
        self._logger = Logger(
            service=settings.service,
            level=settings.log_level,
            # Details are held back until a failure asks for them, unless they are asked for always.
            buffer_config=details if self._holds_back else None,
            location=None,
        )
        self._cold = True

    @contextmanager
    def step(self, context: LambdaContext) -> Iterator[StepRecord]:
        """Observe one invocation from parse to answer, and report it whichever way it ends.

        Raises:
            RotationError: the block's own; anything else leaves as `InternalError`, stripped of its text.
        """
        record = StepRecord(self._logger, self._tracing)
        record.note(request_id=context.aws_request_id, cold_start=self._cold, outcome=UNKNOWN)
        self._cold = False
        with self._guarded(record, "rotation", lambda span, failure: self._report(record, span, failure, context)):
            yield record

    @contextmanager
    def watch(self, context: LambdaContext, watcher: str) -> Iterator["WatchReport"]:
        """Observe one look of a watcher (`probe`, `service_events`); its figures are written when it has ended well.

        Raises:
            RotationError: the block's own; anything else leaves as `InternalError`, stripped of its text.
        """
        report = WatchReport(StepRecord(self._logger, self._tracing), self._logger)
        report.record.note(watcher=watcher, request_id=context.aws_request_id)
        with self._guarded(
            report.record, watcher, lambda span, failure: report.close(failure, span, self._namespace, self._service)
        ):
            yield report

    @contextmanager
    def _guarded(
        self, record: StepRecord, name: str, report: Callable[[Span, RotationError | None], None]
    ) -> Iterator[None]:
        """Report a block whichever way it ends; what leaves it is a RotationError without a history."""
        failure: RotationError | None = None
        with self._tracing.span(name, remote=False) as span:
            try:
                yield
            except RotationError as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - whatever it is, an operator has to hear of it
                failure = InternalError(f"unexpected {type(error).__name__}")
                record.note(stack=_stack(error))
            report(span, failure)
        if failure is not None:
            raise failure from None

    def _report(self, record: StepRecord, span: Span, failure: RotationError | None, context: LambdaContext) -> None:
        remaining_ms = context.get_remaining_time_in_millis()
        if failure is not None:
            in_flight = isinstance(failure, DuplicateInFlightError)
            record.note(outcome="in_flight" if in_flight else "failed", reason=failure.reason)
            span.fail(failure.reason)
        took_ms = record.elapsed_ms()
        span.annotate(
            **{key: record.facts.get(key) for key in ("step", "engine", "strategy", "outcome", "reason", "run_kind")},
            rotation_id=record.facts.get("rotation_id"),
        )
        self._emit_metrics(record, failure, took_ms, remaining_ms)
        self._log(record, failure, took_ms, remaining_ms)

    def _log(self, record: StepRecord, failure: RotationError | None, took_ms: float, remaining_ms: int) -> None:
        facts = dict(record.facts)
        if "secret_arn" in facts:
            facts.pop("secret_id", None)
        facts.pop("rotation_id", None)  # it is every line's correlation id
        line = {
            **facts,
            "duration_ms": round(took_ms, 1),
            "remaining_ms": remaining_ms,
            "phases_ms": {phase: round(value, 1) for phase, value in record.phases_ms.items()},
            "calls": record.calls,
        }
        step = record.fact("step")
        if failure is None:
            self._logger.info("%s %s", step, record.fact("outcome"), extra=line)
        elif isinstance(failure, DuplicateInFlightError):
            self._logger.warning("%s in flight", step, extra={**line, "next_action": failure.next_action})
        else:
            detail = {"error": failure.message, "next_action": failure.next_action}
            self._logger.error("%s failed: %s", step, failure.reason, extra={**line, **detail})
        if self._holds_back:
            self._logger.clear_buffer()

    def _emit_metrics(self, record: StepRecord, failure: RotationError | None, took_ms: float, remaining_ms: int) -> None:
        dimensions = {
            "service": self._service,
            "step": record.fact("step"),
            "engine": record.fact("engine"),
            "reason": record.fact("reason"),
        }
        secret = record.facts.get("secret_arn", record.facts.get("secret_id"))
        candidates = {"secret": secret, "rotation_id": record.facts.get("rotation_id"), "outcome": record.fact("outcome")}
        properties = {key: value for key, value in candidates.items() if value is not None}
        emit(self._namespace, _values(record, failure, took_ms, remaining_ms), dimensions, properties, at_ms=record.began_ms)


def _values(record: StepRecord, failure: RotationError | None, took_ms: float, remaining_ms: int) -> dict[Metric, float]:
    """The measured values of one invocation."""
    facts = record.facts
    in_flight = isinstance(failure, DuplicateInFlightError)
    failed = failure is not None and not in_flight
    values: dict[Metric, float] = {
        Metric.COLD_START: float(facts["cold_start"]),
        Metric.INVOCATION_FAILED: float(failure is not None),
        Metric.DUPLICATE_IN_FLIGHT: float(in_flight),
        Metric.STEP_REPLAYED: float(bool(facts.get("replayed"))),
        Metric.IDEMPOTENCY_STORE_LOST: float(bool(facts.get("store_lost"))),
    }
    if "step" in facts and not in_flight:
        values |= {
            Metric.STEP_DURATION: took_ms,
            Metric.REMAINING_TIME: float(remaining_ms),
            Metric.STEP_SUCCEEDED: float(not failed),
            Metric.STEP_FAILED: float(failed),
        }
    if failed:
        values[Metric.FAILURES] = 1.0
    if facts.get("run_kind") == "test":
        values |= {Metric.TEST_RUN_SUCCEEDED: float(not failed), Metric.TEST_RUN_FAILED: float(failed)}
    elif failed and "step" in facts:
        values[Metric.ROTATION_FAILED] = 1.0
    elif facts.get("rotated"):
        values |= {Metric.ROTATION_SUCCEEDED: 1.0, Metric.ROTATION_FAILED: 0.0}
        for metric, fact in (
            (Metric.ROTATION_DURATION, "rotation_duration_ms"),
            (Metric.CREDENTIAL_GAP, "credential_gap_ms"),
        ):
            if fact in facts:
                values[metric] = float(facts[fact])
    return values


def _stack(error: BaseException) -> list[str]:
    """Where it happened, without the message: an unexpected message may quote anything."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
