"""One Lambda execution environment: a process with AWS's runtime client, its Runtime API and its log."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty
from typing import Protocol

from local.log_pipe import LogPipe
from local.runtime_api import Answer, Exited, Message, Order, Ready, RuntimeApi

_MEMORY_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class TimedOut:
    """The runtime did not answer in time and was killed."""


@dataclass(frozen=True)
class OutOfMemory:
    """The runtime's memory high-water mark passed the function's limit and it was killed."""


Outcome = Answer | Exited | TimedOut | OutOfMemory


@dataclass(frozen=True)
class Runtime:
    """AWS's runtime client for a handler: all that a process needs to know to become it.

    Attributes:
        variables: The whole environment, in which `PYTHONPATH` is all there is to import from but the standard library.
        folder: Where it works.
    """

    python: Path
    handler: str
    variables: Mapping[str, str]
    folder: Path


class RuntimeProcess(Protocol):
    """The handle of a process, for any thread."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None:
        """End it at once; nothing happens if it has ended."""

    def wait(self) -> int:
        """Its exit code, or the negative number of the signal that ended it."""


type Start = Callable[[Runtime, int], RuntimeProcess]
"""Starts a runtime, with the file descriptor that everything it writes goes to."""


def start_process(runtime: Runtime, output: int) -> RuntimeProcess:
    """Start the interpreter anew, as Lambda does."""
    # Its own session: a Ctrl-C at the terminal is for the program that plays Lambda, not for the function.
    return subprocess.Popen(  # noqa: S603 - the caller chose the interpreter
        [str(runtime.python), "-S", "-m", "awslambdaric", runtime.handler],
        env=runtime.variables,
        cwd=runtime.folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


class ExecutionEnvironment:
    """A runtime process, which takes one invocation at a time.

    Memory: the process's high-water mark is read every 50 ms and once more after every answer. It never falls, so *whether*
    the limit was passed is known exactly, and *when* to 50 ms; AWS kills at once, so here a few statements more may run.
    """

    def __init__(self, start: Start, runtime: Runtime, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._api = RuntimeApi()
        self._log = LogPipe()
        self.max_memory_mb = 0
        self.init_duration_ms = 0.0
        self._started = time.perf_counter()
        variables = {**runtime.variables, "AWS_LAMBDA_RUNTIME_API": self._api.address}
        self._process = start(replace(runtime, variables=variables), self._log.sink)
        threading.Thread(target=self._watch, daemon=True).start()

    def initialise(self, timeout_seconds: float) -> Outcome | None:
        """Wait until the handler is imported; return what happened instead, or None when all is well."""
        message = self._receive(time.perf_counter() + timeout_seconds)
        self.init_duration_ms = (time.perf_counter() - self._started) * 1000
        return None if isinstance(message, Ready) else message

    def run(self, order: Order, timeout_seconds: float) -> Outcome:
        """Hand over one invocation and wait for its end; only after an `Answer` is the environment fit for another."""
        self._api.orders.put(order)
        deadline = time.perf_counter() + timeout_seconds
        while isinstance(message := self._receive(deadline), Ready):
            pass  # the runtime only now came back from the invocation before
        return message

    def drain_log(self) -> tuple[str, ...]:
        return self._log.drain()

    def kill(self) -> None:
        """End the process at once, as Lambda does; a call under way ends with `Exited`."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill the process and free all it held; no call may be under way."""
        self.kill()
        self._api.close()
        self._log.close()

    def _receive(self, deadline: float) -> Message | TimedOut | OutOfMemory:
        while (remaining := deadline - time.perf_counter()) > 0:
            try:
                message = self._api.messages.get(timeout=min(remaining, _MEMORY_POLL_SECONDS))
            except Empty:
                message = None
            if not isinstance(message, Exited) and self._is_out_of_memory():
                self.kill()
                return OutOfMemory()
            if message is not None:
                return message
        self.kill()
        return TimedOut()

    def _is_out_of_memory(self) -> bool:
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
        mark = status.find(b"VmHWM:")
        if mark >= 0:  # a process that has just ended has no memory any more
            self.max_memory_mb = int(status[mark + 6 :].split(None, 1)[0]) // 1024
        return self.max_memory_mb > self._memory_mb

    def _watch(self) -> None:
        self._api.messages.put(Exited(self._process.wait()))
