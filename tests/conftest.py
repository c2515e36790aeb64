"""What several suites share: one database server, one daemon for traces, and one world around the function."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from local.aws import AwsStage
from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.functional.world import World
from tests.verdict import Verdict, by_section, table, write

# Repeatable and quick wherever tests run by themselves; on demand random, and many more.
settings.register_profile("usual", max_examples=50, derandomize=True, deadline=None, database=None)
settings.register_profile("thorough", max_examples=1000, deadline=None, database=None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that checks passwords; tests make roles of their own on it, and leave it running as they found it."""
    # Each line begins with the name that the client gave itself, so that the function's are told from the tests'.
    # Few iterations: to compute the usual 4,096 is most of what a login costs, and there are thousands of them.
    settings = {"log_statement": "all", "log_line_prefix": "%a|", "scram_iterations": "64"}
    with PostgresServer(settings=settings) as server:
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


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> Verdict:
    """Where a test writes down what it found out for the report on reliability."""
    return Verdict(request.node.user_properties)


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether everything is to be tried, however long it takes."""
    return bool(request.config.getoption("--thorough"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="try everything there is to try, however long it takes")
    parser.addoption("--verdict", type=Path, metavar="FILE", help="write the report on reliability as JSON")


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are processors: tests wait for a third of their time."""
    return (os.process_cpu_count() or 1) * 3 // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest, so that no process is left alone with it in the end."""
    items.sort(key=lambda item: item.path.name != "test_single_user.py")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("thorough" if config.getoption("--thorough") else "usual")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Sum up what the tests of reliability tried."""
    reports = (report for listed in terminalreporter.stats.values() for report in listed)
    sums = by_section(each for report in reports if getattr(report, "when", "") == "call" for each in report.user_properties)
    if not sums:
        return
    is_clean = all(tally.is_clean for tally in sums.values())
    terminalreporter.section("reliability", green=is_clean, red=not is_clean)
    for line in table(sums):
        terminalreporter.line(line)
    if (path := config.getoption("--verdict")) is not None:
        write(sums, path)


def pytest_unconfigure() -> None:
    """Close the socket that the X-Ray SDK opens when it is imported, and never closes itself."""
    if (sdk := sys.modules.get("aws_xray_sdk.core")) is not None:
        sdk.xray_recorder.emitter._socket.close()
