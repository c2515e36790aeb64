import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.aws import AwsStage
from local.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer(settings={"log_statement": "all"}) as server:
        yield server


@pytest.fixture
def stage() -> Iterator[AwsStage]:
    with AwsStage() as stage:
        yield stage


@pytest.fixture
def write_handler(tmp_path: Path) -> Callable[[str], Path]:
    """Returns a function that writes a module `app` and returns the folder it is in."""

    def write(source: str) -> Path:
        (tmp_path / "app.py").write_text(textwrap.dedent(source))
        return tmp_path

    return write
