"""`rotation preview FILE`: the page of what the deployed functions have really written."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from local.cli import app
from tests.functional.world import World

ROTATION = Path(sys.executable).with_name("rotation")
SERVICE = "shop"
GROUP = f"/aws/lambda/{SERVICE}"
MARK = 'type="application/json">'

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What the functions left behind: three attempts, of which one failed, and a look of the probe."""

    rotation: Path
    probe: Path
    traces: Path
    passwords: tuple[str, ...]


@pytest.fixture(scope="module")
def recorded(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("recorded")
    variables = {"POWERTOOLS_SERVICE_NAME": SERVICE, "POWERTOOLS_METRICS_NAMESPACE": "SecretRotation"}
    watching = variables | {"ROTATION_FUNCTION_ARN": "arn:aws:lambda:eu-central-1:200000000002:function:rotation"}
    watching["SECRET_NAME_PREFIX"] = "shop/"  # others have secrets in this world as well
    secret = world.new_secret(name="shop/orders")
    with world.deployed(environment=variables) as function:
        seen = [*function.rotate(secret).values(), *function.rotate(secret).values()]
        user = world.value(secret)["username"]
        world.execute("ALTER ROLE {} NOLOGIN", user)
        run = world.begin(secret)
        seen += [function.step("createSecret", run), function.step("setSecret", run)]
    with world.deployed("rotation.probe.lambda_handler", environment=watching) as probe:
        looked = probe.invoke({})
    traces = {one.invocation.trace_id for one in seen}
    segments = [json.dumps(segment) for segment in world.xray.segments if segment["trace_id"] in traces]
    files = {
        "rotation.log": [line for one in seen for line in one.invocation.log_lines],
        "probe.log": looked.invocation.log_lines,
        # With the header that precedes every document on its way to the daemon.
        "traces.log": [line for segment in segments for line in ('{"format": "json", "version": 1}', segment)],
    }
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    passwords = tuple(json.loads(text)["password"] for arn, text in world.every_value() if arn == secret)
    yield Recorded(folder / "rotation.log", folder / "probe.log", folder / "traces.log", passwords)
    world.secrets_manager.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def run(*arguments: str | Path, given: str = "") -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given, prog_name="rotation")


def shown(*arguments: str | Path, given: str = "") -> JsonObject:
    """What is on the page that the command has written."""
    done = run("preview", *arguments, given=given)
    assert done.exit_code == 0, done.output
    path = Path(done.stdout.strip())
    page = path.read_text()
    shutil.rmtree(path.parent)
    start = page.index(MARK) + len(MARK)
    model: JsonObject = json.loads(page[start : page.index("</script>", start)])["model"]
    return model


def widget(model: JsonObject, title: str) -> JsonObject:
    found = [one for board in model["dashboards"] for one in board["widgets"] if one["title"] == title]
    content: JsonObject = next(iter(found[0]["variants"].values()))
    return content


def that_rang(model: JsonObject) -> set[str]:
    """The alarms that went off at any time, less the stack's name."""
    return {
        alarm["name"].removeprefix(f"{model['stack']}-")
        for alarm in model["alarms"]
        if any(change["after"] == "ALARM" for change in alarm["history"])
    }


def rows(model: JsonObject, title: str) -> list[list[Any]]:
    found: list[list[Any]] = widget(model, title).get("rows", [])
    return found


def test_the_dashboards_hold_what_the_functions_wrote(recorded: Recorded) -> None:
    model = shown(recorded.rotation, recorded.probe)
    assert model["stack"] == SERVICE
    assert widget(model, "Succeeded")["items"][0]["value"] == 2
    assert widget(model, "Failed attempts")["items"][0]["value"] == 1
    assert widget(model, "Watched secrets")["items"][0]["value"] == 1
    assert model["problems"] == []


def test_the_templates_alarms_are_evaluated(recorded: Recorded, tmp_path: Path) -> None:
    done = run("preview", recorded.rotation, recorded.probe, "-o", tmp_path / "page.html")
    for told in ("log lines of the stack shop", "shop-rotation-failed rings", "shop-cause-login rings"):
        assert told in done.stderr
    assert that_rang(shown(recorded.rotation, recorded.probe)) == {"rotation-failed", "rotation-unhealthy", "cause-login"}


def test_parameters_are_those_of_the_template(recorded: Recorded, tmp_path: Path) -> None:
    silenced = ("--parameter", "FailureRatePercent=80")
    done = run("preview", recorded.rotation, *silenced, "-o", tmp_path / "page.html")
    assert "none of the" in done.stderr
    assert that_rang(shown(recorded.rotation, *silenced)) == set()


