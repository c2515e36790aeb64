"""Everything that can go wrong, wherever it can, in a rotation in which two users take turns."""

import pytest

from tests.faults.fault_table import Fault
from tests.faults.matrix import Matrix
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

STRATEGY = "alternating-users"


def test_a_fault_does_no_harm_wherever_it_strikes(matrix: Matrix, fault: Fault, verdict: Verdict) -> None:
    matrix.check(fault, verdict)
