"""The report on reliability adds up."""

import json
from pathlib import Path
from typing import Any

from tests.verdict import Tally, Verdict, by_section, table, write


def added(*counts: tuple[str, dict[str, int]]) -> dict[str, Tally]:
    properties: list[tuple[str, Any]] = [("somebody's", "else")]
    verdict = Verdict(properties)
    for section, numbers in counts:
        verdict.add(section, **numbers)
    return by_section(json.loads(json.dumps(properties)))  # as it travels between processes


def test_counts_are_summed_by_section() -> None:
    sums = added(("kills", {"tried": 2, "survived": 2}), ("events", {"tried": 5}), ("kills", {"tried": 1, "leaked": 3}))
    assert sums == {"events": Tally(tried=5), "kills": Tally(tried=3, survived=2, leaked=3)}


def test_of_durations_the_longest_counts() -> None:
    sums = added(("events", {"slowest_ms": 40}), ("events", {"slowest_ms": 900}), ("events", {"slowest_ms": 70}))
    assert sums == {"events": Tally(slowest_ms=900)}


def test_the_table_ends_with_the_sum_of_all_sections() -> None:
    lines = table(
        added(("kills", {"tried": 20, "survived": 19}), ("events", {"tried": 5, "failures": 5, "seen": 4, "slowest_ms": 12}))
    )
    assert [line.split() for line in lines] == [
        ["section", "tried", "survived", "failures", "seen", "leaked", "slowest_ms"],
        ["events", "5", "0", "5", "4", "0", "12"],
        ["kills", "20", "19", "0", "0", "0", "-"],
        ["together", "25", "19", "5", "4", "0", "12"],
    ]


def test_a_section_is_clean_only_if_nothing_was_lost_silent_or_leaked(tmp_path: Path) -> None:
    clean = {"tried": 2, "survived": 2, "failures": 1, "seen": 1}
    worse = {"lost": {"survived": 1}, "silent": {"seen": 0}, "leaked": {"leaked": 1}, "empty": {"tried": 0, "survived": 0}}
    write(added(("good", clean), *((name, {**clean, **change}) for name, change in worse.items())), tmp_path / "report")
    report = json.loads((tmp_path / "report").read_text())
    assert {section: counts["clean"] for section, counts in report.items()} == {"good": True, **dict.fromkeys(worse, False)}
