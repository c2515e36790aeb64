"""One record of facts becomes one log line and its metrics, whichever way a step ends."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from rotation.errors import DuplicateInFlightError, InternalError, LoginRefusedError, RotationError
from rotation.observability import Observability
from rotation.settings import ReportingSettings
from rotation.step_record import StepRecord

SENTINEL = "Sentinel-7f3a"


@dataclass
class Context:
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 12_345


class Observed:
    """An environment's observability, and what it has written so far."""

    def __init__(self, log_level: str = "INFO") -> None:
        # Powertools keeps one logger for each service name, so every environment gets a name of its own.
        settings = {"POWERTOOLS_SERVICE_NAME": f"unit-{uuid4()}", "POWERTOOLS_LOG_LEVEL": log_level}
        self._observability = Observability(ReportingSettings.model_validate(settings))
        self._log = io.StringIO()
        (handler,) = self._observability._logger.handlers
        handler.setStream(self._log)  # type: ignore[attr-defined]

    @contextmanager
    def step(self, **facts: Any) -> Iterator[StepRecord]:
        with self._observability.step(Context()) as record:
            record.note(**facts)
            yield record

    def failing_step(self, error: Exception, **facts: Any) -> None:
        with suppress(RotationError), self.step(**facts) as record, record.call("target", "connect"):
            raise error

    def lines(self) -> list[dict[str, Any]]:
        text = self._log.getvalue()
        self._log.seek(0)
        self._log.truncate()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def trace_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details are kept per invocation, which Powertools knows by the trace id that Lambda sets."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-00000000-000000000000000000000000")


@pytest.fixture
def observed() -> Observed:
    return Observed()


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        record = json.loads(line)
        for directive in record["_aws"]["CloudWatchMetrics"]:
            values |= {entry["Name"]: record[entry["Name"]][0] for entry in directive["Metrics"]}
    return values


def test_a_success_is_one_line_and_no_details(observed: Observed) -> None:
    with observed.step(step="testSecret", outcome="succeeded", rotation_id="r1") as record, record.call("target", "connect"):
        pass
    (line,) = observed.lines()
    assert (line["level"], line["message"], line["correlation_id"]) == ("INFO", "testSecret succeeded", "r1")
    assert line["calls"] == {"target": 1}
    assert line["phases_ms"].keys() == {"target"}
    assert (line["remaining_ms"], line["cold_start"], line["request_id"]) == (12_345, True, "request-1")


def test_only_the_first_step_of_an_environment_is_a_cold_start(observed: Observed) -> None:
    for _ in range(2):
        with observed.step(step="testSecret"):
            pass
    assert [line["cold_start"] for line in observed.lines()] == [True, False]


def test_a_failure_brings_its_details(observed: Observed) -> None:
    observed.failing_step(LoginRefusedError("refused"), step="testSecret", rotation_id="r1")
    details, line = observed.lines()
    assert (details["level"], details["call"], details["result"]) == ("DEBUG", "target.connect", "login_refused")
    assert (line["level"], line["reason"], line["outcome"]) == ("ERROR", "login_refused", "failed")
    assert (line["error"], line["next_action"]) == ("refused", LoginRefusedError.remedy)
    assert details["correlation_id"] == line["correlation_id"] == "r1"


def test_details_of_a_success_do_not_turn_up_in_a_later_failure(observed: Observed) -> None:
    with observed.step(step="setSecret") as record, record.call("target", "alter_role"):
        pass
    observed.failing_step(LoginRefusedError("refused"), step="testSecret")
    assert [line.get("call") for line in observed.lines()] == [None, "target.connect", None]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_every_line_carries_the_rotation_it_belongs_to(level: str) -> None:
    observed = Observed(level)
    observed.failing_step(LoginRefusedError("refused"), step="testSecret", rotation_id="r1")
    observed.failing_step(LoginRefusedError("refused"), step="testSecret", rotation_id="r2")
    with suppress(RotationError), observed.step():
        raise LoginRefusedError("nothing known")
    assert [line.get("correlation_id") for line in observed.lines()] == ["r1", "r1", "r2", "r2", None]


