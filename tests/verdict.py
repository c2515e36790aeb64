"""The report on reliability: what the suites tried, and what came of it.

A test adds what it found out to its `verdict`; at the end of a run the table sums it up by section. The figures travel with
the tests' own reports, so that tests may run in several processes.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

PROPERTY = "verdict"


@dataclass(frozen=True)
class Tally:
    """Counts of one section.

    Attributes:
        tried: Faults, duplicates, sequences or inputs.
        survived: After how many of them no credential was lost and nothing was claimed to be done that was not.
        failures: Attempts that failed, as they should or had to.
        seen: Failed attempts that left a log line and a metric with the right reason, or, where the process died, the
            platform metric that an alarm watches.
        leaked: Secret values found in any place other than Secrets Manager.
        slowest_ms: The longest invocation in milliseconds, where bad input must not cost time; 0 where that is not asked.
    """

    tried: int = 0
    survived: int = 0
    failures: int = 0
    seen: int = 0
    leaked: int = 0
    slowest_ms: int = 0

    def __add__(self, other: Self) -> "Tally":
        sums = Tally(*map(sum, zip(astuple(self), astuple(other), strict=True)))
        return replace(sums, slowest_ms=max(self.slowest_ms, other.slowest_ms))

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, silent or leaked."""
        return self.tried > 0 and self.survived == self.tried and self.seen == self.failures and self.leaked == 0


class Verdict:
    """Where one test writes down what it found out; to be added before it is asserted, or a failure goes uncounted."""

    def __init__(self, properties: list[tuple[str, Any]]) -> None:
        self._properties = properties

    def add(self, section: str, **counts: int) -> None:
        """Add counts, by the names of `Tally`, to a section such as `faults at AWS calls`."""
        self._properties.append((PROPERTY, [section, asdict(Tally(**counts))]))


def by_section(properties: Iterable[tuple[str, Any]]) -> dict[str, Tally]:
    """The sums of everything that tests have added."""
    sums: dict[str, Tally] = {}
    for name, value in properties:
        if name == PROPERTY:
            section, counts = value
            sums[section] = sums.get(section, Tally()) + Tally(**counts)
    return dict(sorted(sums.items()))


def table(sums: dict[str, Tally]) -> list[str]:
    """The report's lines for people."""
    heads = ["section", *(field.name for field in fields(Tally))]
    total = sum(sums.values(), Tally())
    rows = [[section, *map(str, astuple(tally))] for section, tally in {**sums, "together": total}.items()]
    for row in rows:
        row[-1] = "-" if row[-1] == "0" else row[-1]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in (heads, *rows)]


def write(sums: dict[str, Tally], path: Path) -> None:
    """The report for programs: JSON, section by section, with the verdict on each."""
    report = {section: {**asdict(tally), "clean": tally.is_clean} for section, tally in sums.items()}
    path.write_text(json.dumps(report, indent=2) + "\n")
