"""A fake PostgreSQL that says what no real one would.

Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import base64
import re
import socket
import struct

from local.contract.peers import Answer


def message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


def authentication(code: int, content: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!i", code) + content)


def error(state: str, text: str, severity: str = "FATAL") -> bytes:
    return message(b"E", f"S{severity}\0C{state}\0M{text}\0D{text}\0H{text}\0\0".encode())


def rows(kind: int, *values: bytes) -> bytes:
    """One column of a type, by its number in the catalogue."""
    description = struct.pack("!h", 1) + b"answer\0" + struct.pack("!ihihih", 0, 0, kind, -1, -1, 0)
    data = [message(b"D", struct.pack("!hi", 1, len(value)) + value) for value in values]
    return message(b"T", description) + b"".join(data) + message(b"C", b"SELECT 1\0") + IN_TRANSACTION


_PATIENCE = 2.0
"""Seconds without a word, or without being listened to, after which it hangs up: a test has to end."""
MD5 = authentication(5, b"salt")
SCRAM = authentication(10, b"SCRAM-SHA-256\0\0")
IN_TRANSACTION = message(b"Z", b"T")
ACCEPTED = (
    authentication(0)
    + message(b"S", b"server_version\x0018.0\0")
    + message(b"S", b"client_encoding\0UTF8\0")
    + message(b"K", struct.pack("!ii", 1, 1))
    + message(b"Z", b"I")
)
INTEGER, TEXT = 23, 25


def answering_first(answer: bytes) -> Answer:
    """Say this to whoever comes, and nothing more."""

    def answer_once(connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        connection.recv(65536)
        connection.sendall(answer)
        connection.recv(65536)

    return answer_once


def claiming_to_know_the_password(iterations: int = 4096) -> Answer:
    """Ask for SCRAM, and end it with a signature that proves nothing."""

    def pretend(connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        connection.recv(65536)
        connection.sendall(SCRAM)
        nonce = re.findall(rb"r=([^,]+)", connection.recv(65536))[0]
        salt = base64.b64encode(b"salt of the sea")
        connection.sendall(authentication(11, b"r=%b.s,s=%b,i=%d" % (nonce, salt, iterations)))
        connection.recv(65536)
        connection.sendall(authentication(12, b"v=" + base64.b64encode(b"s" * 32)) + ACCEPTED)
        connection.recv(65536)

    return pretend


def answering_statements(answer: bytes) -> Answer:
    """Accept any password, and say this to every statement."""

    def accept(connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        connection.recv(65536)
        connection.sendall(MD5)
        connection.recv(65536)
        connection.sendall(ACCEPTED)
        while connection.recv(65536):
            connection.sendall(answer)

    return accept


def never_ending(begin: bytes, rest: bytes) -> Answer:
    """Say one thing, and then another for ever."""

    def repeat(connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        connection.recv(65536)
        connection.sendall(begin)
        while True:
            connection.sendall(rest)

    return repeat
