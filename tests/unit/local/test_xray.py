import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.lambda_runtime import LambdaFunction
from local.xray import TraceNode, XRayDaemon


@pytest.fixture
def daemon() -> Iterator[XRayDaemon]:
    with XRayDaemon() as daemon:
        yield daemon


def send(daemon: XRayDaemon, **document: object) -> None:
    host, _, port = daemon.environment["AWS_XRAY_DAEMON_ADDRESS"].partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b'{"format": "json", "version": 1}\n' + json.dumps(document).encode(), (host, int(port)))


def names(nodes: tuple[TraceNode, ...]) -> list[object]:
    return [[node.name, *names(node.children)] for node in nodes]


def test_what_a_function_traces_is_a_tree(daemon: XRayDaemon, write_handler: Callable[[str], Path]) -> None:
    root = write_handler("""
        from aws_xray_sdk.core import xray_recorder
        def handler(event, context):
            with xray_recorder.in_subsegment("## handler") as outer:
                outer.put_annotation("step", "createSecret")
                with xray_recorder.in_subsegment("first"):
                    pass
                with xray_recorder.in_subsegment("second"):
                    raise KeyError("missing")
    """)
    with LambdaFunction("app.handler", task_root=root, environment=daemon.environment) as function:
        invocation, other = function.invoke({}), function.invoke({})
    (handler,) = daemon.trace_tree(invocation.trace_id)
    assert names((handler,)) == [["## handler", ["first"], ["second"]]]
    assert handler.annotations == {"step": "createSecret"}
    assert handler.fault
    assert [child.fault for child in handler.children] == [False, True]
    assert handler.duration_ms is not None
    assert handler.duration_ms >= 0
    assert len(daemon.trace_tree(invocation.trace_id, other.trace_id)) == 2


def test_subsegments_that_come_on_their_own_find_their_parent(daemon: XRayDaemon) -> None:
    common = {"trace_id": "1-0-0", "end_time": 9.0}
    send(daemon, id="c", name="child", start_time=2.0, parent_id="a", **common)
    send(daemon, id="b", name="grandchild", start_time=3.0, parent_id="c", **common)
    send(daemon, id="a", name="root", start_time=1.0, parent_id="lambda's own", **common)
    assert names(daemon.trace_tree("1-0-0")) == [["root", ["child", ["grandchild"]]]]
    assert daemon.trace_tree("1-0-1") == ()


def test_a_completed_subsegment_replaces_the_one_in_progress(daemon: XRayDaemon) -> None:
    send(daemon, id="a", name="root", start_time=1.0, trace_id="1-0-0", in_progress=True)
    (node,) = daemon.trace_tree("1-0-0")
    assert node.end is None
    assert node.duration_ms is None
    send(daemon, id="a", name="root", start_time=1.0, trace_id="1-0-0", end_time=1.5)
    (node,) = daemon.trace_tree("1-0-0")
    assert node.duration_ms == 500


def test_datagrams_are_kept_as_they_were_sent(daemon: XRayDaemon) -> None:
    for number in range(200):
        send(daemon, id=str(number), note="sentinel")
    assert len(daemon.datagrams) == 200
    assert all(datagram.endswith(b'"note": "sentinel"}') for datagram in daemon.datagrams)
    assert [segment["id"] for segment in daemon.segments] == [str(number) for number in range(200)]
