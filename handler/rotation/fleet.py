"""The state of all secrets that name the rotation function, as facts and figures."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rotation.models import CURRENT, PENDING


@dataclass(frozen=True)
class WatchedSecret:
    """What ListSecrets tells of one secret.

    Attributes:
        pending_version: The version with AWSPENDING but without AWSCURRENT: a rotation begun and not finished.
        credential_since: When the value was last changed, by rotation or by hand.
    """

    arn: str
    name: str
    rotation_enabled: bool
    next_rotation: datetime | None
    pending_version: str | None
    credential_since: datetime

    @classmethod
    def from_listing(cls, entry: Mapping[str, Any]) -> "WatchedSecret":
        """Read an entry of ListSecrets, which omits what is null."""
        stages: Mapping[str, list[str]] = entry.get("SecretVersionsToStages", {})
        unfinished = (version for version, names in stages.items() if PENDING in names and CURRENT not in names)
        return cls(
            arn=entry["ARN"],
            name=entry["Name"],
            rotation_enabled=entry.get("RotationEnabled", False),
            next_rotation=entry.get("NextRotationDate"),
            pending_version=next(unfinished, None),
            credential_since=entry.get("LastRotatedDate") or entry["CreatedDate"],
        )


@dataclass(frozen=True)
class Limits:
    """From when on something is a finding."""

    stuck_after: timedelta
    overdue_grace: timedelta


@dataclass(frozen=True)
class Finding:
    """What is wrong with one secret, and since when."""

    secret: WatchedSecret
    state: str
    since: datetime | None


@dataclass(frozen=True)
class Examined:
    """One secret with the creation time of its unfinished version, if it has one."""

    secret: WatchedSecret
    pending_since: datetime | None


def findings(fleet: Iterable[Examined], limits: Limits, now: datetime) -> Iterator[Finding]:
    """Everything that is wrong: `switched_off`, `overdue`, `unfinished` or `stuck`; a secret may show up more than once."""
    for examined in fleet:
        secret = examined.secret
        if not secret.rotation_enabled:
            yield Finding(secret, "switched_off", None)
        elif secret.next_rotation is not None and secret.next_rotation + limits.overdue_grace < now:
            yield Finding(secret, "overdue", secret.next_rotation)
        if (since := examined.pending_since) is not None:
            yield Finding(secret, "stuck" if since + limits.stuck_after < now else "unfinished", since)


def oldest_age(moments: Iterable[datetime | None], now: datetime) -> float:
    """Seconds since the earliest moment; 0 without any."""
    return max((age_seconds(moment, now) for moment in moments if moment is not None), default=0.0)


def age_seconds(moment: datetime, now: datetime) -> float:
    """Seconds from a moment until now, at least 0."""
    return max(0.0, (now - moment.astimezone(UTC)).total_seconds())
