"""The benchmark runs, and the calls it counts are as few as is claimed. Times are for its readers, not for a test."""

import re
from io import StringIO

import pytest
from rich.console import Console

from tests.benchmarks.__main__ import run
from tests.benchmarks.figures import Figures
from tests.benchmarks.table import table_of


@pytest.fixture(scope="module")
def figures() -> Figures:
    # Two, and the most counts: a rotation without its lock, which a busy machine can cause, calls less.
    return run(rotations=2, cold_starts=1)


def test_rotation_makes_fewer_calls_to_secrets_manager_than_the_baseline(figures: Figures) -> None:
    assert figures.calls("secretsmanager") == (11, 14)


def test_lock_costs_two_calls_to_dynamodb_a_step(figures: Figures) -> None:
    assert figures.calls("dynamodb") == (8, 0)


def test_steps_in_environments_of_their_own_look_up_what_they_cannot_remember(figures: Figures) -> None:
    assert figures.every_step_cold.calls == {"secretsmanager": 12, "dynamodb": 9}


def test_everything_is_switched_on_in_what_is_measured(figures: Figures) -> None:
    pair, _ = figures.warm
    assert pair.product.log_bytes > 1000
    assert pair.product.trace_bytes > 1000
    assert (pair.baseline.log_bytes, pair.baseline.trace_bytes) == (0, 0)


def test_import_profile_names_the_dependencies(figures: Figures) -> None:
    assert {"boto3 and botocore", "pydantic", "X-Ray SDK", "psycopg, at the first login"} <= figures.imports_ms.keys()
    assert all(milliseconds > 0 for milliseconds in figures.imports_ms.values())


def test_table_has_a_verdict_for_every_target(figures: Figures) -> None:
    page = StringIO()
    Console(width=132, file=page).print(table_of(figures))
    assert len(re.findall(r"│ (?:met|missed) +│", page.getvalue())) == 4
