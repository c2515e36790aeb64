"""Lanes for all tests of faults."""

from collections.abc import Iterator

import pytest

from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.faults.lanes import Lanes, open_lanes


@pytest.fixture(scope="package")
def lanes(postgres: PostgresServer, xray: XRayDaemon) -> Iterator[Lanes]:
    with open_lanes(postgres, xray) as side_by_side:
        yield side_by_side
