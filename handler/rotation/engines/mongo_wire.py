"""MongoDB's wire protocol, as far as commands need it: one message out, one message back.

The driver's own client is left aside, and only its BSON is used. The client resolves and connects by itself, in threads of
its own and to a server whose certificate can only be expected to name the host; it starts again by itself what has failed;
and its import takes as long as the one of all of boto3. Here a connection is one socket, with the errors and time limits of
all other engines.

Source: https://github.com/mongodb/specifications/blob/master/source/message/OP_MSG.md
"""

import socket
import struct
from collections.abc import Mapping
from itertools import count
from typing import Any

import bson

from rotation.engines.invocation import Invocation
from rotation.engines.network import seconds_to_answer

_HEADER = struct.Struct("<iiii")
"""Length of the whole message, its number, the number it answers, kind."""
_KIND = 2013
_START_OF_BODY = struct.pack("<IB", 0, 0)
"""No flags; one section, which is the document."""
_MOST_BYTES = 48_000_000
"""The longest message of the protocol."""


CLIENT: Mapping[str, Any] = {
    "application": {"name": "secret-rotation"},
    "driver": {"name": "secret-rotation", "version": "1"},
    "os": {"type": "Linux"},
}
"""How the function names itself to the server's log, which it may do once."""


def greeting(username: str, database: str) -> dict[str, Any]:
    """A command that every version answers, before and after a login: with the mechanisms that a user has, among others."""
    return {"isMaster": 1, "saslSupportedMechs": f"{database}.{username}"}


class NotMongoError(Exception):
    """What came back is no answer of this protocol."""


class MongoConnection:
    """Sends commands over a socket, each of which has its share of the invocation's time."""

    def __init__(self, connection: socket.socket, invocation: Invocation) -> None:
        self._socket = connection
        self._invocation = invocation
        self._numbers = count(1)

    def answer(self, database: str, command: Mapping[str, Any]) -> dict[str, Any]:
        """What the server says to a command, be it yes or no.

        Raises:
            OSError: the connection broke, or no answer came in time.
            NotMongoError: the other side speaks something else.
        """
        self._socket.settimeout(seconds_to_answer(self._invocation))
        number = next(self._numbers)
        body = _START_OF_BODY + bson.encode({**command, "$db": database})
        self._socket.sendall(_HEADER.pack(_HEADER.size + len(body), number, 0, _KIND) + body)
        length, _, answers, kind = _HEADER.unpack(self._receive(_HEADER.size))
        if kind != _KIND or answers != number or not _HEADER.size < length <= _MOST_BYTES:
            raise NotMongoError
        document = self._receive(length - _HEADER.size)[len(_START_OF_BODY) :]
        try:
            return bson.decode(document)
        except bson.errors.InvalidBSON:
            raise NotMongoError from None

    def _receive(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            if not (chunk := self._socket.recv(length - len(received))):
                raise ConnectionResetError
            received += chunk
        return bytes(received)
