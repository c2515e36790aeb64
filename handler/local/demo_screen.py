"""The demonstration on a terminal, or as plain text where there is none. A quiet console shows nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.rule import Rule
from rich.status import Status
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from local.demo_report import AttemptSeen, Demonstration, FailureSeen, Statistics, StepSeen
from local.demo_tables import check_list, log_text, login_table, metrics_table, short, sign, statistics_table, zeros_text
from local.trace_view import trace_table

WIDTH = 80
# Red is for what went wrong, and `false` in a log line is not that.
THEME = Theme({"json.bool_true": "italic", "json.bool_false": "italic"})
_NAME_CELLS = 13
_OUTCOMES = {
    ("createSecret", "succeeded"): "a new password is stored as AWSPENDING",
    ("createSecret", "rolled_forward"): "it has a new password already, which is kept",
    ("setSecret", "succeeded"): "the target accepts the new password",
    ("setSecret", "already_set"): "the target accepts it already",
    ("testSecret", "succeeded"): "logged in with AWSPENDING, as clients will",
    ("finishSecret", "succeeded"): "AWSCURRENT is moved",
}
_DONE, _HARM = sign(good=True), Text("!", "bold yellow")


@dataclass
class _Line:
    text: str


class Screen:
    """Shows everything on one console, in the order of the calls."""

    def __init__(self, console: Console, recorder: Console | None = None) -> None:
        """Show on `console`; what is shown to stay is written to `recorder`, too."""
        self._console = console
        self._recorder = recorder
        self._spinner: Status | None = None
        self._is_counting = False

    def title(self, engine: str, strategy: str | None) -> None:
        """Say what is about to be seen."""
        chosen = " ".join(filter(None, (engine, strategy)))
        self._print(Text.assemble("\n", ("rotation demo", "bold cyan"), (f"  {chosen}", "bold")))
        self._print(
            Text("The deployed handler rotates a login of a real server. What it needs of AWS", "dim"),
            Text("runs on this machine, and nothing leaves it.", "dim"),
        )

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._print("", Rule(Text(text, "bold"), align="left", style="bright_black"))

    @contextmanager
    def doing(self, name: str, text: str, mark: Text = _DONE) -> Iterator[_Line]:
        """Show a piece of work while the block lasts, then how it ended: by the text that is in the line by then."""
        line, began = _Line(text), time.perf_counter()
        with self._console.status(f"[bold]{name}[/]  {text}"):
            yield line
        self._line(mark, name, line.text, (time.perf_counter() - began) * 1000)

    def harming(self, text: str) -> AbstractContextManager[_Line]:
        """The same for what is broken on purpose."""
        return self.doing("sabotage", text, _HARM)

    def close(self) -> None:
        """Stop what moves, in case that it was left in the middle."""
        if self._spinner is not None:
            self._spinner.stop()

    def step_began(self, step: str) -> None:
        """Show that a step runs."""
        if not self._is_counting:
            self._spinner = self._console.status(f"[bold]{step}[/]")
            self._spinner.start()

    def step_ended(self, step: StepSeen) -> None:
        """Show how a step ended."""
        if self._spinner is None:
            return
        self._spinner.stop()
        self._spinner = None
        failed = step.outcome in {"failed", "lost"}
        told = Text(step.reason or step.outcome, "bold red") if failed else _told(step)
        self._line(sign(good=not failed), step.step, told, step.duration_ms)
        if step.init_duration_ms:
            self._line(Text(), "", Text(f"after a cold start of {step.init_duration_ms:.0f} ms", "dim"), None)

    @contextmanager
    def counting(self, count: int) -> Iterator[Callable[[], None]]:
        """Show a bar for many rotations; the function that is given moves it on by one."""
        self.heading(f"{count} rotations, one after the other")
        columns = (
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rotations"),
            TimeRemainingColumn(),
        )
        self._is_counting = True
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task("", total=count)
            yield lambda: progress.advance(task)
        self._is_counting = False

    def statistics(self, statistics: Statistics) -> None:
        """Show how fast they were."""
        self._print(statistics_table(statistics))
        rate = f"{statistics.per_second:.1f} rotations/s"
        self._print("", Text.assemble((rate, "bold"), f"  {statistics.rotations} in {statistics.seconds:.1f} s"))

    def failure(self, failure: FailureSeen) -> None:
        """Show what an operator sees of a failed rotation."""
        self.heading("What an operator sees")
        step = failure.attempt.steps[-1]
        log = step.log or {}
        grid = _grid()
        grid.add_row("reason", Text(step.reason or step.outcome, "bold red"))
        grid.add_row("happened", str(log.get("error", failure.attempt.failure)))
        grid.add_row("do next", Text(str(log.get("next_action", "see the log line")), "bold"))
        grid.add_row("event", f"{failure.attempt.event_names[-1]}, published by Secrets Manager")
        for label, version in sorted(failure.labels.items()):
            grid.add_row(label, _version_told(label, version, failure))
        self._print(grid)
        self.evidence(failure.attempt)

    def proof(self, seen: Demonstration) -> None:
        """Show the logins and all that was checked."""
        self.heading("Proof")
        self._print(login_table(seen.logins), "", check_list(seen.checks))

    def evidence(self, attempt: AttemptSeen) -> None:
        """Show the metrics, a log line and the trace that the function left behind."""
        self.heading("Metrics")
        self._print(metrics_table(attempt.metrics), zeros_text(attempt.metrics))
        shown = next((step for step in attempt.steps if step.step == attempt.failed_step), attempt.steps[-1])
        self.heading(f"Log line of {shown.step}")
        self._print(log_text(shown.log) if shown.log else f"none; Secrets Manager was told: {attempt.failure}")
        if attempt.trace:
            self.heading("Trace")
            self._print(trace_table(attempt.trace))

    def verdict(self, seen: Demonstration) -> None:
        """Sum up."""
        kept = sum(check.holds for check in seen.checks)
        told = "Not as it should be" if not seen.ok else "Failed, repaired, rotated" if seen.failure else "Rotated"
        text = f"{told}: {kept} of {len(seen.checks)} checks hold"
        exit_code = "exit code 0" if seen.ok else "exit code 1"
        self._print("", Text.assemble(sign(good=seen.ok), " ", (text, "bold"), f", {seen.seconds:.1f} s, {exit_code}"), "")

    def _line(self, mark: Text, name: str, text: str | Text, took_ms: float | None) -> None:
        grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
        grid.add_column(width=1)
        grid.add_column(width=_NAME_CELLS, style="bold")
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True, style="cyan")
        grid.add_row(mark, name, text, "" if took_ms is None else f"{took_ms:,.0f} ms")
        self._print(grid)

    def _print(self, *renderables: RenderableType) -> None:
        for renderable in renderables:
            self._console.print(renderable, width=min(WIDTH, self._console.width))
            if self._recorder:
                self._recorder.print(renderable)


def _told(step: StepSeen) -> Text:
    told = Text(_OUTCOMES.get((step.step, step.outcome), step.outcome))
    gap_ms = step.log.get("credential_gap_ms") if step.log else None
    return told if gap_ms is None else told.append(f"; credential gap {gap_ms:,} ms", "dim")


def _version_told(label: str, version: str, failure: FailureSeen) -> Text:
    if label == failure.login.label:
        return Text(f"{short(version)}, untouched; the target's answer to it now: {failure.login.answer}")
    return Text(f"{short(version)}, kept for the retry" if label == "AWSPENDING" else short(version))


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    return grid
