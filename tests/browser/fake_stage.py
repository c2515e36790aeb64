"""A stage without a database: made-up rotations on a clock that the test moves."""

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from dashboards.preview.documents import Content, PreviewError
from dashboards.preview.server import Fault
from tests.browser import scene


class FakeStage:
    """Rotates once every simulated minute; switched to a failure, every rotation fails for that reason."""

    def __init__(self) -> None:
        self._watch = scene.load_watch()
        self._watch.options = replace(self._watch.options, fitted=True)
        self._faults = {
            "login": Fault("login", "wrong password", on=False),
            "network": Fault("network", "database unreachable", on=False),
        }
        self._lock = threading.Lock()
        self._chance = random.Random(3)
        self._now: datetime = scene.START
        self.rotate(20)

    def faults(self) -> Sequence[Fault]:
        return list(self._faults.values())

    def switch(self, fault_id: str, *, on: bool) -> None:
        if fault_id not in self._faults:
            message = f"there is no failure {fault_id}"
            raise PreviewError(message)
        self._faults[fault_id] = replace(self._faults[fault_id], on=on)

    def snapshot(self, choice: Mapping[str, str]) -> Content:
        with self._lock:
            return self._watch.page(self._now, choice)

    def rotate(self, minutes: int) -> None:
        """Lets simulated time pass."""
        with self._lock:
            for number in range(minutes):
                failing = [fault.id for fault in self._faults.values() if fault.on]
                lines = (
                    scene.failure_lines(self._now, number, failing[0])
                    if failing
                    else scene.rotation_lines(self._now, number, self._chance)
                )
                self._watch.telemetry.take_lines(lines, scene.GROUP)
                beat = {"Heartbeat": (1.0, "Count")}
                self._watch.telemetry.take_lines([scene.emf(self._now, [["service"]], beat)], scene.GROUP)
                self._now += timedelta(minutes=1)
                self._watch.board.evaluate(self._now)
