"""How Lambda words the end of an invocation: the error payload for the caller and the platform's own log lines."""

import signal
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from local.invocation import Invocation
from local.lambda_environment import Outcome, OutOfMemory, TimedOut
from local.runtime_api import Answer, Exited


def result_of(
    outcome: Outcome,
    invocation: Invocation,
    log_lines: tuple[str, ...],
    *,
    timeout_seconds: float,
    duration_ms: float,
    init_duration_ms: float | None,
    max_memory_mb: int,
) -> Invocation:
    """Complete an invocation by how it ended."""
    payload, platform_line = _verdict(outcome, invocation.request_id, timeout_seconds)
    is_error = not isinstance(outcome, Answer) or outcome.is_error
    return replace(
        invocation,
        payload=payload,
        function_error="Unhandled" if is_error else None,
        error_type=payload.get("errorType") if is_error else None,
        error_message=payload.get("errorMessage") if is_error else None,
        log_lines=log_lines + platform_line,
        duration_ms=duration_ms,
        init_duration_ms=init_duration_ms,
        cold_start=init_duration_ms is not None,
        timed_out=isinstance(outcome, TimedOut),
        max_memory_mb=max_memory_mb,
    )


def _verdict(outcome: Outcome, request_id: str, timeout_seconds: float) -> tuple[Any, tuple[str, ...]]:
    match outcome:
        case Answer(payload=payload):
            return payload, ()
        case TimedOut():
            text = f"Task timed out after {timeout_seconds:.2f} seconds"
            timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return _platform_error("Sandbox.Timedout", request_id, text), (f"{timestamp} {request_id} {text}",)
        case OutOfMemory():
            return _exit_error(request_id, "Runtime exited with error: signal: killed")
        case Exited(returncode=0):
            return _exit_error(request_id, "Runtime exited without providing a reason")
        case Exited(returncode=code):
            cause = f"exit status {code}" if code > 0 else f"signal: {_signal_text(-code)}"
            return _exit_error(request_id, f"Runtime exited with error: {cause}")


def _exit_error(request_id: str, text: str) -> tuple[Any, tuple[str, ...]]:
    payload = _platform_error("Runtime.ExitError", request_id, text)
    return payload, (f"{payload['errorMessage']}\n{payload['errorType']}",)


def _platform_error(kind: str, request_id: str, text: str) -> dict[str, str]:
    return {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {text}"}


def _signal_text(number: int) -> str:
    return (signal.strsignal(number) or f"signal {number}").lower()
