"""The contract suite's fixtures."""

from local.contract.fixtures import *  # noqa: F403
