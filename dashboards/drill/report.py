"""What a drill came to, as data: the screen shows it, and `--json` prints it."""

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Verdict(_Record):
    """What came of one scenario.

    Attributes:
        expected: The alarms that had to go off; none where silence was the point.
        rang: The alarms that went off, with the simulated minutes it took.
        cleared: The simulated minutes from the removal of the cause until all were clear; None if one never was.
        problems: What is wrong with that, in words.
    """

    name: str
    title: str
    expected: tuple[str, ...]
    rang: dict[str, int]
    cleared: int | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


class DrillReport(_Record):
    """All scenarios that were run.

    Attributes:
        gaps: What does not fit together over all of them: silent alarms, metrics that never came or that nobody looks at.
        complete: Whether all scenarios were run; only then are gaps looked for.
        seconds: Real time.
    """

    verdicts: tuple[Verdict, ...]
    gaps: tuple[str, ...]
    complete: bool
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.gaps and all(verdict.ok for verdict in self.verdicts)
