"""A real server on 127.0.0.1 and a fresh port, for as long as a `with` block lasts.

Everything it writes is in one temporary folder. Its log is kept in memory: `log_lines`.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, TextIO, cast

from local.server_account import ServerAccount
from local.termination import orderly_termination

_STOP_SECONDS = 10.0
_START_SECONDS = 30.0
_FIRST_PORT, _PORTS = 10_000, 20_000
# For the kernel a process's parent is the thread that started it: this one lives as long as the program.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-starter")


class ServerError(Exception):
    """A server is missing, or could not be initialised, started or stopped; the message ends with what it said."""


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of a server that speaks TLS; `authority` is the CA that clients have to trust."""

    certificate: Path
    private_key: Path
    authority: Path


class ServerProcess(ABC):
    """One server process, which may have children.

    Attributes:
        title: What the product is called.
        ready: What the server writes when it takes connections.
        stop_signal: Ends sessions rather than waiting for them.
    """

    host = "127.0.0.1"
    title: ClassVar[str]
    ready: str
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.log_lines: list[str] = []
        self.port = free_port(self.host)
        self._account = ServerAccount.choose()
        self._written = threading.Condition()
        self._resources = ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self._log_reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(orderly_termination())
            self._folder = Path(tempfile.mkdtemp(prefix="server-"))
            resources.callback(shutil.rmtree, self._folder)
            resources.callback(self.stop)
            self._account.own(self._folder)
            if not self._account.can_enter(self._folder.parent):
                raise ServerError(
                    f"the account that runs {self.title} cannot enter {self._folder.parent}: "
                    "set TMPDIR to a folder that it can"
                )
            self._initialise()
            self.start()
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    @abstractmethod
    def _initialise(self) -> None:
        """Fill the folder."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Program and arguments; the program stays in the foreground and logs to its standard output or error."""

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server, or start it again after `stop()` with the same data on the same port."""
        if self.is_running:
            return
        self._process = _STARTER.submit(self._started).result()
        ready = threading.Event()
        self._log_reader = threading.Thread(target=self._read_log, args=(self._process, ready), daemon=True)
        self._log_reader.start()
        if not ready.wait(_START_SECONDS) or not self.is_running:
            self.stop()
            raise ServerError(f"{self.title} did not start: " + "\n".join(self.log_lines[-5:]))

    def stop(self) -> None:
        """Stop the server and end every session; its data stays until the `with` block ends."""
        if self._process is None or self._log_reader is None:
            return
        if self.is_running:
            self.thaw()
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal_all(signal.SIGKILL)
                self._process.wait()
        self._log_reader.join()
        self._process = self._log_reader = None

    def log_up_to(self, mark: str) -> str:
        """All that the server has written, once `mark` is in it."""
        with self._written:
            if not self._written.wait_for(lambda: any(mark in line for line in self.log_lines), _STOP_SECONDS):
                raise ServerError(f"{self.title} did not write what it was told to")
            return "\n".join(self.log_lines)

    def freeze(self) -> None:
        """Suspend every process of the server: connections are accepted by the kernel and never answered."""
        self._signal_all(signal.SIGSTOP)
        if self._process is not None:
            # All threads have stopped only then; one of them may have been about to answer.
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let the server continue after `freeze()`."""
        self._signal_all(signal.SIGCONT)

    def _started(self) -> subprocess.Popen[str]:
        # Its own session: a Ctrl-C at the terminal reaches this program alone, which then stops the server in order.
        return subprocess.Popen(  # noqa: S603 - the caller chose the installation
            [*_with_its_parent(), *self._command()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self._folder,
            start_new_session=True,
            **self._account.process_options,
        )

    def _run(self, command: Sequence[str], text: str = "") -> str:
        """Run a program of the product to its end, with `text` as its input; returns what it said.

        Raises:
            ServerError: it failed; ends with what it said.
        """
        done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - the caller chose the installation
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            **self._account.process_options,
        )
        if done.returncode != 0:
            raise ServerError(f"{self.title} could not be initialised: {done.stderr.strip()}")
        return done.stdout + done.stderr

    def _copy(self, source: Path, name: str) -> Path:
        """Put a file into the folder that nobody but the server can read: a private key, for example."""
        copy = self._folder / name
        copy.touch(mode=0o600)
        copy.write_bytes(source.read_bytes())
        self._account.own(copy)
        return copy

    def _read_log(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        with cast("TextIO", process.stdout) as lines:
            for line in lines:
                with self._written:
                    self.log_lines.append(line.rstrip("\n"))
                    self._written.notify_all()
                if self.ready in line:
                    ready.set()
        # The server has closed its log, but may not have ended yet. Whoever waits for it must not wait any longer, nor take
        # it for running.
        process.wait()
        ready.set()

    def _signal_all(self, signal_number: signal.Signals) -> None:
        """Signal the first process first, so that no further one appears, then all others."""
        if self._process is None or self._process.poll() is not None:
            return
        first = self._process.pid
        self._process.send_signal(signal_number)
        for child in Path(f"/proc/{first}/task/{first}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal_number)


def _with_its_parent() -> tuple[str, ...]:
    """What to begin a command with so that it is killed when this program is, and cannot stop it any more."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig=KILL", "--") if setpriv else ()


def program(name: str, *folders: str, install: str) -> Path:
    """Where a program of the operating system is.

    Raises:
        ServerError: it is missing; says what to install.
    """
    found = shutil.which(name, path=os.pathsep.join((*folders, os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin")))
    if found is None:
        raise ServerError(f"{name} is missing: {install}")
    return Path(found)


def free_port(host: str) -> int:
    """A port that nobody listens on, and that the kernel gives to no connection meanwhile: below the range of those."""
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as trial, suppress(OSError):
            trial.bind((host, port))
            return port
