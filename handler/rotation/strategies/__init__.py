"""Rotation strategies: which user gets the new password, and who logs in to set it."""

from collections.abc import Mapping

from rotation.errors import SecretMalformedError
from rotation.models import STRATEGY_TAG, SecretDescription, SecretDocument
from rotation.settings import StrategyName
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser

STRATEGIES: Mapping[StrategyName, Strategy] = {
    strategy.name: strategy for strategy in (SingleUser(), SingleUserBySuperuser(), AlternatingUsers())
}


def choose(secret: SecretDescription, current: SecretDocument, default: StrategyName) -> Strategy:
    """The strategy for a secret: its tag, else the stack's setting, else what the secret's own keys imply.

    Raises:
        SecretMalformedError: the tag names no strategy, or one that needs a superuser where the secret names none.
    """
    name = default
    if (tag := secret.tags.get(STRATEGY_TAG)) is not None:
        try:
            name = StrategyName(tag)
        except ValueError:
            known = ", ".join(StrategyName)
            raise SecretMalformedError(
                f"the tag {STRATEGY_TAG} names no strategy", remedy=f"Set the tag to one of {known}."
            ) from None
    if name is StrategyName.AUTO:
        name = StrategyName.ALTERNATING_USERS if current.fields.superuser_arn else StrategyName.SINGLE_USER
    strategy = STRATEGIES[name]
    if strategy.needs_superuser and not current.fields.superuser_arn:
        raise SecretMalformedError(
            f"the strategy {name} needs the key masterarn",
            remedy="Add masterarn, the ARN of the superuser's secret, or choose the strategy single-user.",
        )
    return strategy
