"""Time that is left is shared out, and whatever overstays is interrupted."""

import signal
import threading
from contextlib import suppress

import pytest

from rotation.aws import PATIENCE
from rotation.deadline import Deadline
from rotation.errors import DeadlineExceededError

_LONG = 3.0
"""Seconds: much more than the 0.15 that the tests allow, and an end if nothing interrupts."""


def deadline(remaining_ms: int, reserve: float = 1.0) -> Deadline:
    return Deadline(lambda: remaining_ms, reserve)


def test_the_reserve_is_kept_back() -> None:
    assert deadline(5_000, 3.0).remaining() == 2.0
    assert deadline(2_000, 3.0).remaining() == -1.0


def test_a_wait_gets_what_is_left_but_no_more_than_it_asks_for() -> None:
    assert deadline(5_000).seconds_for("a wait") == 4.0
    assert deadline(5_000).seconds_for("a wait", at_most=2.5) == 2.5


def test_a_wait_that_cannot_end_in_time_is_not_begun() -> None:
    with pytest.raises(DeadlineExceededError, match="no time was left to begin a call"):
        deadline(5_000).seconds_for("a call", at_least=4.5)


def test_pauses_grow_and_add_up_to_what_was_asked_for() -> None:
    slept: list[float] = []
    assert len(list(Deadline(lambda: 60_000, 1.0, slept.append).pauses(10.0))) == len(slept)
    assert sum(slept) == pytest.approx(10.0)
    assert slept[:-1] == sorted(set(slept[:-1]))
    assert len(slept) < 15


def test_there_is_no_pause_after_which_no_time_is_left_for_a_try() -> None:
    left_ms = 6_000.0

    def sleep(seconds: float) -> None:
        nonlocal left_ms
        left_ms -= seconds * 1000

    assert list(Deadline(lambda: int(left_ms), 1.0, sleep).pauses(60.0))
    assert left_ms / 1000 > 1.0 + PATIENCE.connect + PATIENCE.read
    assert list(deadline(2_000).pauses(60.0)) == []
    assert list(deadline(60_000).pauses(0.0)) == []


def test_whatever_overstays_is_interrupted() -> None:
    never = threading.Event()
    with pytest.raises(DeadlineExceededError, match="interrupted"), deadline(1_150).enforced():
        never.wait(_LONG)


def test_a_library_that_catches_everything_cannot_swallow_the_interruption() -> None:
    never = threading.Event()

    def stubborn() -> None:
        for _attempt in range(3):
            with suppress(Exception):
                never.wait(_LONG)

    with pytest.raises(DeadlineExceededError), deadline(1_150).enforced():
        stubborn()


def test_nothing_is_interrupted_afterwards_and_the_handler_is_given_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with deadline(60_000).enforced():
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_step_without_time_is_not_begun_and_leaves_no_handler_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(DeadlineExceededError, match="begin the step"), deadline(500).enforced():
        pytest.fail("it was begun")
    assert signal.getsignal(signal.SIGALRM) is before


def test_the_blocks_own_error_passes() -> None:
    with pytest.raises(ValueError, match="its own"), deadline(60_000).enforced():
        raise ValueError("its own")


def test_beside_the_main_thread_the_block_runs_without_the_timer() -> None:
    ran = threading.Event()

    def work() -> None:
        with deadline(60_000).enforced():
            ran.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran.is_set()