def test_a_failure_is_one_row_with_secret_reason_and_remedy(recorded: Recorded) -> None:
    model = shown(recorded.rotation)
    ((_, secret, step, reason, error, next_action, _),) = rows(
        model, "Latest failures: which secret, which step, why, what to do"
    )
    assert "secret:shop/orders" in secret
    assert (step, reason) == ("setSecret", "role_locked")
    assert error
    assert next_action
    assert rows(model, "Failures by reason, counted") == [["role_locked", "setSecret", 1.0]]


def test_log_groups_decide_what_log_tables_see(recorded: Recorded) -> None:
    title = "Failures by reason, counted"
    assert rows(shown(recorded.rotation, recorded.probe, "--log-group", "/elsewhere"), title) == []
    both = ("--log-group", GROUP, "--log-group", f"{GROUP}-probe")
    assert len(rows(shown(recorded.rotation, recorded.probe, *both), title)) == 1


def test_traces_become_waterfalls(recorded: Recorded, tmp_path: Path) -> None:
    rotations = shown(recorded.rotation, "--traces", recorded.traces)["rotations"]
    assert [(one["invocations"], one["failed"]) for one in rotations] == [(2, True), (4, False), (4, False)]
    documents = [line for line in recorded.traces.read_text().splitlines() if '"trace_id"' in line]
    answer = {"Traces": [{"Id": "1", "Segments": [{"Id": "1", "Document": document} for document in documents]}]}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    assert shown(recorded.rotation, "--traces", tmp_path / "answer.json")["rotations"] == rotations


@pytest.mark.parametrize("prefix", ["2026-03-02T03:12:00 ", "2026-03-02T03:12:00.852000+00:00 2026/03/02/[$LATEST]0a1b "])
def test_lines_come_from_standard_input_as_the_aws_cli_prints_them(recorded: Recorded, prefix: str) -> None:
    printed = "".join(f"{prefix}{line}\n" for line in recorded.rotation.read_text().splitlines())
    assert shown("-", given=printed)["dashboards"] == shown(recorded.rotation)["dashboards"]


def test_the_page_goes_where_it_is_wanted(recorded: Recorded, tmp_path: Path) -> None:
    page = tmp_path / "shop.html"
    assert run("preview", recorded.rotation, "--output", page).stdout == f"{page}\n"
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert len(recorded.passwords) > 2
    assert not any(password in text for password in recorded.passwords)


def test_another_stack_sees_nothing_of_these_metrics(recorded: Recorded) -> None:
    model = shown(recorded.rotation, "--stack-name", "other")
    assert widget(model, "Succeeded")["empty"]


def test_a_line_that_would_lose_metrics_is_told(recorded: Recorded, tmp_path: Path) -> None:
    broken = '{"_aws": {"CloudWatchMetrics": "none"}}'
    (tmp_path / "broken.log").write_text(f"{recorded.rotation.read_text()}{broken}\n")
    done = run("preview", tmp_path / "broken.log", "-o", tmp_path / "page.html")
    assert "1 log lines would lose metrics" in done.stderr
    assert "_aws.CloudWatchMetrics is missing or not an array" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["absent.log"], "cannot read absent.log: No such file or directory"),
        (["LOG", "--traces", "absent.json"], "cannot read absent.json"),
        (["LOG", "--traces", "LOG"], "segment 1 is no X-Ray segment: it needs to be JSON with id, name and start_time"),
        (["LOG", "--parameter", "FailureRatePercent"], "the parameter 'FailureRatePercent' has no value: write Name=Value"),
        (["LOG", "--parameter", "Absent=1"], "declares no parameter Absent"),
        (["LOG", "--parameter", "FailureRatePercent=many"], "parameter FailureRatePercent must be a number"),
        (["LOG", "--output", "/absent/page.html"], "cannot write /absent/page.html"),
        (["LOG", "LOG", "LOG", "--log-group", "a", "--log-group", "b"], "give --log-group once for all files"),
        (["-"], "there is no metric in what was read: give log lines in the embedded metric format"),
    ],
)
def test_what_is_wrong_is_told(recorded: Recorded, arguments: list[str], told: str) -> None:
    done = run("preview", *(str(recorded.rotation) if word == "LOG" else word for word in arguments), given="hello\n")
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    assert told in done.output
    assert "many" not in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "or - for standard input, or choose"),
        (["--live", "some.log"], "it makes its own rotations"),
        (["some.log", "--port", "8080"], "a page in a file has none"),
        (["--live", "--port", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], told: str) -> None:
    done = run("preview", *arguments)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [str(ROTATION), "preview", "--live", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"--port {port} is taken: choose another, or leave it out" in done.stderr


def test_the_drill_is_a_command_with_options_of_its_own() -> None:
    assert "rotation drill" in run("drill", "-h").stdout
    assert "database-down" in run("drill", "--list").stdout
    assert run("drill", "--only", "absent").exit_code == 2
