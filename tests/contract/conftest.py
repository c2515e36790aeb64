"""One real server per engine, for the whole suite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from rotation.engines import ENGINES
from rotation.models import SecretDocument
from tests.contract.rotating import document, new_name, new_password
from tests.contract.stages import STAGES, Stage


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[[type[Stage]], Stage]]:
    """Starts a stage once; engines that are one product under two names share it."""
    running: dict[type[Stage], Stage] = {}
    with ExitStack() as stages:

        def started(kind: type[Stage]) -> Stage:
            if kind not in running:
                running[kind] = stages.enter_context(kind())
            return running[kind]

        yield started


@pytest.fixture(params=sorted(ENGINES))
def engine_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def stage(engine_name: str, start: Callable[[type[Stage]], Stage]) -> Stage:
    return start(STAGES[engine_name])


@pytest.fixture
def superuser(stage: Stage, engine_name: str) -> SecretDocument:
    name, password = stage.superuser
    return document(stage.keys, engine=engine_name, username=name, password=password)


@pytest.fixture
def secret(stage: Stage, engine_name: str) -> SecretDocument:
    """A secret whose user exists with this password."""
    name, password = new_name(), new_password()
    stage.create_user(name, password)
    return document(stage.keys, engine=engine_name, username=name, password=password, masterarn="arn:superuser")
