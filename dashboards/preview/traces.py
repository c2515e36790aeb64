"""X-Ray segment documents to one waterfall per rotation.

A rotation is four invocations, each with a trace of its own; what holds them together is an annotation that every one
of them carries. Source: AWS X-Ray's developer guide, "Segment documents".
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from dashboards.preview.documents import Content, Document, Json
from dashboards.preview.metric_store import moment

MAX_ROTATIONS = 50


@dataclass(slots=True)
class _Span:
    """One segment or subsegment; times in seconds since 1970."""

    document: Document
    children: list["_Span"] = field(default_factory=list)

    @property
    def start(self) -> float:
        return float(self.document["start_time"])

    @property
    def end(self) -> float:
        return float(self.document.get("end_time", self.start))

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "_Span"]]:
        yield depth, self
        for child in sorted(self.children, key=lambda span: span.start):
            yield from child.walk(depth + 1)


def waterfalls(segments: Iterable[Document], annotation: str) -> list[Content]:
    """The newest rotations first.

    Args:
        segments: Segment documents, whole or sent piece by piece.
        annotation: The annotation that names the rotation; traces without it stand alone.
    """
    groups: dict[str, list[_Span]] = defaultdict(list)
    for root in _trees(segments):
        groups[_annotation(root, annotation) or str(root.document.get("trace_id", ""))].append(root)
    ordered = sorted(groups.items(), key=lambda item: item[1][0].start, reverse=True)
    return [_waterfall(name, roots) for name, roots in ordered[:MAX_ROTATIONS]]


def _trees(segments: Iterable[Document]) -> list[_Span]:
    """Joins pieces by their parents' ids; a document that came twice counts as its last version."""
    spans: dict[str, _Span] = {}
    parents: dict[str, str | None] = {}
    for document in segments:
        _collect(document, document.get("parent_id"), spans, parents)
    roots: list[_Span] = []
    for span_id, span in spans.items():
        parent = spans.get(parents[span_id] or "")
        (parent.children if parent else roots).append(span)
    return sorted(roots, key=lambda span: span.start)


def _collect(document: Document, parent: str | None, spans: dict[str, _Span], parents: dict[str, str | None]) -> None:
    span_id = str(document["id"])
    spans[span_id], parents[span_id] = _Span(document), parent
    for child in document.get("subsegments") or ():
        # A child inherits the trace from the document it came in.
        _collect({"trace_id": document.get("trace_id"), **child}, span_id, spans, parents)


def _annotation(root: _Span, name: str) -> str | None:
    found = (cast("Document", span.document.get("annotations") or {}).get(name) for _, span in root.walk())
    return next((str(value) for value in found if value is not None), None)


def _waterfall(name: str, roots: Sequence[_Span]) -> Content:
    """Each invocation begins at its own zero: minutes of waiting between retries would leave no room for the work."""
    rows: list[Content] = []
    offset = 0.0
    for root in roots:
        spans = list(root.walk())
        end = max(span.end for _, span in spans)
        rows += [_row(depth, span, offset + span.start - root.start) for depth, span in spans]
        offset += end - root.start
    return {
        "name": name,
        "start": moment(roots[0].start).isoformat(),
        "duration": offset,
        "failed": any(row["status"] in {"fault", "error"} for row in rows),
        "invocations": len(roots),
        "rows": rows,
    }


def _row(depth: int, span: _Span, start: float) -> Content:
    document = span.document
    return {
        "name": document["name"],
        "depth": depth,
        "start": start,
        "duration": span.end - span.start,
        "status": next((flag for flag in ("throttle", "fault", "error") if document.get(flag)), "ok"),
        "annotations": {key: str(value) for key, value in (document.get("annotations") or {}).items()},
        "cause": _cause(document.get("cause")),
        "trace": str(document.get("trace_id") or ""),
        "running": bool(document.get("in_progress")),
    }


def _cause(cause: Json) -> str:
    exceptions = cause.get("exceptions") if isinstance(cause, dict) else None
    return "; ".join(f"{e.get('type', '')}: {e.get('message', '')}" for e in exceptions or ())
