"""`rotation verify`: the tests of reliability, and what they amount to."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.interruption import Interruption
from local.verify import CHECKOUT, NoCheckoutError, Verification, verify

ROTATION = Path(sys.executable).with_name("rotation")
TEST = """
import pytest

pytestmark = pytest.mark.reliability

def test_something(verdict, thorough):
    tried = {"tried": 3 + thorough, "survived": 3 + thorough, "failures": 2, "seen": 2}
    for section, harm in SECTIONS.items():
        verdict.add(section, **{**tried, **harm})
    assert ASSERTION
"""
NEEDED = (
    "pyproject.toml",
    "tests/conftest.py",
    "tests/verdict.py",
    "tests/functional/world.py",
    "tests/functional/seen.py",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a single test; another suite in it has not the marker and fails."""
    for name in NEEDED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    (tmp_path / "tests" / "test_unmarked.py").write_text("def test_fails():\n    raise AssertionError\n")
    return tmp_path


def verified(checkout: Path, *, assertion: bool = True, thorough: bool = False, **sections: dict[str, int]) -> Verification:
    text = TEST.replace("SECTIONS", str(sections or {"faults": {}})).replace("ASSERTION", str(assertion))
    (checkout / "tests" / "test_marked.py").write_text(text)
    with Interruption() as interruption:
        return verify(["-n0"], interruption, thorough=thorough, checkout=checkout)


def test_all_is_well_if_all_that_was_tried_was_survived_seen_and_kept_secret(checkout: Path) -> None:
    verification = verified(checkout)
    assert verification.is_clean
    assert verification.sentence() == (
        "Clean: 3 tried, none lost a credential, each of 2 failures was seen, nothing leaked."
    )
    assert json.loads(verification.to_json()) == {
        "clean": True,
        "passed": True,
        "sections": {
            "faults": {"tried": 3, "survived": 3, "failures": 2, "seen": 2, "leaked": 0, "slowest_ms": 0, "clean": True}
        },
    }


def test_harm_is_told_by_its_section_even_if_no_test_failed_and_the_longer_setting_reaches_the_tests(checkout: Path) -> None:
    verification = verified(
        checkout, thorough=True, cliffs={"survived": 3}, faults={}, leaks={"leaked": 1}, quiet={"seen": 1}
    )
    assert verification.passed
    assert not verification.is_clean
    assert verification.sentence().endswith("in cliffs; leaks; quiet.")
    assert {section["tried"] for section in verification.sections.values()} == {4}


def test_a_failed_test_is_not_clean_whatever_the_figures_say(checkout: Path) -> None:
    verification = verified(checkout, assertion=False)
    assert not verification.is_clean
    assert verification.sentence() == "Not clean: tests failed."


def test_nothing_tried_is_not_clean(checkout: Path) -> None:
    with Interruption() as interruption:
        verification = verify(["-n0"], interruption, checkout=checkout)
    assert not verification.is_clean
    assert verification.sentence() == "Not clean: nothing was tried."


def test_outside_of_a_checkout_it_says_so(tmp_path: Path) -> None:
    with Interruption() as interruption, pytest.raises(NoCheckoutError, match="run it in a checkout"):
        verify([], interruption, checkout=tmp_path)


def test_the_command_prints_the_table_and_the_verdict_and_writes_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    selection = ["--", "-n0", "tests/unit/rotation/test_hostile_names.py"]
    done = subprocess.run(
        [str(ROTATION), "verify", f"--json={report}", *selection], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "reliability" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Clean: ")
    assert json.loads(report.read_text())["clean"]


def test_the_command_writes_nothing_but_the_report_to_standard_output_and_fails_if_it_is_not_clean() -> None:
    command = [str(ROTATION), "verify", "--json=-", "--", "-n0", "tests/unit/test_verdict.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"clean": False, "passed": False, "sections": {}}


def test_a_signal_ends_the_tests_and_the_command(checkout: Path) -> None:
    (checkout / "tests" / "test_marked.py").write_text(
        "import threading, pytest\n"
        "@pytest.mark.reliability\n"
        "def test_waits():\n"
        "    print('arrived', flush=True)\n"
        "    threading.Event().wait()\n"
    )
    program = (
        "import pathlib, sys; from local.interruption import Interruption; from local.verify import verify\n"
        "with Interruption() as noted: verify(['-n0', '-s'], noted, checkout=pathlib.Path(sys.argv[1]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, checkout], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        told = next(line for line in running.stderr if "arrived" in line)
        running.send_signal(signal.SIGTERM)
        told += running.stderr.read()
    assert running.returncode == 128 + signal.SIGTERM
    assert "KeyboardInterrupt" in told
