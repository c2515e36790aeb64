"""The clock of the stage: real time, plus all the time that was skipped."""

from datetime import UTC, datetime, timedelta


class SimulatedClock:
    """Runs on by itself, because the functions and servers are real, and jumps where nothing would happen anyway."""

    def __init__(self) -> None:
        self.skipped = timedelta()

    @property
    def now(self) -> datetime:
        return self.at(datetime.now(UTC))

    def at(self, real: datetime) -> datetime:
        """The simulated time of a real moment since the last jump."""
        return real + self.skipped

    def skip(self, by: timedelta) -> None:
        """Jump forward."""
        self.skipped += by
