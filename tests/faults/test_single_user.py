"""Everything that can go wrong, wherever it can, in a rotation in which the user itself changes its password."""

import pytest

from tests.faults.fault_table import AT_CALLS, AT_MESSAGES, Fault
from tests.faults.matrix import Matrix
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

STRATEGY = "single-user"


def test_a_fault_does_no_harm_wherever_it_strikes(matrix: Matrix, fault: Fault, verdict: Verdict) -> None:
    matrix.check(fault, verdict)


def test_processes_died_in_every_state_of_the_world(matrix: Matrix) -> None:
    states = matrix.states(AT_CALLS[0]) | matrix.states(AT_MESSAGES[0])
    assert states == {(False, False, False), (True, False, False), (True, True, False), (True, True, True)}
