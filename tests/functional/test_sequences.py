"""Steps, hands and mishaps in any order: nothing is lost, nothing is called done that is not, and all can be mended."""

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.functional.any_sequence import AnySequence, Figures
from tests.functional.world import Deployed, World
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability
_STEPS_PER_SEQUENCE = 12


@pytest.fixture
def environments(world: World, deployed: Deployed) -> Iterator[tuple[Deployed, Deployed]]:
    """Two that know nothing of each other, as when Lambda replaces one between two steps."""
    with world.deployed() as other:
        yield deployed, other


def test_any_sequence_can_be_brought_to_a_good_end(
    world: World, environments: tuple[Deployed, Deployed], verdict: Verdict
) -> None:
    figures = Figures()
    superuser_arn = world.new_superuser_secret()
    with world.server.admin_connection() as administrator:
        try:
            run_state_machine_as_test(
                partial(AnySequence, world, environments, administrator, superuser_arn, figures),  # type: ignore[arg-type]
                settings=settings(stateful_step_count=_STEPS_PER_SEQUENCE, phases=[Phase.generate]),
            )
        finally:
            verdict.add(
                "random sequences",
                tried=figures.sequences,
                survived=figures.survived,
                failures=figures.failures,
                seen=figures.seen,
            )
    # Both kinds of ends were met.
    assert figures.healed
    assert figures.remedied
