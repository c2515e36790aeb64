"""Looks for secret values wherever the function could have left them."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.database_proxy import DatabaseProxy
from tests.functional.seen import Seen
from tests.functional.world import World

_SHORTEST = 8
_APPLICATION = "secret-rotation|"


@dataclass(frozen=True)
class Leak:
    """A secret value in a place; the value itself is not repeated."""

    place: str
    what: str

    @property
    def is_verifier(self) -> bool:
        return "verifier" in self.what


class Search:
    """The places of one deployed function: `folders` are those it may write to."""

    def __init__(self, world: World, folders: tuple[Path, ...]) -> None:
        self._world = world
        self._folders = folders
        self._wanted: dict[str, str] = {}
        self._heard: list[bytearray] = []
        self._logged_before = len(world.server.log_lines)
        self._sent_before = len(world.xray.datagrams)

    def for_value(self, what: str, value: str) -> None:
        """Look for a value by the name it is reported by."""
        assert len(value) >= _SHORTEST, what
        self._wanted[value] = what

    def for_all_passwords(self) -> None:
        """Look for every password in every version of every secret, and for every verifier the server holds."""
        for arn, text in self._world.every_value():
            for password in _passwords(text):
                self.for_value(f"a password of {arn}", password)
        for name, verifier in self._world.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword <> ''"):
            self.for_value(f"the verifier of {name}", verifier)
        self.for_value("any verifier", "SCRAM-SHA-256$")

    def listen_to(self, proxy: DatabaseProxy) -> None:
        """Look through all that was ever sent through a proxy."""
        self._heard.append(proxy.heard)

    @property
    def count(self) -> int:
        """How many values are looked for."""
        return len(self._wanted)

    def in_what_is_told(self, *seen: Seen) -> list[Leak]:
        """Answers, errors, log lines (metrics among them) and everything that was sent to the trace daemon."""
        leaks = []
        for number, each in enumerate(seen):
            invocation = each.invocation
            answer = f"{json.dumps(invocation.payload, ensure_ascii=False)} {invocation.error_message}"
            leaks += self._in(f"answer {number}", answer)
            leaks += self._in(f"log {number}", "\n".join(invocation.log_lines))
        sent = self._world.xray.datagrams[self._sent_before :]
        return [*leaks, *self._in("trace", b"\n".join(sent).decode())]

    def in_what_is_kept(self) -> list[Leak]:
        """The table's items and the files of the function."""
        leaks = self._in("table", json.dumps(self._world.memories(), ensure_ascii=False))
        for folder in self._folders:
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    leaks += self._in(f"file {path.name}", path.read_bytes().decode(errors="replace"))
        return leaks

    def in_the_network(self) -> list[Leak]:
        """All that left the process in clear, except for calls of Secrets Manager; a database is told verifiers."""
        leaks = [self._in(f"network {number}", heard.decode(errors="replace")) for number, heard in enumerate(self._heard)]
        return [leak for each in leaks for leak in each if not leak.is_verifier]

    def in_the_database_log(self) -> list[Leak]:
        """What the server wrote of the function's sessions, with every statement; verifiers are among it."""
        lines, is_ours = [], False
        for line in self._world.server.log_lines[self._logged_before :]:
            # The lines that continue another begin with a tab.
            is_ours = is_ours if line.startswith("\t") else line.startswith(_APPLICATION)
            if is_ours:
                lines.append(line)
        return [leak for leak in self._in("database log", "\n".join(lines)) if not leak.is_verifier]

    def in_processes(self) -> list[Leak]:
        """Command lines and environments of all processes below this one: functions, their children, servers."""
        leaks = []
        for pid in _descendants(os.getpid()):
            for name in ("cmdline", "environ"):
                try:
                    content = Path(f"/proc/{pid}/{name}").read_bytes()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended meanwhile
                leaks += self._in(f"process {name}", content.decode(errors="replace"))
        return leaks

    def _in(self, place: str, text: str) -> list[Leak]:
        both = f"{text}\n{_unescaped(text)}"
        return [Leak(place, what) for value, what in self._wanted.items() if value in both]


def _unescaped(text: str) -> str:
    """The text as it is once JSON's escapes are undone, however often they were applied."""
    for _layer in range(3):
        text = text.replace('\\"', '"').replace("\\\\", "\\")
    return text


def _passwords(text: str) -> list[str]:
    try:
        keys: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    password = keys.get("password") if isinstance(keys, dict) else None
    return [password] if isinstance(password, str) and len(password) >= _SHORTEST else []


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended meanwhile


def _descendants(pid: int) -> list[int]:
    found = []
    for task in _tasks(pid):
        try:
            children = [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found
