"""`rotation preview FILES`: a page of what was logged elsewhere, with the template's own alarms evaluated over it."""

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from dashboards.preview.alarms import AlarmState
from dashboards.preview.documents import Document, PreviewError
from dashboards.preview.emf import read_events
from dashboards.preview.page import write_page
from dashboards.preview.template import Stack
from dashboards.preview.watch import Options, Watch

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
STANDARD_INPUT = "-"
# It limits what the function may touch, which no alarm and no widget depends on.
_DEFAULTS = {"SecretNamePrefix": "preview/"}
# What `aws logs tail` puts before a line: the time, and in its detailed format the stream.
_BEFORE_A_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+ (?:\S+ )?(?=\{)")


@dataclass(frozen=True)
class Recording:
    """What was recorded of a stack, and how the stack was deployed.

    Attributes:
        files: Files of log lines, `-` being standard input.
        log_groups: The group of each file, or one for all; none for that of the rotation function.
        traces: Files of X-Ray segments.
        stack_name: None where the lines are to tell it.
        parameters: The template's parameters, as far as they were not left at their defaults.
    """

    files: Sequence[str]
    log_groups: Sequence[str] = ()
    traces: Sequence[Path] = ()
    stack_name: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def write_preview(recording: Recording, output: Path | None) -> Path:
    """Write the page of a recording, by default to a new temporary file; says on standard error what is on it.

    Raises:
        PreviewError: If something cannot be read or written, or holds no metric; the text names it.
    """
    texts = [[_BEFORE_A_LINE.sub("", line) for line in _read(name).splitlines()] for name in recording.files]
    stack_name = recording.stack_name or _service_of(line for lines in texts for line in lines)
    stack = Stack.load(TEMPLATE, {**_DEFAULTS, **recording.parameters}, name=stack_name)
    watch = Watch(stack, Options(fitted=True))
    for lines, group in zip(texts, _groups(recording, stack), strict=True):
        watch.telemetry.take_lines(lines, group)
    for path in recording.traces:
        watch.telemetry.take_segments(_segments(path))
    model = watch.page(watch.replay())
    path = output or Path(tempfile.mkdtemp(prefix="rotation-preview-")) / "page.html"
    try:
        write_page(model, path)
    except OSError as error:
        raise PreviewError(f"cannot write {path}: {error.strerror}") from error
    sys.stderr.writelines(f"{line}\n" for line in _summary(watch))
    return path


def parse_parameters(settings: Iterable[str]) -> dict[str, str]:
    """Read `Name=Value`.

    Raises:
        PreviewError: If there is no equals sign.
    """
    pairs = [setting.partition("=") for setting in settings]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise PreviewError(f"the parameter {wrong[0]!r} has no value: write Name=Value")
    return {name: value for name, _, value in pairs}


def _read(name: str) -> str:
    try:
        content = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        raise PreviewError(f"cannot read {name}: {error.strerror}") from error
    return content.decode(errors="replace")


def _service_of(lines: Iterable[str]) -> str:
    """The name of the stack, which all metrics have as their dimension `service`; the most frequent if there are several."""
    found = Counter(event.fields.get("service") for event in read_events(lines, "") if "_aws" in event.fields)
    return next((name for name, _ in found.most_common() if isinstance(name, str)), "rotation")


def _groups(recording: Recording, stack: Stack) -> Iterable[str]:
    if not recording.log_groups:
        return repeat(f"/aws/lambda/{stack.ref('RotationFunction')}", len(recording.files))
    if len(recording.log_groups) == 1:
        return repeat(recording.log_groups[0], len(recording.files))
    if len(recording.log_groups) != len(recording.files):
        raise PreviewError("give --log-group once for all files, or as often as there are files, in their order")
    return recording.log_groups


def _segments(path: Path) -> Iterator[str]:
    """The documents in a file: one a line as the daemon gets them, or in the answer of `aws xray batch-get-traces`."""
    text = _read(str(path))
    try:
        answer = json.loads(text)
        documents = [segment["Document"] for trace in answer["Traces"] for segment in trace["Segments"]]
    except (ValueError, KeyError, TypeError):
        documents = [line for line in text.splitlines() if line.strip()]
    for number, document in enumerate(documents, start=1):
        if _is_segment(document, f"{path}: segment {number}"):
            yield document


def _is_segment(text: str, place: str) -> bool:
    """Whether it is a segment and not the daemon's header."""
    try:
        document: Document = json.loads(text)
        if document.keys() == {"format", "version"}:
            return False
        _ = document["id"], document["name"], document["start_time"]
    except (ValueError, KeyError, AttributeError) as error:
        raise PreviewError(f"{place} is no X-Ray segment: it needs to be JSON with id, name and start_time") from error
    return True


def _summary(watch: Watch) -> Iterator[str]:
    """What a reader has to know before the page is opened."""
    telemetry, board = watch.telemetry, watch.board
    span = telemetry.store.span()
    times = " to ".join(f"{time:%d %b %Y %H:%M}" for time in span or ())
    yield f"{len(telemetry.events)} log lines of the stack {watch.stack.name}, {times} UTC"
    names = [alarm.header.name for alarm in board.alarms.alarms]
    rang = [name for name in names if any(change.after is AlarmState.ALARM for change in board.history(name))]
    for name in rang:
        yield f"{name} {'rings' if name in board.ringing() else 'rang'}: {board.reason(name)}"
    if not rang:
        yield f"none of the {len(names)} alarms rang"
    if problems := telemetry.problems:
        yield f"{len(problems)} log lines would lose metrics in CloudWatch, the first because of this: {problems[0]}"
