"""The secrets of the live preview, and what Secrets Manager does with them in one turn."""

import time
from collections import Counter, deque
from datetime import timedelta
from typing import Any

from dashboards.drill.stage import Stage
from dashboards.drill.victim import Victim

_BUSY = 12
"""Secrets that are rotated one after the other."""
_AGES = (timedelta(days=4), timedelta(days=19))
"""Secrets that are rotated when they are due, a month after the last time, which was so long ago."""
_REPETITIONS = 2
"""How many unfinished rotations are repeated in a turn: enough that the fleet is soon well again after a failure."""


class Fleet:
    """Secrets of both engines and of two strategies, each first tried by a test-only run."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._superuser_arn = stage.secret("superuser-of-the-fleet", stage.superuser_document)
        self._busy = deque(stage.victim(**self._peculiarity(number)) for number in range(_BUSY))
        self._monthly = [stage.victim() for _ in _AGES]
        self._untested = {*self._busy}
        self._repetitions: Counter[str] = Counter()
        for secret, age in zip(self._monthly, _AGES, strict=True):
            secret.rotate()
            secret.grow_older(age)

    def turn(self) -> None:
        """Repeat rotations that were begun and not finished, as Secrets Manager does, and begin the next one."""
        for arn in sorted(self._unfinished(), key=self._repetitions.__getitem__)[:_REPETITIONS]:
            self._repetitions[arn] += 1
            self._stage.service.retry(arn)
        self._stage.deliver_events()
        unfinished = self._unfinished()
        if free := next((secret for secret in (*self._due(), *self._busy) if secret.arn not in unfinished), None):
            self._rotate(free)

    def _rotate(self, secret: Victim) -> None:
        if secret in self._busy:
            self._busy.remove(secret)
            self._busy.append(secret)
        if secret in self._untested:
            self._untested.remove(secret)
            secret.rotate(rotate_immediately=False)
        secret.rotate()

    def _due(self) -> list[Victim]:
        with self._stage.aws.secrets_manager() as service:
            return [secret for secret in self._monthly if (service.secret(secret.arn).next_rotation_date or 0) < time.time()]

    def _unfinished(self) -> set[str]:
        """The secrets whose rotation has not come to its end, whoever began it."""
        with self._stage.aws.secrets_manager() as service:
            return {secret.arn for secret in service.secrets.values() if service.version_under_way(secret.arn)}

    def _peculiarity(self, number: int) -> dict[str, Any]:
        """In what a secret differs from a single user's of a PostgreSQL database."""
        return ({}, {"engine": "aurora-postgresql"}, {}, {"masterarn": self._superuser_arn})[number % 4]
