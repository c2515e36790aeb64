"""`rotation demo` as a stranger starts it: what it shows, how it ends, and that it leaves nothing behind.

What it claims is compared with the servers themselves where a test can reach them, on a stage in this process.
"""

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from local.demo import perform
from local.demo_plan import Plan, Strategy
from local.demo_proof import Secrecy
from local.demo_screen import Screen
from local.demo_stage import SECRET_NAME, DemoStage, demo_stage
from local.targets import TARGETS
from rotation.models import Step
from rotation.settings import StrategyName

ROTATION = Path(sys.executable).with_name("rotation")
HANDLER = Path(__file__).resolve().parents[2] / "handler"
REASONS = {
    "createSecret": "kms_denied",
    "setSecret": "port_closed",
    "testSecret": "role_locked",
    "finishSecret": "access_denied",
}
# May read everywhere, because a clone can be where others may not look, but is not root and owns nothing.
AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
DOES_NOTHING = """
def lambda_handler(event, context):
    return {"step": event["Step"], "outcome": "succeeded"}
"""
BREAKS_DOWN = """
import os


def lambda_handler(event, context):
    os._exit(3)
"""
FORGETS_THE_DATABASE = """
import json
import boto3

client = boto3.client("secretsmanager")


def lambda_handler(event, context):
    secret, token = event["SecretId"], event["ClientRequestToken"]
    if event["Step"] == "createSecret":
        value = json.loads(client.get_secret_value(SecretId=secret)["SecretString"]) | {"password": "never told to anybody"}
        client.put_secret_value(
            SecretId=secret, ClientRequestToken=token, RotationToken=event["RotationToken"],
            SecretString=json.dumps(value), VersionStages=["AWSPENDING"],
        )
    if event["Step"] == "finishSecret":
        stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""


@pytest.fixture
def playground() -> Iterator[Path]:
    """The program's folder for temporary files; when the test ends, it is empty and nothing runs in it any more."""
    with tempfile.TemporaryDirectory(prefix="demo-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        assert servers_in(folder) == []
        assert list(folder.iterdir()) == []


def servers_in(folder: Path, *, started_by: int = 0) -> list[str]:
    """The processes that work in the folder or were told of it, other than the program that started them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or is none of ours
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(folder).encode() in told or (process / "cwd").readlink().is_relative_to(folder):
                found.append(process.name)
    return [number for number in found if number != str(started_by)]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": str(folder), **more}


def run(
    folder: Path, *arguments: str, prefix: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, str(ROTATION), *arguments],
        env=environment(folder, **(variables or {})),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_rotation_is_shown_and_proven(strategy: Strategy, playground: Path) -> None:
    done = run(playground, "demo", "--strategy", strategy.value)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for shown in ("Stage ─", "Rotation ─", "Proof ─", "Metrics ─", "Log line of ", "Trace ─", "exit code 0", *Step):
        assert shown in done.stdout
    assert "✘" not in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("engine", sorted(set(TARGETS) - {"postgres"}))
def test_every_engine_can_be_shown(engine: str, playground: Path) -> None:
    done = run(playground, "demo", "--engine", engine, "--json")
    if " is missing: " in done.stderr and os.environ.get("CI") != "true":
        pytest.skip(done.stderr)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    seen = json.loads(done.stdout)
    assert seen["engine"] == engine
    assert seen["ok"] is True
    assert [part["step"] for part in seen["rotation"]["steps"]] == list(Step)


@pytest.mark.parametrize("step", list(Step))
def test_a_failure_is_caused_explained_and_overcome(step: Step, playground: Path) -> None:
    done = run(playground, "demo", "--fail", step.value, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    seen = json.loads(done.stdout)
    failed, retried = seen["failure"]["attempt"], seen["rotation"]
    assert failed["failed_step"] == failed["steps"][-1]["step"] == step.value
    assert failed["steps"][-1]["log"]["reason"] == REASONS[step.value]
    assert failed["steps"][-1]["log"]["next_action"]
    assert failed["failure"].endswith(failed["steps"][-1]["log"]["next_action"])
    assert {"service": "demo", "reason": REASONS[step.value]} in dimensions_of("Failures", failed)
    assert [event["detail"]["eventName"] for event in failed["events"]] == ["RotationStarted", "RotationFailed"]
    assert retried["version_id"] == failed["version_id"]
    assert [part["step"] for part in retried["steps"]] == list(Step)
    assert seen["ok"] is True


def dimensions_of(name: str, attempt: dict[str, Any]) -> list[dict[str, str]]:
    metrics = [metric for part in attempt["steps"] for metric in part["metrics"] if metric["name"] == name]
    return [dimensions for metric in metrics for dimensions in metric["dimensions"]]


def test_an_operator_is_told_what_happened_and_what_to_do(playground: Path) -> None:
    done = run(playground, "demo", "--fail", "setSecret")
    assert done.returncode == 0, done.stdout
    for shown in ("✘ setSecret", "port_closed", "refuses connections", "do next", "RotationFailed", "untouched"):
        assert shown in done.stdout


def test_many_rotations_are_timed_and_each_is_proven(playground: Path) -> None:
    done = run(playground, "demo", "--count", "3", "--strategy", "alternating-users")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for shown in ("rotations/s", "median", "p95", "3 of 3 rotations were proven", *Step):
        assert shown in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--strategy", "both"], "alternating-users"),
        (["--engine", "papyrus"], "postgres"),
        (["--fail", "dropSecret"], "finishSecret"),
        (["--count", "0"], "--count"),
        (["--count", "many"], "--count"),
        (["--count", "2", "--fail", "setSecret"], "leave out --count"),
        (["--svg", "/proc"], "--svg"),
        (["--quick"], "--quick"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], told: str, playground: Path) -> None:
    done = run(playground, "demo", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_the_exit_codes(playground: Path) -> None:
    done = run(playground, "demo", "--help")
    assert done.returncode == 0
    assert "Exit codes" in done.stdout


@pytest.mark.parametrize(
    ("number", "exit_code", "moment"),
    [
        (signal.SIGINT, 130, "Stage"),
        (signal.SIGINT, 130, "✔ Target"),
        (signal.SIGTERM, 143, "✔ createSecret"),
        (signal.SIGHUP, 129, "✔ setSecret"),
        (signal.SIGINT, 130, "rotations, one after the other"),
    ],
)
def test_a_signal_ends_it_and_leaves_nothing(number: signal.Signals, exit_code: int, moment: str, playground: Path) -> None:
    with subprocess.Popen(
        # A caller may have been told to ignore a signal (nohup), and passes that on.
        ["env", "--default-signal", str(ROTATION), "demo", "--count", "200" if "rotations" in moment else "1"],
        env=environment(playground),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert next(line for line in program.stdout if moment in line)
        # The proof that there was something to leave behind.
        assert moment == "Stage" or servers_in(playground, started_by=program.pid)
        program.send_signal(number)
        _, errors = program.communicate(timeout=60)
        assert program.returncode == exit_code
        assert number.name in errors
        assert "Traceback" not in errors


def test_a_reader_that_goes_away_ends_it_too(playground: Path) -> None:
    with subprocess.Popen(
        [str(ROTATION), "demo"], env=environment(playground), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "\n"
        program.stdout.close()
        program.wait(60)
        assert program.returncode == 1


def test_it_works_as_a_normal_user(playground: Path) -> None:
    is_root = os.geteuid() == 0
    if is_root:
        shutil.chown(playground, 65534, 65534)
    done = run(playground, "demo", prefix=AS_NOBODY if is_root else ())
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_stage_that_cannot_be_set_is_explained(playground: Path) -> None:
    done = run(playground, "demo", prefix=("prlimit", "--fsize=65536"))
    assert done.returncode == 1
    assert "the stage could not be set: PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("handler", "arguments"),
    [
        pytest.param(DOES_NOTHING, (), id="does nothing"),
        pytest.param(DOES_NOTHING, ("--fail", "setSecret"), id="does nothing, not even fail"),
        pytest.param(BREAKS_DOWN, ("--fail", "testSecret"), id="breaks down"),
        pytest.param(BREAKS_DOWN, ("--count", "2"), id="breaks down among many"),
        pytest.param(FORGETS_THE_DATABASE, (), id="forgets the database"),
        pytest.param(FORGETS_THE_DATABASE, ("--count", "2"), id="forgets the database among many"),
    ],
)
def test_a_function_that_does_not_do_its_work_is_found_out(
    handler: str, arguments: tuple[str, ...], tmp_path: Path, playground: Path
) -> None:
    shutil.copytree(HANDLER, tmp_path / "handler", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "handler" / "rotation" / "app.py").write_text(handler)
    done = run(playground, "demo", *arguments, variables={"PYTHONPATH": str(tmp_path / "handler")})
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    assert "exit code 1" in done.stdout
    assert "✘ AWSCURRENT" in done.stdout or "✘ The new credential" in done.stdout


def test_a_terminal_that_can_do_nothing_gets_plain_text(playground: Path) -> None:
    ours, its = pty.openpty()
    with (
        subprocess.Popen([str(ROTATION), "demo"], env=environment(playground, TERM="dumb"), stdout=its) as program,
        os.fdopen(ours, "rb", buffering=0) as terminal,
    ):
        os.close(its)
        shown = b""
        with suppress(OSError):  # that is how the other end's closing is told
            while part := terminal.read(65536):
                shown += part
        assert program.wait(60) == 0
    assert b"exit code 0" in shown
    assert b"\x1b" not in shown


def test_an_encoding_without_the_signs_gets_others(playground: Path) -> None:
    done = run(playground, "demo", variables={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "+ finishSecret" in done.stdout


def test_the_picture_needs_no_network(playground: Path, tmp_path: Path) -> None:
    done = run(playground, "demo", "--svg", str(tmp_path / "demo.svg"))
    assert done.returncode == 0
    picture = (tmp_path / "demo.svg").read_text()
    assert "finishSecret" in picture
    assert "@font-face" not in picture
    assert "url(http" not in picture


@pytest.mark.parametrize(
    "plan",
    [
        Plan(),
        Plan(Strategy.SINGLE_USER_BY_SUPERUSER, fail=Step.SET),
        Plan(Strategy.ALTERNATING_USERS, fail=Step.TEST),
        Plan(Strategy.ALTERNATING_USERS, count=3),
    ],
    ids=str,
)
def test_what_is_shown_is_what_the_servers_say(plan: Plan) -> None:
    shown = StringIO()
    screen = Screen(Console(file=shown, width=80))
    with demo_stage(plan.engine, StrategyName(plan.strategy) if plan.strategy else None, screen.doing) as stage:
        first = value_of(stage, "AWSCURRENT")
        seen = perform(plan, stage, screen, lambda: None)
        current, previous = value_of(stage, "AWSCURRENT"), value_of(stage, "AWSPREVIOUS")
        stages = stage.aws.client("secretsmanager").describe_secret(SecretId=SECRET_NAME)["VersionIdsToStages"]
        assert "AWSCURRENT" in stages[seen.rotation.version_id]
        assert {label: version for version, labels in stages.items() for label in labels} == seen.labels
        opens = [is_let_in(stage, current), is_let_in(stage, previous)]
        assert opens == [login.accepted for login in seen.logins]
        assert opens == [True, plan.strategy is Strategy.ALTERNATING_USERS]
        moves = [call for call in stage.aws.calls if call.operation == "UpdateSecretVersionStage" and not call.error]
        assert len(moves) == plan.count
        assert seen.ok is True
        for password in {stage.target.superuser[1], *(value["password"] for value in (first, current, previous))}:
            assert password not in shown.getvalue()
            assert password not in seen.model_dump_json()


def test_a_password_is_found_wherever_it_is_written() -> None:
    with demo_stage("postgres", StrategyName.SINGLE_USER, Screen(Console(quiet=True)).doing) as stage:
        password = value_of(stage, "AWSCURRENT")["password"]
        write_trace(stage, "nothing of interest")
        write_item(stage, "nothing of interest")
        searched = Secrecy(stage)
        searched.look(["nothing of interest"], "a rotation token")
        assert searched.check().holds
        for line in (f"a line with {password} in it", "a line with a rotation token in it"):
            assert not holds_with(stage, line)
        write_item(stage, password)
        assert not searched.check().holds
        write_item(stage, "nothing of interest")
        write_trace(stage, password)
        assert not holds_with(stage, "nothing of interest")
    with demo_stage("postgres", StrategyName.SINGLE_USER, Screen(Console(quiet=True)).doing) as stage:
        write_trace(stage, "nothing of interest")
        write_item(stage, "nothing of interest")
        value = value_of(stage, "AWSCURRENT")
        stage.target.create_user("another", "harmless")
        assert holds_with(stage, "nothing of interest")
        with psycopg.connect(**login_of(stage, value)) as connection:
            connection.execute(f"SELECT '{value['password']}'")
        assert not holds_with(stage, "nothing of interest")


def holds_with(stage: DemoStage, line: str) -> bool:
    searched = Secrecy(stage)
    searched.look([line], "a rotation token")
    return searched.check().holds


def write_trace(stage: DemoStage, text: str) -> None:
    host, _, port = stage.xray.environment["AWS_XRAY_DAEMON_ADDRESS"].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), (host, int(port)))


def write_item(stage: DemoStage, text: str) -> None:
    stage.aws.client("dynamodb").put_item(TableName=stage.table, Item={"id": {"S": "the only one"}, "data": {"S": text}})


def value_of(stage: DemoStage, label: str) -> dict[str, Any]:
    answer = stage.aws.client("secretsmanager").get_secret_value(SecretId=SECRET_NAME, VersionStage=label)
    value: dict[str, Any] = json.loads(answer["SecretString"])
    return value


def login_of(stage: DemoStage, value: dict[str, Any]) -> dict[str, Any]:
    keys = stage.target.keys
    who = {"user": value["username"], "password": value["password"]}
    return {"host": keys["host"], "port": keys["port"], "dbname": keys["dbname"], **who}


def is_let_in(stage: DemoStage, value: dict[str, Any]) -> bool:
    try:
        psycopg.connect(**login_of(stage, value)).close()
    except psycopg.OperationalError:
        return False
    return True
