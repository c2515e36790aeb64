"""A live session: turn by turn the fleet rotates, the chosen failure is caused, and the page learns of it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from time import monotonic
from types import TracebackType
from typing import NoReturn, Self

from dashboards.drill.scenarios import GROUPS
from dashboards.live.fleet import Fleet
from dashboards.live.observed_stage import ObservedStage
from dashboards.live.time_to_live import delete_expired
from dashboards.preview.documents import Content, PreviewError
from dashboards.preview.server import Fault

MINUTES_PER_TURN = 5
"""Simulated minutes. As long as an alarm looks back: what fails at every turn rings without interruption."""
SECONDS_PER_TURN = 1.0
_EARLIER_TURNS = 24
"""Two simulated hours at the beginning, as fast as they go, so that there is something to see."""
_BREATH = 0.05
"""Seconds between turns in which at least the page gets its answers."""

_SWITCHES = (
    "database-down",
    "password-wrong",
    "tls-missing",
    "access-denied",
    "kms-denied",
    "throttled",
    "import-error",
    "table-gone",
    "never-invoked",
    "probe-dead",
)
_SCENARIOS = {scenario.name: scenario for group in GROUPS.values() for scenario in group}
_FAILURES = {name: _SCENARIOS[name] for name in _SWITCHES}


class Session:
    """What the page shows and switches; `run` is for one thread, the rest for any.

    One failure at a time, as in the drill: so each alarm has one cause, and each cause can be taken back.
    """

    def __init__(self, stage: ObservedStage) -> None:
        self._stage = stage
        self._fleet = Fleet(stage)
        self._wanted: str | None = None
        self._caused: str | None = None
        self._cause = ExitStack()
        self._switched = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # With the error that ends the session the failure is not put right, which would take time, but only let go.
        self._cause.__exit__(kind, error, traceback)

    def faults(self) -> Sequence[Fault]:
        return [Fault(name, failure.title, name == self._wanted) for name, failure in _FAILURES.items()]

    def switch(self, fault_id: str, *, on: bool) -> None:
        if fault_id not in _FAILURES:
            raise PreviewError(f"there is no failure {fault_id}")
        if on or self._wanted == fault_id:
            self._wanted = fault_id if on else None
            self._switched.set()

    def snapshot(self, choice: Mapping[str, str]) -> Content:
        with self._lock:
            return self._stage.watch.page(self._stage.clock.now, choice)

    def run(self, after_turn: Callable[[], None]) -> NoReturn:
        """Take turns until `after_turn` raises."""
        turns = 0
        while True:
            begun = monotonic()
            self.turn()
            after_turn()
            turns += 1
            pause = SECONDS_PER_TURN - (monotonic() - begun) if turns > _EARLIER_TURNS else 0.0
            self._switched.wait(max(pause, _BREATH))

    def turn(self) -> None:
        """Cause what is wanted, let the fleet have its turn, and let time pass."""
        with self._lock:
            self._switched.clear()
            self._follow_switches()
            self._fleet.turn()
            self._stage.run(MINUTES_PER_TURN)
            delete_expired(self._stage.aws, self._stage.deployment.table)

    def _follow_switches(self) -> None:
        wanted = self._wanted
        if wanted != self._caused:
            self._cause.close()
            if wanted:
                self._cause.enter_context(_FAILURES[wanted].cause(self._stage))
            self._caused = wanted
