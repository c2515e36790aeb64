"""Lanes for all tests of faults, and the faults of each strategy's matrix."""

from collections.abc import Iterator

import pytest

from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.faults.fault_table import Fault
from tests.faults.lanes import Lanes, open_lanes
from tests.faults.matrix import Matrix, faults_for


@pytest.fixture(scope="package")
def lanes(postgres: PostgresServer, xray: XRayDaemon) -> Iterator[Lanes]:
    with open_lanes(postgres, xray) as side_by_side:
        yield side_by_side


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest, lanes: Lanes, thorough: bool) -> Matrix:
    """What comes of everything that can go wrong with the module's strategy, as far as its tests are to be run."""
    strategy: str = request.module.STRATEGY
    selected = [_fault_of(item) for item in request.session.items if item.path == request.path]
    faults = [fault for fault in selected if fault is not None] or faults_for(strategy, thorough=thorough)
    return Matrix(lanes, strategy, faults, thorough=thorough)


def _fault_of(item: pytest.Item) -> Fault | None:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    fault = parameters.get("fault")
    return fault if isinstance(fault, Fault) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        faults = faults_for(metafunc.module.STRATEGY, thorough=metafunc.config.getoption("--thorough"))
        metafunc.parametrize("fault", faults, ids=str)
