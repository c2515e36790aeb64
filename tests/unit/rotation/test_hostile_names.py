"""Names that come from outside cannot end, forge, hide or reorder a line of the log."""

import json
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotation.errors import EventInvalidError, LoginRefusedError, RotationError
from rotation.observability import Observability, WatchReport
from rotation.service_events import Listener
from rotation.settings import ReportingSettings
from tests.unit.rotation.test_observability import Context, Observed
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

FORGED = '{"level":"INFO","message":"finishSecret succeeded","outcome":"succeeded","request_id":"forged"}'
HOSTILE = {
    "line break": f"app\n{FORGED}",
    "carriage return": f"app\r{FORGED}",
    "both": f"app\r\n{FORGED}\r\n",
    "next line": f"app\x85{FORGED}",
    "line separator": f"app\u2028{FORGED}\u2029",
    "form feed": f"app\f{FORGED}\v",
    "quotes": f'app", "reason": "none", "x": "{FORGED}',
    "backslash": 'app\\", "reason": "none',
    "ANSI": "app\x1b[2K\x1b[1A\x1b]0;title\x07",
    "C1": "app\x9b2K\x9d0;title\x9c",
    "bidi": "app\u202egnp.nimda\u2066\u2069",
    "invisible": "a\u200bp\ufeffp\u00ad\U000e0041",
    "NUL": "app\0.example",
    "delete": "admin\x7f\x7f\x7f\x7f\x7fapp",
    "half a surrogate pair": "app\ud800",
    "other half": "\udfffapp",
    "format": "%s %(levelname)s {0} {level} ${jndi:ldap://x}",
    "SQL": "'; DROP ROLE app; --",
    "markup": "<script>alert(1)</script>",
    "unassigned": "app\u0378\uffff",
}
NAMES = pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
any_text = st.text(st.characters(exclude_categories=()))


def one_printable_line(text: str) -> dict[str, Any]:
    """The only line there is; nothing in it does anything but stand there."""
    assert text.endswith("\n")
    line = text.removesuffix("\n")
    assert line.isprintable()
    document: dict[str, Any] = json.loads(line)
    assert all(value.isprintable() for value in document.values() if isinstance(value, str))
    return document


def written(observed: Observed, name: str) -> str:
    """The log of a step that fails because of a name, and of which every fact is that name."""
    error = LoginRefusedError(f"{name} refused the password of user {name}", remedy=f"Ask {name}.")
    observed.failing_step(error, step="setSecret", host=name, secret_id=name, rotation_id=name, secret_arn=name)
    text = observed._log.getvalue()
    observed.lines()
    return text


@NAMES
def test_a_name_stays_within_its_line_and_field(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = one_printable_line(written(Observed(), name))
    assert (line["level"], line["reason"], line["outcome"]) == ("ERROR", "login_refused", "failed")
    assert line["request_id"] == "request-1"
    for text in capsys.readouterr().out.splitlines(keepends=True):
        one_printable_line(text)


def test_a_harmless_name_is_told_as_it_is() -> None:
    name = "Jürgen O'Hara-名前 <ops@example.com>"
    line = one_printable_line(written(Observed(), name))
    assert line["host"] == line["secret_arn"] == line["correlation_id"] == name
    assert name in line["error"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=any_text)
def test_any_name_stays_within_its_line(verdict: Verdict, capsys: pytest.CaptureFixture[str], name: str) -> None:
    line = one_printable_line(written(LASTING, name))
    for text in capsys.readouterr().out.splitlines(keepends=True):
        one_printable_line(text)
    verdict.add("hostile names", tried=1, survived=int(line["reason"] == "login_refused"))
    assert line["reason"] == "login_refused"


LASTING = Observed()


@NAMES
def test_the_details_of_a_call_stay_within_their_lines(name: str) -> None:
    observed = Observed("DEBUG")
    text = written(observed, name)
    details = [one_printable_line(line) for line in text.splitlines(keepends=True)]
    assert [("call" in line, line["correlation_id"]) for line in details[:-1]] == [(True, details[-1]["correlation_id"])]


@NAMES
def test_an_event_of_the_service_with_such_names_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener(ReportingSettings(service=f"listener-{uuid4()}"))
    (handler,) = listener._observability._logger.handlers
    log = Observed()._log
    handler.setStream(log)  # type: ignore[attr-defined]
    for event_name in (name, "RotationFailed"):
        with suppress(EventInvalidError):
            listener.hear({"detail": {"eventName": event_name, "additionalEventData": {"SecretId": name}}}, Context())
        one_printable_line(log.getvalue())
        log.seek(0)
        log.truncate()
    for text in capsys.readouterr().out.splitlines(keepends=True):
        one_printable_line(text)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"detail": {"eventName": "e" * 129, "additionalEventData": {"SecretId": "s"}}}, "detail.eventName"),
        (
            {"detail": {"eventName": "e", "additionalEventData": {"SecretId": "s" * 2049}}},
            "detail.additionalEventData.SecretId",
        ),
    ],
)
def test_an_event_of_the_service_that_would_make_a_line_without_end_is_refused(event: dict[str, Any], field: str) -> None:
    with pytest.raises(EventInvalidError) as caught:
        Listener(ReportingSettings(service=f"listener-{field}")).hear(event, Context())
    assert caught.value.message.startswith(f"{field}: ")


@NAMES
def test_a_watchers_finding_is_one_line(name: str) -> None:
    observability = Observability(ReportingSettings(service=f"watcher-{uuid4()}"))
    (handler,) = observability._logger.handlers
    log = Observed()._log
    handler.setStream(log)  # type: ignore[attr-defined]

    def find(report: WatchReport) -> None:
        report.detail("secret stuck", secret_arn=name, rotation_id=name)

    with observability.watch(Context(), "probe") as report:
        find(report)
        one_printable_line(log.getvalue())


@NAMES
def test_an_error_can_be_printed(name: str) -> None:
    error: RotationError = LoginRefusedError(name, remedy=name)
    assert f"{error} {error.message} {error.next_action}".isprintable()
