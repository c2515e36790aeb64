"""Ctrl-C and its kin for a program that has servers running.

An exception out of a signal handler may strike between the start of a process and the note that it has to be stopped, and
then leaves it running. So a signal is only noted, and takes effect at the program's own `check()`s, between two pieces of
work. Each piece is short and bounded; signals that follow the first change nothing.
"""

import signal
from types import FrameType
from typing import Self

# Ctrl-C, `kill` and container runtimes, a terminal window that is closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Notes signals inside the `with` block, which must be in the main thread."""

    def __init__(self) -> None:
        self.noted: signal.Signals | None = None

    def __enter__(self) -> Self:
        # What is ignored stays ignored: `nohup`, and Ctrl-C for a job that a script put in the background.
        caught = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._previous = {number: signal.signal(number, self._note) for number in caught}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Leave the program if a signal was noted.

        Raises:
            SystemExit: with 128 plus the signal's number, as shells report it.
        """
        if self.noted is not None:
            raise SystemExit(128 + self.noted)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.noted = self.noted or signal.Signals(number)
