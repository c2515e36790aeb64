"""How the local AWS can be made to fail, call by call."""

import threading
from dataclasses import dataclass
from enum import Enum

EVERY_OPERATION = "*"


class Disturbance(Enum):
    """What happens instead of a proper answer."""

    ERROR = "an error is answered"
    HANG = "no answer ever comes"
    DROP = "the connection is closed without an answer"
    LOSE_ANSWER = "the call takes effect, then the connection is closed without an answer"
    KEEP_ANSWER = "the call takes effect, but no answer ever comes"


@dataclass
class Fault:
    """One fault; `times` is how many calls it still spoils, None for all of them."""

    service: str
    operation: str
    disturbance: Disturbance
    code: str = ""
    message: str = ""
    status: int = 400
    times: int | None = None

    def matches(self, service: str, operation: str) -> bool:
        return self.times != 0 and self.service == service and self.operation in {operation, EVERY_OPERATION}


class FaultPlan:
    """The faults that are in force; the newest that matches a call applies."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.insert(0, fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def next_for(self, service: str, operation: str) -> Fault | None:
        """Return the fault that spoils this call and count it as used."""
        with self._lock:
            fault = next((fault for fault in self._faults if fault.matches(service, operation)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
            return fault
