"""`python -m tests.benchmarks`: builds the artefact, measures it against the bare baseline, and prints one table.

The exit code is 1 if a target was missed.
"""

import argparse
import sys

from rich.console import Console

from tests.benchmarks.contestants import field
from tests.benchmarks.deployments import deployments
from tests.benchmarks.figures import Figures, measure
from tests.benchmarks.table import table_of

_WIDTH = 132


def run(*, rotations: int, cold_starts: int) -> Figures:
    """Build, measure, and make sure that the functions wrote nothing."""
    with deployments() as deployed, field(deployed) as stage:
        return measure(deployed, stage, rotations=rotations, cold_starts=cold_starts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measures a rotation.")
    parser.add_argument("--rotations", type=int, default=40, help="warm rotations of each side")
    parser.add_argument("--cold-starts", type=int, default=15, help="new environments of each side")
    arguments = parser.parse_args()
    with Console(stderr=True).status("measuring, for about a minute"):
        figures = run(rotations=arguments.rotations, cold_starts=arguments.cold_starts)
    Console(width=_WIDTH).print(table_of(figures))
    sys.exit(f"missed: {', '.join(figures.missed)}" if figures.missed else 0)


if __name__ == "__main__":
    main()
