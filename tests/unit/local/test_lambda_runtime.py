import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.lambda_runtime import LambdaFunction

WriteHandler = Callable[[str], Path]


def test_the_event_reaches_the_handler_and_its_answer_comes_back(write_handler: WriteHandler) -> None:
    root = write_handler("def handler(event, context): return {'doubled': event['number'] * 2}")
    with LambdaFunction("app.handler", task_root=root) as function:
        invocation = function.invoke({"number": 21})
    assert invocation.succeeded
    assert invocation.payload == {"doubled": 42}
    assert (invocation.function_error, invocation.error_type, invocation.error_message) == (None, None, None)


def test_the_context_is_lambdas(write_handler: WriteHandler) -> None:
    root = write_handler("""
        def handler(event, context):
            return [context.aws_request_id, context.function_name, context.memory_limit_in_mb,
                    context.invoked_function_arn, context.get_remaining_time_in_millis()]
    """)
    with LambdaFunction("app.handler", task_root=root, function_name="f", memory_mb=300, timeout_seconds=9) as function:
        invocation = function.invoke({})
    request_id, name, memory, arn, remaining_ms = invocation.payload
    assert (request_id, name, memory) == (invocation.request_id, "f", "300")
    assert arn == function.arn == "arn:aws:lambda:eu-central-1:123456789012:function:f"
    assert 0 < remaining_ms <= 9000


def test_a_second_call_finds_the_environment_of_the_first(write_handler: WriteHandler) -> None:
    root = write_handler("""
        import os
        def handler(event, context): return os.getpid()
    """)
    with LambdaFunction("app.handler", task_root=root) as function:
        first, second = function.invoke({}), function.invoke({})
        function.recycle()
        third = function.invoke({})
    assert (first.cold_start, second.cold_start, third.cold_start) == (True, False, True)
    assert first.payload == second.payload != third.payload
    assert first.init_duration_ms is not None
    assert second.init_duration_ms is None


def test_lambdas_variables_are_set_and_nothing_else_gets_in(
    write_handler: WriteHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody's")
    monkeypatch.setenv("PGPASSWORD", "somebody's")
    root = write_handler("""
        import os
        def handler(event, context): return dict(os.environ)
    """)
    with LambdaFunction("app.handler", task_root=root, environment={"OWN": "1", "AWS_REGION": "eu-west-1"}) as function:
        invocation = function.invoke({})
    variables = invocation.payload
    assert not {"AWS_PROFILE", "PGPASSWORD"} & set(variables)
    assert variables["OWN"] == "1"
    assert variables["AWS_REGION"] == "eu-west-1"
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/rotation"
    assert variables["LAMBDA_TASK_ROOT"] == str(root)
    assert variables["_X_AMZN_TRACE_ID"].startswith(f"Root={invocation.trace_id};Parent=")
    assert variables["HOME"] not in {str(Path.home()), str(Path.cwd())}


def test_an_error_is_reported_with_its_type_message_and_trace(write_handler: WriteHandler) -> None:
    root = write_handler("def handler(event, context): raise ValueError('not that one')")
    with LambdaFunction("app.handler", task_root=root) as function:
        invocation, after = function.invoke({}), function.invoke({})
    assert invocation.function_error == "Unhandled"
    assert (invocation.error_type, invocation.error_message) == ("ValueError", "not that one")
    assert "in handler" in invocation.payload["stackTrace"][0]
    assert invocation.log_lines[0].startswith("[ERROR] ValueError: not that one\nTraceback")
    assert not after.cold_start


def test_a_timeout_kills_the_environment_and_is_logged_as_lambda_does(write_handler: WriteHandler) -> None:
    root = write_handler("""
        import threading
        def handler(event, context):
            print("working")
            threading.Event().wait(event["seconds"])
    """)
    with LambdaFunction("app.handler", task_root=root, timeout_seconds=0.25) as function:
        invocation, after = function.invoke({"seconds": 60}), function.invoke({"seconds": 0})
    assert invocation.timed_out
    assert invocation.error_type == "Sandbox.Timedout"
    assert invocation.log_lines[0] == "working"
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {invocation.request_id} Task timed out after 0\.25 seconds",
        invocation.log_lines[1],
    )
    assert after.succeeded
    assert after.cold_start


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("import a_module_that_is_missing", "Runtime.ImportModuleError", "No module named 'a_module_that_is_missing'"),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("other = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("raise KeyError('at import')", "KeyError", "at import"),
    ],
)
def test_a_handler_that_cannot_be_imported(write_handler: WriteHandler, source: str, error_type: str, message: str) -> None:
    with LambdaFunction("app.handler", task_root=write_handler(source)) as function:
        invocation, after = function.invoke({}), function.invoke({})
    assert invocation.function_error == "Unhandled"
    assert invocation.error_type == error_type
    assert message in str(invocation.error_message)
    assert any(line.startswith(f"[ERROR] {error_type}") for line in invocation.log_lines)
    assert after.cold_start


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_a_runtime_that_dies(write_handler: WriteHandler, statement: str, cause: str) -> None:
    root = write_handler(f"""
        import os
        def handler(event, context):
            print("last words")
            {statement}
    """)
    with LambdaFunction("app.handler", task_root=root) as function:
        invocation, after = function.invoke({}), function.invoke({})
    text = f"RequestId: {invocation.request_id} Error: {cause}"
    assert (invocation.error_type, invocation.error_message) == ("Runtime.ExitError", text)
    assert invocation.log_lines == ("last words", f"{text}\nRuntime.ExitError")
    assert after.cold_start


