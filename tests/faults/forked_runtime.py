"""Execution environments that are forked off a process in which the libraries are imported already.

To import them is most of what a cold start costs, and the suites on faults need two or three for every point they try. Each
is a process of its own that imports the function itself anew; libraries that read variables when they are imported are left
to it too. What is wrong with it: `/proc` shows the command line and variables of the process it was forked off, and a
library that the artefact lacked would be there all the same. Whatever is about these starts a `LambdaFunction` as usual.
"""

import multiprocessing
import os
import runpy
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that nothing of this project is in the process that others are forked off
    from local.lambda_environment import Runtime, RuntimeProcess

_LIBRARIES = (
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parser",
    "boto3",
    "botocore.session",
    "psycopg",
    "pydantic",
)
_forks = multiprocessing.get_context("forkserver")
# The main module as well: multiprocessing would import it into every single process.
_forks.set_forkserver_preload(["__main__", __name__, *_LIBRARIES])
# multiprocessing looks after all processes whenever it starts one; two threads must not ask how the same one ended.
_lock = threading.Lock()


def fork_process(runtime: "Runtime", output: int) -> "RuntimeProcess":
    """Start a process that becomes the runtime."""
    with Connection(os.dup(output), readable=False) as pipe, _lock:
        process = _forks.Process(
            target=_become, args=(runtime.handler, runtime.variables, runtime.folder, pipe), daemon=True
        )
        process.start()
    return _Fork(process)


class _Fork:
    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        assert process.pid is not None, "it was started"
        self.pid = process.pid

    def kill(self) -> None:
        with _lock:
            self._process.kill()

    def wait(self) -> int:
        wait([self._process.sentinel])
        with _lock:
            self._process.join()
        assert self._process.exitcode is not None, "it has ended"
        return self._process.exitcode


def _become(handler: str, variables: Mapping[str, str], folder: Path, pipe: Connection) -> None:
    os.setsid()
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(pipe.fileno(), descriptor)
    pipe.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    standard_library = [path for path in sys.path if path.startswith(sys.base_prefix) and "site-packages" not in path]
    sys.path[:] = [*variables["PYTHONPATH"].split(":"), *standard_library]
    sys.argv[:] = ["awslambdaric", handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
