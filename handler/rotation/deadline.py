"""Bounds everything an invocation waits for.

Two nets, because no single one holds. Each wait gets its own timeout out of `Deadline.seconds_for`, which gives the clearest
error. Behind it stands an interval timer: whatever still blocks when only the reserve is left (a frozen server after the
handshake, a trickling response) is interrupted, so that there is time to report. The interruption is a `BaseException`,
or a library's `except Exception` would turn it into a retry.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rotation.errors import DeadlineExceededError

_FIRST_PAUSE_SECONDS, _PAUSE_GROWTH = 0.1, 1.5
_TRY_SECONDS = 4.5
"""Left for the try after a pause, so that its own error is reported and not the end of the time.

More than a call to AWS has to have left (`rotation/aws.py`), for a try may begin with one.
"""


class _TimeIsUp(BaseException):
    """Raised by the timer inside of whatever waits."""


class Deadline:
    """The time an invocation has left for its work.

    Args:
        remaining_ms: The Lambda context's `get_remaining_time_in_millis`.
        reserve_seconds: Held back for reporting.
        sleep: Takes the place of `time.sleep` in tests.
    """

    def __init__(
        self, remaining_ms: Callable[[], int], reserve_seconds: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._remaining_ms = remaining_ms
        self._reserve = reserve_seconds
        self._sleep = sleep

    def remaining(self) -> float:
        """Seconds of work left; negative once the reserve is touched."""
        return self._remaining_ms() / 1000 - self._reserve

    def seconds_for(self, what: str, *, at_least: float = 0.1, at_most: float = float("inf")) -> float:
        """Seconds that `what` may take.

        Raises:
            DeadlineExceededError: if `at_least` seconds are not left; nothing has been begun then.
        """
        remaining = self.remaining()
        if remaining < at_least:
            raise DeadlineExceededError(f"no time was left to begin {what}")
        return min(remaining, at_most)

    def pauses(self, at_most: float) -> Iterator[None]:
        """Pause between tries, each time longer: for `at_most` seconds in all, and only while a further try fits in."""
        pause, left = _FIRST_PAUSE_SECONDS, at_most
        while left > 0 and self.remaining() > pause + _TRY_SECONDS:
            self._sleep(min(pause, left))
            yield
            left -= pause
            pause *= _PAUSE_GROWTH

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Interrupt the block when only the reserve is left.

        Raises:
            DeadlineExceededError: instead of whatever the block was doing.
        """
        if threading.current_thread() is not threading.main_thread():
            # Only the main thread can be interrupted; Lambda runs the handler there.
            yield
            return
        seconds = self.seconds_for("the step")
        previous = signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        except _TimeIsUp:
            raise DeadlineExceededError("the step was interrupted because its time was used up") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise _TimeIsUp
