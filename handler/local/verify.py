"""Runs the tests of reliability, and says in a sentence what they amount to.

The tests are not installed with the package: they are run by pytest, in a process of its own, where the checkout has them.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.interruption import Interruption

CHECKOUT = Path(__file__).resolve().parents[2]
_SELECTION = ("-m", "reliability", "--quiet", "--no-header")
_POLL_SECONDS = 0.2

Report = dict[str, dict[str, Any]]
"""Counts by section, each with the verdict on it (`clean`), as the tests write it."""


class NoCheckoutError(Exception):
    """The tests are not there."""


@dataclass(frozen=True)
class Verification:
    """What the tests found out.

    Attributes:
        passed: Whether pytest was content.
        sections: The report, empty if no test has added to it.
    """

    passed: bool
    sections: Report

    @property
    def is_clean(self) -> bool:
        """Whether no test failed, and in no section anything was lost, silent or leaked."""
        return self.passed and bool(self.sections) and not self._unclean

    @property
    def _unclean(self) -> list[str]:
        return [section for section, counts in self.sections.items() if not counts["clean"]]

    def sentence(self) -> str:
        """The verdict for people."""
        if not self.sections:
            return "Not clean: nothing was tried."
        if self._unclean:
            return f"Not clean: a credential was lost, a failure was silent or a value leaked in {'; '.join(self._unclean)}."
        if not self.passed:
            return "Not clean: tests failed."
        tried, failures = (sum(counts[name] for counts in self.sections.values()) for name in ("tried", "failures"))
        return f"Clean: {tried} tried, none lost a credential, each of {failures} failures was seen, nothing leaked."

    def to_json(self) -> str:
        """The verdict for programs."""
        return json.dumps({"clean": self.is_clean, "passed": self.passed, "sections": self.sections}, indent=2) + "\n"


def verify(
    arguments: Sequence[str], interruption: Interruption, *, thorough: bool = False, checkout: Path = CHECKOUT
) -> Verification:
    """Run the tests; pytest's own words, the table included, go to standard error.

    Args:
        arguments: pytest's own, such as a file to run instead of all.
        interruption: What ends the tests early, in good order.
        thorough: Try everything, however long it takes.
        checkout: The folder that holds `tests`.

    Raises:
        NoCheckoutError: it holds none.
        SystemExit: a signal was noted.
    """
    if not (checkout / "tests" / "verdict.py").is_file():
        raise NoCheckoutError(f"there are no tests in {checkout}: run it in a checkout of the repository")
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", *_SELECTION, f"--verdict={report}", *arguments]
        if thorough:
            command.append("--thorough")
        returncode = _run(command, checkout, interruption)
        sections: Report = json.loads(report.read_text()) if report.exists() else {}
    return Verification(returncode == 0, sections)


def _run(command: list[str], folder: Path, interruption: Interruption) -> int:
    # Its own session: a Ctrl-C at the terminal comes here, and is handed on once.
    with subprocess.Popen(  # noqa: S603 - this program's own interpreter
        command, cwd=folder, stdout=sys.stderr.fileno(), start_new_session=True
    ) as process:
        while process.poll() is None:
            if interruption.noted is not None:
                process.send_signal(signal.SIGINT)
                process.wait()
                interruption.check()
            try:
                process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    return process.returncode
