"""The drill on a terminal, or as plain text where there is none. A quiet console shows nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dashboards.drill.report import DrillReport, Verdict
from dashboards.drill.scenario import Scenario

_WIDTH = 100
_NAME_CELLS = 24
_INDENT = (0, 0, 0, 4)
_GOOD, _BAD = Text("✔", "green"), Text("✘", "bold red")


class Screen:
    """Shows one row for each scenario, as soon as it has been run."""

    def __init__(self, console: Console, headings: Mapping[str, str] | None = None) -> None:
        """`headings` gives the heading that a scenario comes under, by the scenario's name."""
        self._console = console
        self._headings = headings or {}
        self._heading: str | None = None

    def title(self) -> None:
        """Say what is about to be seen."""
        self._print(
            Text("\nrotation drill", "bold cyan"),
            Text(
                "Failures are caused for real, and the template's own alarms are evaluated at every simulated minute. "
                "Shown is how long it took until an alarm went off and, once the cause was removed, until all were clear.",
                "dim",
            ),
        )

    @contextmanager
    def running(self, text: str) -> Iterator[None]:
        """Show what is being done."""
        with self._console.status(text):
            yield

    def verdict(self, verdict: Verdict) -> None:
        """Show what came of a scenario."""
        self._head(self._headings.get(verdict.name))
        grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_row(_GOOD if verdict.ok else _BAD, verdict.title, _end(verdict))
        self._print(grid)
        if verdict.rang:
            self._print(Padding(_rang(verdict), _INDENT))
        self._print(*(Padding(Text(problem, "bold red"), _INDENT) for problem in verdict.problems))

    def conclusion(self, report: DrillReport) -> None:
        """Sum up."""
        self._print("", *(Text(f"✘ {gap}", "bold red") for gap in report.gaps))
        good = sum(verdict.ok for verdict in report.verdicts)
        sums = f"{good} of {len(report.verdicts)} scenarios as they should be"
        rest = ", and no gaps" if report.complete and not report.gaps else ""
        sign = _GOOD if report.ok else _BAD
        self._print(Text.assemble(sign, " ", (f"{sums}{rest}", "bold"), f"  {report.seconds:.0f} s in all"), "")

    def catalogue(self, groups: Mapping[str, Sequence[Scenario]]) -> None:
        """Show all scenarios, with what has to ring."""
        for heading, scenarios in groups.items():
            self._head(heading)
            for scenario in scenarios:
                self._print(Text.assemble((f"{scenario.name:{_NAME_CELLS}}", "bold"), scenario.title))
                rings = ", ".join(sorted(scenario.rings)) or "silence"
                self._print(Padding(Text(rings, "dim"), (0, 0, 0, _NAME_CELLS)))

    def _head(self, heading: str | None) -> None:
        if heading and heading != self._heading:
            self._print("", Rule(Text(heading, "bold"), align="left", style="bright_black"))
        self._heading = heading

    def _print(self, *renderables: RenderableType) -> None:
        for renderable in renderables:
            self._console.print(renderable, width=min(_WIDTH, self._console.width))


def _rang(verdict: Verdict) -> Text:
    """The alarms by the minute in which they went off; those that did not have to stand out."""
    text = Text()
    for minutes, alarms in groupby(verdict.rang.items(), key=lambda item: item[1]):
        text.append(f"{'  ' if text else ''}{minutes} min ", "cyan")
        names = (Text(name, "" if name in verdict.expected else "yellow") for name, _ in alarms)
        text.append_text(Text(" ").join(names))
    return text


def _end(verdict: Verdict) -> Text:
    if not verdict.rang:
        return Text("silence", "dim")
    return Text("never clear", "bold red") if verdict.cleared is None else Text(f"clear in {verdict.cleared} min", "cyan")
