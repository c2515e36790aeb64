"""Servers of every kind."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from local.redis import RedisServer
from tests.contract.redis.places import Place, Start


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Valkey with the options of RedisServer."""
    with ExitStack() as stack:
        yield lambda **options: Place(stack.enter_context(RedisServer(**options)))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A server with an ACL file."""
    with RedisServer() as server:
        yield Place(server)
