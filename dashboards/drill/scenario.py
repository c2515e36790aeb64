"""What a scenario is: a cause, and the alarms that have to go off because of it and for no other reason."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dashboards.drill.stage import Stage

type Cause = Callable[[Stage], AbstractContextManager[None]]
"""Causes the failure on entering; on leaving, removes the cause and lets the rotation it has spoilt succeed."""

NOTHING: frozenset[str] = frozenset()
ATTEMPT = frozenset({"rotation-failed", "service-rotation-failed", "rotation-unhealthy"})
"""What goes off when an attempt at a rotation fails in the function."""
UNREACHED = frozenset({"service-rotation-failed", "rotation-unhealthy"})
"""What goes off when an attempt fails before or outside of the function's steps."""


@dataclass(frozen=True)
class Scenario:
    """One failure, or one thing that is none.

    Attributes:
        name: For the command line.
        title: What happens, in a clause.
        cause: Causes it for real.
        rings: Alarms that must go off, without the stack's prefix; none where silence is the point.
        alongside: Alarms that may go off as well.
        reason: What the failure has to be counted under, where the function gets to report one.
        patience: Simulated minutes within which all have to ring, or for which silence is listened to.
        listen_on: Simulated minutes after that: what else goes off, and does it ring without interruption?
    """

    name: str
    title: str
    cause: Cause
    rings: frozenset[str] = NOTHING
    alongside: frozenset[str] = NOTHING
    reason: str | None = None
    patience: int = 30
    listen_on: int = 10
