"""The X-Ray daemon of the local stage: it keeps what functions send it instead of handing it on to AWS."""

import json
import secrets
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

_BUFFER_BYTES = 4 << 20
_DATAGRAM_BYTES = 65535


@dataclass(frozen=True)
class TraceNode:
    """One segment or subsegment; times are epoch seconds, `end` is None while it is in progress."""

    id: str
    name: str
    start: float
    end: float | None
    annotations: dict[str, Any]
    metadata: dict[str, Any]
    namespace: str | None
    error: bool
    fault: bool
    throttle: bool
    children: tuple["TraceNode", ...]

    @property
    def duration_ms(self) -> float | None:
        return None if self.end is None else (self.end - self.start) * 1000


class XRayDaemon:
    """Listens on a fresh UDP port of 127.0.0.1.

    What a function sent before it answered is in the socket's buffer by then, so reading `datagrams` or `segments` after an
    invocation misses nothing.
    """

    def __init__(self) -> None:
        self._datagrams: list[bytes] = []
        self._mark = secrets.token_bytes(16)
        self._seen: SimpleQueue[None] = SimpleQueue()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            self._socket = resources.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            self._socket.bind(("127.0.0.1", 0))
            reader = threading.Thread(target=self._read, daemon=True)
            reader.start()
            resources.callback(reader.join)
            resources.callback(self._send_to_itself, b"")
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which the X-Ray SDK finds the daemon."""
        host, port = self._socket.getsockname()
        return {"AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}"}

    @property
    def datagrams(self) -> tuple[bytes, ...]:
        """All that was received so far, as it was sent."""
        self._send_to_itself(self._mark)
        self._seen.get()
        return tuple(self._datagrams)

    @property
    def segments(self) -> tuple[dict[str, Any], ...]:
        """The segment documents received so far, in order."""
        return tuple(map(_document, self.datagrams))

    def trace_tree(self, *trace_ids: str) -> tuple[TraceNode, ...]:
        """Return the outermost nodes of one or more traces, each with its children, all by start time.

        Lambda's own segments are made by the service and not by the function, so there is a root for every subsegment that
        the function opened on its own.
        """
        # Thousands of invocations may have been traced, and a document is quicker searched than read.
        named = [datagram for datagram in self.datagrams if any(trace_id.encode() in datagram for trace_id in trace_ids)]
        documents = [document for document in map(_document, named) if document["trace_id"] in trace_ids]
        parents = {}
        for identifier, document, parent in _flattened(documents):
            parents[identifier] = document, parent  # a later document about the same subsegment completes the earlier
        children: dict[str | None, list[dict[str, Any]]] = {}
        for document, parent in parents.values():
            children.setdefault(parent if parent in parents else None, []).append(document)
        return _nodes(None, children)

    def _read(self) -> None:
        while datagram := self._socket.recv(_DATAGRAM_BYTES):
            if datagram == self._mark:
                self._seen.put(None)
            else:
                self._datagrams.append(datagram)

    def _send_to_itself(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, self._socket.getsockname())


def _document(datagram: bytes) -> dict[str, Any]:
    """What follows the daemon's own header line."""
    document: dict[str, Any] = json.loads(datagram.partition(b"\n")[2])
    return document


def _flattened(
    documents: Iterable[dict[str, Any]], parent: str | None = None
) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Yield every subsegment with its parent's id: children come embedded in their parent, or on their own."""
    for document in documents:
        yield document["id"], document, document.get("parent_id", parent)
        yield from _flattened(document.get("subsegments", ()), document["id"])


def _nodes(parent: str | None, children: dict[str | None, list[dict[str, Any]]]) -> tuple[TraceNode, ...]:
    return tuple(
        TraceNode(
            id=document["id"],
            name=document["name"],
            start=document["start_time"],
            end=document.get("end_time"),
            annotations=document.get("annotations", {}),
            metadata=document.get("metadata", {}),
            namespace=document.get("namespace"),
            error=document.get("error", False),
            fault=document.get("fault", False),
            throttle=document.get("throttle", False),
            children=_nodes(document["id"], children),
        )
        for document in sorted(children.get(parent, ()), key=lambda document: document["start_time"])
    )
