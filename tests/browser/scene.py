"""A fortnight of made-up rotations, written as the log lines, platform metrics and segments that a real one leaves."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dashboards.preview.documents import Json
from dashboards.preview.metric_store import MetricKey, MetricPoint
from dashboards.preview.watch import Watch

NOW = datetime(2026, 3, 2, 3, 12, tzinfo=UTC)
START = NOW - timedelta(days=14)
GROUP = "/aws/lambda/rotation-function"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
TYPICAL = {"createSecret": 60.0, "setSecret": 240.0, "testSecret": 110.0, "finishSecret": 45.0}
FUNCTION = frozenset({("FunctionName", "rotation-function")})


def emf(time: datetime, dimensions: list[list[str]], metrics: dict[str, tuple[float, str]], **root: str) -> str:
    """One log line in the embedded metric format."""
    directive = {
        "Namespace": "SecretRotation",
        "Dimensions": dimensions,
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()],
    }
    values = {name: value for name, (value, _) in metrics.items()}
    aws = {"Timestamp": int(time.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": aws, "service": "rotation", **root, **values})


def failure_lines(time: datetime, number: int, reason: str) -> Iterator[str]:
    """What a failed setSecret writes: a log line, and its metrics."""
    yield json.dumps(
        {
            "timestamp": time.isoformat(),
            "level": "ERROR",
            "message": f"setSecret failed: {reason}",
            "secret_id": f"app/database-{number % 7}",
            "step": "setSecret",
            "outcome": "failure",
            "reason": reason,
        }
    )
    failed = {"StepFailed": (1.0, "Count")}
    yield emf(time, [["service"], ["service", "reason"]], failed, reason=reason)
    outcome = {"Outcome": (1.0, "Count")}
    yield emf(time, [["service", "engine", "outcome"]], outcome, engine="postgres", outcome="failure")


def rotation_lines(time: datetime, number: int, chance: random.Random) -> Iterator[str]:
    """What a healthy rotation writes, step by step."""
    for index, step in enumerate(STEPS):
        at = time + timedelta(seconds=index)
        duration = TYPICAL[step] * chance.lognormvariate(0, 0.35)
        line = {"timestamp": at.isoformat(), "level": "INFO", "message": f"{step} done", "step": step}
        yield json.dumps(line | {"secret_id": f"app/database-{number % 7}", "outcome": "success", "duration_ms": duration})
        yield emf(at, [["service", "step"]], {"StepDuration": (duration, "Milliseconds")}, step=step)
        yield emf(at, [["service"]], {"RemainingTime": (29.4 - duration / 1000, "Seconds")})
    yield emf(
        time + timedelta(seconds=4),
        [["service"], ["service", "engine", "outcome"]],
        {
            "RotationSucceeded": (1.0, "Count"),
            "CredentialGap": (chance.uniform(8, 40), "Milliseconds"),
            "Outcome": (1.0, "Count"),
        },
        engine=chance.choice(["postgres", "postgres", "mysql"]),
        outcome="success",
    )


def segment(time: datetime, token: str, step: str, chance: random.Random, *, fault: str = "") -> dict[str, Json]:
    """The X-Ray document of one invocation."""
    start = time.timestamp()
    took = TYPICAL[step] / 1000
    names = [
        "GetSecretValue",
        "DescribeSecret",
        "postgres.connect",
        "ALTER ROLE" if step == "setSecret" else "SELECT 1",
    ]
    parts, at = [], start + 0.004
    for name in names:
        end = at + took * chance.uniform(0.1, 0.25)
        parts.append({"id": f"{chance.getrandbits(64):016x}", "name": name, "start_time": at, "end_time": end})
        at = end
    if fault:
        parts[-1] |= {"fault": True, "cause": {"exceptions": [{"type": "TargetError", "message": fault}]}}
    work = {"id": f"{chance.getrandbits(64):016x}", "name": f"## {step}", "start_time": start + 0.002, "end_time": at}
    work |= {"subsegments": parts, "annotations": {"rotation_id": token, "step": step}} | ({"fault": True} if fault else {})
    return {
        "id": f"{chance.getrandbits(64):016x}",
        "trace_id": f"1-{int(start):08x}-{chance.getrandbits(96):024x}",
        "name": "rotation-function",
        "start_time": start,
        "end_time": at + 0.003,
        "annotations": {"rotation_id": token, "step": step, "engine": "postgres"},
        "subsegments": [work],
    } | ({"fault": True} if fault else {})


def load_watch() -> Watch:
    """The stack of `scene_template.yaml`, before anything has happened to it."""
    return Watch.template(Path(__file__).parent / "scene_template.yaml")


def fill(watch: Watch) -> None:
    """Lets fourteen nights pass, one of them bad, and evaluates the alarms through all of them."""
    chance = random.Random(7)
    telemetry = watch.telemetry
    for night in range(14):
        midnight = START + timedelta(days=night, hours=22, minutes=48)
        for number in range(12):
            at = midnight + timedelta(minutes=6 * number)
            telemetry.take_lines(rotation_lines(at, number, chance), GROUP)
            if (night == 8 and number in (3, 4)) or (night == 13 and number == 11):
                telemetry.take_lines(
                    failure_lines(at, number, "login_refused" if number == 3 else "target_unreachable"), GROUP
                )
    for hour in range(14 * 24):
        at = START + timedelta(hours=hour, minutes=40)
        metrics = {
            "Heartbeat": (1.0, "Count"),
            "Overdue": (0.0, "Count"),
            "OldestCredential": (86400.0 + hour * 30, "Seconds"),
        }
        telemetry.take_lines([emf(at, [["service"]], metrics)], GROUP)
        telemetry.take_points([MetricPoint(MetricKey("AWS/Lambda", "Errors", FUNCTION), at, (0.0,), unit="Count")])
    add_traces(watch, chance)
    watch.board.run(START + timedelta(minutes=1), NOW, timedelta(minutes=1))


def add_traces(watch: Watch, chance: random.Random) -> None:
    for number in range(4):
        token = f"{chance.getrandbits(128):032x}"
        at = NOW - timedelta(minutes=60 - 12 * number)
        broken = number == 2
        for index, step in enumerate(STEPS[:2] if broken else STEPS):
            fault = "password authentication failed" if broken and step == "setSecret" else ""
            document = segment(at + timedelta(seconds=index), token, step, chance, fault=fault)
            watch.telemetry.take_segments([json.dumps(document)])
