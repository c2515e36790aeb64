"""A handler that reveals what it is given, in every place where the search looks: the proof that the search finds it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
import psycopg
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from psycopg import sql

logger, tracer = Logger(service="leaky"), Tracer(service="leaky", auto_patch=False)
children: list[subprocess.Popen[bytes]] = []


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Reveal `Secret` in the layer that `Layer` names."""
    secret = event["Secret"]
    if event["Layer"] == "database":
        return _in_the_database(secret, event["Database"])
    getattr(Layers, event["Layer"])(secret)
    return {"answer": secret} if event["Layer"] == "answer" else {}


class Layers:
    """One way to reveal a secret each."""

    @staticmethod
    def answer(_secret: str) -> None:
        """Is in what the handler returns."""

    @staticmethod
    def error(secret: str) -> None:
        raise ValueError(secret)

    @staticmethod
    def log(secret: str) -> None:
        logger.info("a line", extra={"nested": {"password": secret}})

    @staticmethod
    def stderr(secret: str) -> None:
        sys.stderr.write(secret)

    @staticmethod
    def metric(secret: str) -> None:
        metrics = Metrics(namespace="leaky", service="leaky")
        metrics.add_metric("Leaks", MetricUnit.Count, 1)
        metrics.add_metadata("password", secret)
        metrics.flush_metrics()

    @staticmethod
    def trace(secret: str) -> None:
        with tracer.provider.in_subsegment("leak") as subsegment:
            subsegment.put_metadata("password", secret)

    @staticmethod
    def table(secret: str) -> None:
        item = {"id": {"S": "leak"}, "data": {"S": json.dumps({"password": secret})}}
        boto3.client("dynamodb").put_item(TableName=os.environ["IDEMPOTENCY_TABLE"], Item=item)

    @staticmethod
    def file(secret: str) -> None:
        with tempfile.NamedTemporaryFile("w", delete=False) as target:
            target.write(secret)

    @staticmethod
    def home(secret: str) -> None:
        Path("~/.pgpass").expanduser().write_text(secret)

    @staticmethod
    def command_line(secret: str) -> None:
        children.append(_child("input()", secret))

    @staticmethod
    def process_environment(secret: str) -> None:
        children.append(_child("input()", PGPASSWORD=secret))


def _in_the_database(secret: str, keys: dict[str, Any]) -> dict[str, str]:
    """A statement that quotes it, as the function's own sessions would."""
    place = {key: keys[key] for key in ("host", "port", "dbname", "user", "password")}
    with psycopg.connect(**place, application_name="secret-rotation", sslmode="disable") as connection:
        connection.execute(sql.SQL("SELECT {}").format(sql.Literal(secret)))
    return {}


def _child(*arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
    """A process that lives as long as this one."""
    return subprocess.Popen([sys.executable, "-S", "-c", *arguments], stdin=subprocess.PIPE, env=variables)
