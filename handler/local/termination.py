"""SIGTERM as Ctrl-C, so that every context manager of the local stage cleans up after it.

Python turns Ctrl-C into `KeyboardInterrupt`, but dies of SIGTERM on the spot, which would leave servers and folders
behind. `SystemExit` would not do: pytest takes it for a failed test and goes on.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def orderly_termination() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on SIGTERM inside the block.

    A handler that somebody else installed is respected, and so is Python's rule that only the main thread installs one.
    """
    is_main_thread = threading.current_thread() is threading.main_thread()
    is_ours = is_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if is_ours:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