def test_an_unexpected_error_leaves_as_internal_without_its_text(
    observed: Observed, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InternalError) as caught, observed.step(step="setSecret"):
        raise KeyError(SENTINEL)
    (line,) = observed.lines()
    assert line["reason"] == "internal"
    assert line["error"] == "unexpected KeyError"
    assert any("test_observability.py" in frame for frame in line["stack"])
    assert SENTINEL not in f"{line} {caught.value} {capsys.readouterr().out}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_duplicate_is_a_warning_and_no_failure(observed: Observed, capsys: pytest.CaptureFixture[str]) -> None:
    observed.failing_step(DuplicateInFlightError("running"), step="setSecret")
    (line,) = observed.lines()
    assert (line["level"], line["outcome"]) == ("WARNING", "in_flight")
    assert metrics(capsys) == {
        "ColdStart": 1.0,
        "InvocationFailed": 1.0,
        "DuplicateInFlight": 1.0,
        "StepReplayed": 0.0,
        "IdempotencyStoreLost": 0.0,
    }


def test_a_failed_step_counts_once_by_its_reason(observed: Observed, capsys: pytest.CaptureFixture[str]) -> None:
    observed.failing_step(LoginRefusedError("refused"), step="setSecret", run_kind="rotation")
    values = metrics(capsys)
    assert {name for name, value in values.items() if value == 1.0} == {
        "ColdStart",
        "InvocationFailed",
        "StepFailed",
        "RotationFailed",
        "Failures",
    }
    assert values["StepSucceeded"] == 0.0


def test_a_failure_before_the_step_is_known_is_no_failed_rotation(
    observed: Observed, capsys: pytest.CaptureFixture[str]
) -> None:
    observed.failing_step(LoginRefusedError("refused"))
    values = metrics(capsys)
    assert values["Failures"] == 1.0
    assert not {"RotationFailed", "StepFailed", "StepDuration"} & set(values)


@pytest.mark.parametrize("fails", [True, False])
def test_a_test_run_counts_as_a_test_and_not_as_a_rotation(
    observed: Observed, capsys: pytest.CaptureFixture[str], *, fails: bool
) -> None:
    with suppress(RotationError), observed.step(step="testSecret", run_kind="test"):
        if fails:
            raise LoginRefusedError("refused")
    values = metrics(capsys)
    assert (values["TestRunSucceeded"], values["TestRunFailed"]) == (float(not fails), float(fails))
    assert not {"RotationSucceeded", "RotationFailed"} & set(values)


def test_a_finished_rotation_tells_duration_and_gap(observed: Observed, capsys: pytest.CaptureFixture[str]) -> None:
    with observed.step(step="finishSecret", rotated=True, rotation_duration_ms=4_000, credential_gap_ms=0):
        pass
    values = metrics(capsys)
    assert (values["RotationSucceeded"], values["RotationFailed"]) == (1.0, 0.0)
    assert (values["RotationDuration"], values["CredentialGap"]) == (4_000.0, 0.0)


def test_the_arn_stands_in_for_the_name_once_it_is_known(observed: Observed) -> None:
    with observed.step(step="setSecret", secret_id="app/db", secret_arn="arn:1"):
        pass
    (line,) = observed.lines()
    assert line["secret_arn"] == "arn:1"
    assert "secret_id" not in line


def test_times_add_up_by_phase(observed: Observed) -> None:
    with observed.step(step="setSecret") as record:
        for phase in ("target", "secretsmanager", "target"):
            with record.call(phase, "call"):
                pass
    (line,) = observed.lines()
    assert line["calls"] == {"target": 2, "secretsmanager": 1}
    assert sum(line["phases_ms"].values()) <= line["duration_ms"] + 0.1
