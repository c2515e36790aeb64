"""When Secrets Manager rotates a secret next."""

import re
from dataclasses import dataclass
from typing import Any

from moto.secretsmanager.exceptions import InvalidParameterException

_RATE = re.compile(r"rate\((\d+) (hour|day)s?\)")
_MAX_DAYS = 1000
_SECONDS = {"hour": 3600, "day": 86400}


@dataclass(frozen=True)
class RotationRules:
    """A secret's `RotationRules` as they were given, and the period they come to, in seconds."""

    as_given: dict[str, Any]
    period_seconds: int

    @classmethod
    def parse(cls, rules: dict[str, Any]) -> "RotationRules":
        """Read `AutomaticallyAfterDays` or a `rate(…)`; a `cron(…)` is beyond the local stage and refused as invalid."""
        if "AutomaticallyAfterDays" in rules:
            days = rules["AutomaticallyAfterDays"]
            if not 1 <= days <= _MAX_DAYS:
                raise InvalidParameterException("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
            return cls(rules, days * _SECONDS["day"])
        rate = _RATE.fullmatch(rules.get("ScheduleExpression", ""))
        if rate is None:
            raise InvalidParameterException(
                "RotationRules needs AutomaticallyAfterDays or a ScheduleExpression such as rate(30 days); "
                "the local stage does not know cron expressions."
            )
        return cls(rules, int(rate[1]) * _SECONDS[rate[2]])
