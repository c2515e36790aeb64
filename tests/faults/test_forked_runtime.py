"""A forked environment is one like any other: all that the suites on faults rely on."""

import os
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.lambda_runtime import LambdaFunction
from tests.faults.forked_runtime import fork_process

Deploy = Callable[..., LambdaFunction]


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """Deploys the source of a module."""

    def function(source: str, *, timeout_seconds: float = 30.0) -> LambdaFunction:
        (tmp_path / "app.py").write_text(textwrap.dedent(source))
        return LambdaFunction("app.handler", task_root=tmp_path, timeout_seconds=timeout_seconds, start=fork_process)

    return function


def test_nothing_of_the_caller_gets_in(deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody's")
    source = """
        import os, sys, time
        mine = {name for name in sys.modules if name.split(".")[0] in {"dashboards", "local", "rotation"}}
        def handler(event, context): return [dict(os.environ), sys.path, sys.argv, sorted(mine), os.getcwd(), time.tzname[0]]
    """
    with deploy(source) as function:
        variables, path, arguments, mine, folder, zone = function.invoke({}).payload
    assert "AWS_PROFILE" not in variables
    assert variables["LAMBDA_TASK_ROOT"] == path[0] == folder == str(tmp_path)
    assert variables["PYTHONPATH"].split(":") == path[: len(variables["PYTHONPATH"].split(":"))]
    assert arguments[1:] == ["app.handler"]
    assert (mine, zone) == ([], "UTC")


def test_libraries_are_there_before_the_function_which_is_imported_each_time(deploy: Deploy) -> None:
    source = """
        import sys
        before = "boto3" in sys.modules
        count = 0
        def handler(event, context):
            global count
            count += 1
            return [before, count]
    """
    with deploy(source) as function:
        first, second = function.invoke({}), function.invoke({})
        function.recycle()
        third = function.invoke({})
    assert [each.payload for each in (first, second, third)] == [[True, 1], [True, 2], [True, 1]]
    assert [each.cold_start for each in (first, second, third)] == [True, False, True]


@pytest.mark.parametrize(
    ("statement", "cause"),
    [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 11)", "signal: segmentation fault")],
)
def test_how_it_ended_is_known_and_what_it_wrote(deploy: Deploy, statement: str, cause: str) -> None:
    source = f"""
        import os, sys
        def handler(event, context):
            print("last")
            print("words", file=sys.stderr)
            {statement}
    """
    with deploy(source) as function:
        invocation = function.invoke({})
    assert invocation.error_message == f"RequestId: {invocation.request_id} Error: Runtime exited with error: {cause}"
    assert invocation.log_lines[:2] == ("last", "words")


def test_it_is_killed_when_its_time_is_over(deploy: Deploy) -> None:
    source = """
        import os, threading
        print(os.getpid())
        def handler(event, context): threading.Event().wait()
    """
    with deploy(source, timeout_seconds=0.25) as function:
        invocation = function.invoke({})
    assert invocation.timed_out
    assert not Path(f"/proc/{invocation.log_lines[0]}").exists()


def test_a_call_under_way_ends_when_it_is_killed(deploy: Deploy, tmp_path: Path) -> None:
    source = """
        import threading
        def handler(event, context):
            open(event["begun"], "w").close()
            threading.Event().wait()
    """
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    with deploy(source) as function, ThreadPoolExecutor(1) as pool:
        future = pool.submit(function.invoke, {"begun": str(begun)})
        begun.read_text()
        function.recycle()
        assert future.result(30).error_type == "Runtime.ExitError"
