"""Runs a handler exactly as AWS Lambda does, on this machine and without Docker.

Every execution environment is a fresh process with AWS's own runtime interface client (PyPI `awslambdaric`) and the
variables that Lambda sets; nothing else of the caller's environment gets in. Concurrent calls get environments of their
own, idle ones are used again, and one that timed out or died is replaced at the next call: all as Lambda does it.
"""

import json
import sys
import sysconfig
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.account import ACCOUNT_ID, REGION
from local.invocation import Invocation
from local.lambda_environment import ExecutionEnvironment, Runtime, Start, start_process
from local.lambda_report import result_of
from local.runtime_api import Answer, Order
from local.termination import orderly_termination

# Lambda gives an initialisation ten seconds before it starts over within the function's own timeout.
_INIT_SECONDS = 10.0
_RUNTIME_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


def installed_libraries() -> tuple[Path, ...]:
    """The folder of the running interpreter's installed packages."""
    return (Path(sysconfig.get_path("purelib")),)


class LambdaFunction:
    """A deployed function: `invoke()` it from any thread inside the `with` block.

    Set `throttled` to have every call refused for want of concurrency.
    """

    def __init__(
        self,
        handler: str,
        *,
        task_root: Path,
        environment: Mapping[str, str] | None = None,
        libraries: Sequence[Path] | None = None,
        timeout_seconds: float = 30.0,
        memory_mb: int = 256,
        function_name: str = "rotation",
        python: Path = Path(sys.executable),
        start: Start = start_process,
    ) -> None:
        """Describe the function.

        `task_root` is the folder with the code: sources, or a built artefact. An artefact must hold all it needs, so give
        `libraries=()`; then no bytecode is written either, as Lambda's file system is read-only. By default the running
        interpreter's packages are there too. `environment` holds the function's own variables and overrides Lambda's.
        `start` makes the processes.
        """
        self.function_name = function_name
        self.arn = _function_arn(function_name, (environment or {}).get("AWS_REGION", REGION))
        self.throttled = False
        self._handler = handler
        self._task_root = task_root.resolve()
        self._environment = dict(environment or {})
        self._libraries = installed_libraries() if libraries is None else tuple(libraries)
        self._timeout_seconds = timeout_seconds
        self._memory_mb = memory_mb
        self._python = python
        self._start = start
        self._change = threading.Condition()
        self._idle: list[ExecutionEnvironment] = []
        self._busy: set[ExecutionEnvironment] = set()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(orderly_termination())
            self._runtime_folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="lambda-")))
            _link_runtime_client(self._runtime_folder)
            resources.callback(self.recycle)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def invoke(self, event: Any, *, trace_id: str | None = None) -> Invocation:
        """Invoke the function and wait for its answer; whatever happens in the function is in the result.

        Without a `trace_id` every invocation begins a trace of its own.
        """
        invocation = Invocation(
            function_name=self.function_name,
            request_id=str(uuid.uuid4()),
            trace_id=trace_id or f"1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}",
            started_at=datetime.now(UTC),
            throttled=self.throttled,
        )
        return invocation if self.throttled else self._invoke(event, invocation)

    def recycle(self) -> None:
        """End all execution environments, so that the next call is a cold start; calls under way fail."""
        with self._change:
            for environment in self._busy:
                environment.kill()
            # Whoever waits for a killed environment closes it.
            self._change.wait_for(lambda: not self._busy, timeout=_INIT_SECONDS)
            idle, self._idle = self._idle, []
        for environment in idle:
            environment.close()

    def _invoke(self, event: Any, invocation: Invocation) -> Invocation:
        environment, cold_start = self._take_environment()
        is_fit = False
        try:
            failure = environment.initialise(_INIT_SECONDS + self._timeout_seconds) if cold_start else None
            begun = time.perf_counter()
            outcome = failure or environment.run(self._order(event, invocation), self._timeout_seconds)
            duration_ms = (time.perf_counter() - begun) * 1000
            is_fit = isinstance(outcome, Answer) and not outcome.is_initialisation
            return result_of(
                outcome,
                invocation,
                environment.drain_log(),
                timeout_seconds=self._timeout_seconds,
                duration_ms=duration_ms,
                init_duration_ms=environment.init_duration_ms if cold_start else None,
                max_memory_mb=environment.max_memory_mb,
            )
        finally:
            self._give_back(environment, is_fit=is_fit)

    def _take_environment(self) -> tuple[ExecutionEnvironment, bool]:
        """Return an environment for this call alone, and whether it is new."""
        with self._change:
            cold_start = not self._idle
            environment = self._new_environment() if cold_start else self._idle.pop()
            self._busy.add(environment)
            return environment, cold_start

    def _new_environment(self) -> ExecutionEnvironment:
        runtime = Runtime(self._python, self._handler, self._variables(), self._task_root)
        return ExecutionEnvironment(self._start, runtime, self._memory_mb)

    def _give_back(self, environment: ExecutionEnvironment, *, is_fit: bool) -> None:
        if not is_fit:
            environment.close()
        with self._change:
            self._busy.remove(environment)
            if is_fit:
                self._idle.append(environment)
            self._change.notify_all()

    def _order(self, event: Any, invocation: Invocation) -> Order:
        deadline_ms = int((time.time() + self._timeout_seconds) * 1000)
        return Order(
            json.dumps(event).encode(),
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": self.arn,
                "Lambda-Runtime-Trace-Id": f"Root={invocation.trace_id};Parent={uuid.uuid4().hex[:16]};Sampled=1",
            },
        )

    def _variables(self) -> dict[str, str]:
        path = [self._task_root, *self._libraries, self._runtime_folder]
        variables = {
            "_HANDLER": self._handler,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": self.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.function_name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
            "AWS_REGION": REGION,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
            # An empty home: no AWS profile, client certificate or password file of the caller gets in.
            "HOME": str(self._runtime_folder),
            "LAMBDA_RUNTIME_DIR": str(self._runtime_folder),
            "LAMBDA_TASK_ROOT": str(self._task_root),
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": ":".join(map(str, path)),
            "TZ": ":UTC",
        }
        if not self._libraries:
            variables["PYTHONDONTWRITEBYTECODE"] = "1"
        return variables | self._environment


def _function_arn(name: str, region: str) -> str:
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{name}"


def _link_runtime_client(folder: Path) -> None:
    """Offer AWS's runtime client to the child without the rest of the packages it is installed with."""
    for name in _RUNTIME_MODULES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{name} is not installed: install the package awslambdaric")
        origin = Path(spec.origin)
        source = origin.parent if spec.submodule_search_locations else origin
        (folder / source.name).symlink_to(source)
