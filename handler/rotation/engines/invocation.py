"""What an engine may use of the invocation that it works in."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from rotation.aws import AwsCalls
from rotation.deadline import Deadline
from rotation.settings import Settings
from rotation.step_record import StepRecord

Resolver = Callable[..., list[Any]]
"""Asks as `socket.getaddrinfo` does."""

_PHASE = "target"


@dataclass(frozen=True)
class Invocation:
    """One invocation, as an engine sees it.

    Attributes:
        aws: The calls of an AWS service, by its boto3 name: for targets that are managed through AWS's API.
        resolver: Takes the place of DNS in tests.
    """

    settings: Settings
    deadline: Deadline
    record: StepRecord
    aws: Callable[[str], AwsCalls]
    resolver: Resolver = socket.getaddrinfo

    def call(self, operation: str) -> AbstractContextManager[None]:
        """Time a call to the target; every one has to be made within such a block."""
        return self.record.call(_PHASE, operation)
