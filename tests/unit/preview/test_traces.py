"""X-Ray documents to waterfalls."""

import json

from dashboards.preview.documents import Json
from dashboards.preview.telemetry import Telemetry
from dashboards.preview.traces import waterfalls


def segment(name: str, start: float, end: float, **more: Json) -> dict[str, Json]:
    return {"id": name, "name": name, "trace_id": "1-a-b", "start_time": start, "end_time": end, **more}


def rows(*segments: dict[str, Json]) -> list[tuple[Json, ...]]:
    (rotation,) = waterfalls(segments, "rotation")
    return [(row["name"], row["depth"], row["start"], row["duration"]) for row in rotation["rows"]]


def test_subsegments_are_nested_in_the_order_of_time() -> None:
    late, early = segment("late", 103, 104), segment("early", 101, 102)
    assert rows(segment("root", 100, 105, subsegments=[late, early])) == [
        ("root", 0, 0, 5),
        ("early", 1, 1, 1),
        ("late", 1, 3, 1),
    ]


def test_pieces_that_were_sent_alone_find_their_parent() -> None:
    piece = segment("piece", 101, 102, type="subsegment", parent_id="inner")
    root = segment("root", 100, 105, subsegments=[segment("inner", 100, 104)])
    assert [row[:2] for row in rows(piece, root)] == [("root", 0), ("inner", 1), ("piece", 2)]


def test_the_last_version_of_a_document_counts() -> None:
    assert rows(segment("root", 100, 100, in_progress=True), segment("root", 100, 105)) == [("root", 0, 0, 5)]


def test_the_invocations_of_one_rotation_stand_together_without_the_time_between_them() -> None:
    first = segment("one", 100, 102, annotations={"rotation": "r1"})
    inside = {**segment("in", 500, 501), "annotations": {"rotation": "r1"}}
    second = segment("two", 500, 503, subsegments=[inside], trace_id="1-c-d")
    other = segment("other", 900, 901, annotations={"rotation": "r2"})
    newest, oldest = waterfalls([second, other, first], "rotation")
    assert (newest["name"], oldest["name"]) == ("r2", "r1")
    assert (oldest["invocations"], oldest["duration"]) == (2, 5)
    assert [row["start"] for row in oldest["rows"]] == [0, 2, 2]


def test_a_trace_without_the_annotation_stands_alone() -> None:
    (rotation,) = waterfalls([segment("root", 1, 2)], "rotation")
    assert rotation["name"] == "1-a-b"


def test_failures_are_told_with_their_cause() -> None:
    cause = {"exceptions": [{"type": "LoginRefusedError", "message": "login refused"}]}
    (rotation,) = waterfalls([segment("root", 1, 2, fault=True, cause=cause)], "rotation")
    assert rotation["failed"]
    assert (rotation["rows"][0]["status"], rotation["rows"][0]["cause"]) == ("fault", "LoginRefusedError: login refused")


def test_a_cause_may_be_no_more_than_a_reference() -> None:
    (rotation,) = waterfalls([segment("root", 1, 2, error=True, cause="4f1c2d3e")], "rotation")
    assert rotation["rows"][0]["cause"] == ""


def test_documents_are_taken_as_the_daemon_gets_them() -> None:
    telemetry = Telemetry()
    telemetry.take_segments(['{"format": "json", "version": 1}\n' + json.dumps(segment("root", 1, 2)), ""])
    assert [document["name"] for document in telemetry.segments] == ["root"]
