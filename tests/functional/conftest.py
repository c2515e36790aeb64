"""The function, deployed once for all tests that need no settings of their own."""

from collections.abc import Iterator

import pytest

from tests.faults.database_proxy import DatabaseProxy, Interference
from tests.functional.sample import Sample, take_sample
from tests.functional.world import Deployed, World


@pytest.fixture(scope="session")
def deployed(world: World) -> Iterator[Deployed]:
    with world.deployed() as function:
        yield function


@pytest.fixture(scope="session")
def hasty(world: World) -> Iterator[Deployed]:
    """The function with so little time that waiting for it to run out is bearable."""
    with world.deployed(timeout_seconds=6.0, environment={"REPORT_RESERVE_SECONDS": "1"}) as function:
        yield function


@pytest.fixture(scope="session")
def proxy_for_all(world: World) -> Iterator[DatabaseProxy]:
    with DatabaseProxy((world.server.host, world.server.port)) as proxy:
        yield proxy


@pytest.fixture
def proxy(proxy_for_all: DatabaseProxy) -> Iterator[DatabaseProxy]:
    """A way to the server that can be disturbed."""
    yield proxy_for_all
    proxy_for_all.on_message = lambda _message: Interference.FORWARD


@pytest.fixture(scope="session")
def sample(world: World, deployed: Deployed) -> Sample:
    return take_sample(world, deployed)


@pytest.fixture(autouse=True)
def no_fault_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "world" in request.fixturenames:
        aws = request.getfixturevalue("world").aws
        aws.clear_faults()
        aws.latency.clear()