def test_too_much_memory_is_a_kill(write_handler: WriteHandler) -> None:
    root = write_handler("def handler(event, context): return len(bytearray(b'x') * (event['mb'] << 20))")
    with LambdaFunction("app.handler", task_root=root, memory_mb=64) as function:
        modest, greedy = function.invoke({"mb": 10}), function.invoke({"mb": 100})
    assert modest.succeeded
    assert 10 < modest.max_memory_mb < 64
    assert greedy.error_type == "Runtime.ExitError"
    assert str(greedy.error_message).endswith("signal: killed")
    assert greedy.max_memory_mb > 64


def test_the_log_is_complete_in_order_and_cut_where_an_invocation_ends(write_handler: WriteHandler) -> None:
    root = write_handler("""
        import os, sys, logging
        print("at import")
        def handler(event, context):
            for number in range(event["lines"]):
                print(number, "x" * 200)
            print("to stderr", file=sys.stderr)
            os.write(1, b"without an end")
    """)
    with LambdaFunction("app.handler", task_root=root) as function:
        first, second = function.invoke({"lines": 3000}), function.invoke({"lines": 1})
    numbered = tuple(f"{number} {'x' * 200}" for number in range(3000))
    assert first.log_lines == ("at import", *numbered, "to stderr", "without an end")
    assert second.log_lines == (numbered[0], "to stderr", "without an end")


def test_parallel_calls_get_environments_of_their_own(write_handler: WriteHandler, tmp_path: Path) -> None:
    # Opening a named pipe waits for the other end: neither call ends unless both are under way at once.
    root = write_handler("""
        import os
        def handler(event, context):
            open(event["pipe"], event["mode"]).close()
            return os.getpid()
    """)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    events = [{"pipe": str(pipe), "mode": mode} for mode in ("r", "w")]
    with LambdaFunction("app.handler", task_root=root) as function, ThreadPoolExecutor(2) as pool:
        invocations = list(pool.map(function.invoke, events))
    assert all(invocation.succeeded for invocation in invocations)
    assert len({invocation.payload for invocation in invocations}) == 2


def test_a_call_under_way_ends_when_the_function_is_recycled(write_handler: WriteHandler, tmp_path: Path) -> None:
    root = write_handler("""
        import threading
        def handler(event, context):
            open(event["begun"], "w").close()
            threading.Event().wait()
    """)
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    with LambdaFunction("app.handler", task_root=root) as function, ThreadPoolExecutor(1) as pool:
        future = pool.submit(function.invoke, {"begun": str(begun)})
        begun.read_text()
        function.recycle()
        invocation = future.result(30)
    assert invocation.error_type == "Runtime.ExitError"


def test_an_artefact_finds_only_what_it_holds_and_gets_no_bytecode(write_handler: WriteHandler) -> None:
    root = write_handler("""
        import neighbour
        def handler(event, context):
            import boto3
    """)
    (root / "neighbour.py").write_text("")
    with LambdaFunction("app.handler", task_root=root, libraries=()) as function:
        invocation = function.invoke({})
    assert (invocation.error_type, invocation.error_message) == ("ModuleNotFoundError", "No module named 'boto3'")
    assert not (root / "__pycache__").exists()


def test_sources_find_the_installed_libraries(write_handler: WriteHandler) -> None:
    root = write_handler("""
        def handler(event, context):
            import botocore
            return botocore.__name__
    """)
    with LambdaFunction("app.handler", task_root=root) as function:
        assert function.invoke({}).payload == "botocore"


def test_a_throttled_function_is_never_reached(write_handler: WriteHandler) -> None:
    root = write_handler("def handler(event, context): return 1")
    with LambdaFunction("app.handler", task_root=root) as function:
        function.throttled = True
        refused = function.invoke({})
        function.throttled = False
        accepted = function.invoke({})
    assert not refused.succeeded
    assert refused.throttled
    assert refused.function_error is None
    assert [(point.name, point.value) for point in refused.platform_metrics] == [("Throttles", 1)]
    assert accepted.succeeded


def test_the_platforms_metrics_carry_the_start_of_the_invocation(write_handler: WriteHandler) -> None:
    root = write_handler("def handler(event, context): raise RuntimeError")
    with LambdaFunction("app.handler", task_root=root, function_name="f") as function:
        invocation = function.invoke({})
    values = {point.name: point.value for point in invocation.platform_metrics}
    assert values == {"Invocations": 1, "Errors": 1, "Duration": invocation.duration_ms, "Throttles": 0}
    assert {point.namespace for point in invocation.platform_metrics} == {"AWS/Lambda"}
    assert all(point.dimensions == {"FunctionName": "f"} for point in invocation.platform_metrics)
    assert {point.timestamp for point in invocation.platform_metrics} == {invocation.started_at}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_after_a_signal(write_handler: WriteHandler, number: signal.Signals) -> None:
    root = write_handler("""
        import os, threading
        def handler(event, context):
            if event["wait"]: threading.Event().wait()
            return os.getpid(), os.environ["HOME"]
    """)
    source = f"""
import json, pathlib
from local.lambda_runtime import LambdaFunction
with LambdaFunction("app.handler", task_root=pathlib.Path({str(root)!r})) as function:
    print(json.dumps(function.invoke({{"wait": False}}).payload), flush=True)
    function.invoke({{"wait": True}})
"""
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as program:
        assert program.stdout is not None
        pid, folder = json.loads(program.stdout.readline())
        program.send_signal(number)
        program.wait(30)
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(folder).exists()
