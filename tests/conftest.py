"""What several suites share: one database server, one daemon for traces, and one world around the function."""

import sys
from collections.abc import Iterator

import pytest

from local.aws import AwsStage
from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.functional.world import World


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that checks passwords; tests make roles of their own on it, and leave it running as they found it."""
    with PostgresServer(settings={"log_statement": "all"}) as server:
        yield server


@pytest.fixture(scope="session")
def xray() -> Iterator[XRayDaemon]:
    with XRayDaemon() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def world(postgres: PostgresServer, xray: XRayDaemon) -> Iterator[World]:
    """An account of its own with everything that a rotation meets; secrets and roles in it are made per test."""
    with AwsStage(account_id="200000000002") as stage:
        yield World(stage, postgres, xray)


def pytest_unconfigure() -> None:
    """Close the socket that the X-Ray SDK opens when it is imported, and never closes itself."""
    if (sdk := sys.modules.get("aws_xray_sdk.core")) is not None:
        sdk.xray_recorder.emitter._socket.close()
