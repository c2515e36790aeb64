"""What a demonstration is asked to show.

Apart from the stage, because the command line is parsed before that is imported.
"""

from dataclasses import dataclass
from enum import StrEnum

from rotation.models import Step
from rotation.settings import StrategyName


class Strategy(StrEnum):
    """The rotation strategies, without the choice to let the secret decide."""

    SINGLE_USER = StrategyName.SINGLE_USER.value
    SINGLE_USER_BY_SUPERUSER = StrategyName.SINGLE_USER_BY_SUPERUSER.value
    ALTERNATING_USERS = StrategyName.ALTERNATING_USERS.value


@dataclass(frozen=True)
class Plan:
    """One demonstration.

    Attributes:
        strategy: None leaves it to the engine.
        engine: Of which the secret is.
        fail: The step that is made to fail.
        count: How often the secret is rotated.
    """

    strategy: Strategy | None = None
    engine: str = "postgres"
    fail: Step | None = None
    count: int = 1
