"""The stretch of time that a dashboard shows."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboards.preview.documents import Document, PreviewError
from dashboards.preview.metric_store import Windows, epoch

_DURATION = re.compile(r"-?P(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_DEFAULT = "-PT3H"
_DAYS_PER_MONTH = 30
_FINEST = 60
_ENOUGH_PERIODS = 8


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What a dashboard shows. `exact` keeps the widgets' own periods even where they leave one or two points."""

    start: datetime
    end: datetime
    exact: bool = True

    def period(self, wanted: int) -> int:
        """The widget's period; a finer one if the range is too short for it and need not be exact."""
        if self.exact or (self.end - self.start).total_seconds() >= wanted * _ENOUGH_PERIODS:
            return wanted
        return _FINEST

    def windows(self, wanted: int) -> Windows:
        return Windows.covering(self.start, self.end, self.period(wanted))

    def whole(self) -> Windows:
        """The range as one single period, begun at a full minute."""
        first = epoch(self.start) // _FINEST * _FINEST
        return Windows(first, max(epoch(self.end + timedelta(seconds=_FINEST)) - first, _FINEST), 1)


def own_range(body: Document, now: datetime) -> TimeRange:
    """What the body's `start` and `end` ask for (`-PT3H`, `-P14D`, or times); three hours up to now by default.

    Raises:
        PreviewError: If `start` or `end` is neither a duration nor a time.
    """
    end = _moment(str(body["end"]), now) if "end" in body else now
    return TimeRange(_moment(str(body.get("start", _DEFAULT)), now), end)


def _moment(text: str, now: datetime) -> datetime:
    if match := _DURATION.fullmatch(text):
        months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        days += months * _DAYS_PER_MONTH
        return now - timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is neither a duration such as -PT3H nor a time"
        raise PreviewError(message) from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)
