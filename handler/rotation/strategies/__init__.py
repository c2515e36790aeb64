"""Rotation strategies: which user gets the new password, and who logs in to set it."""

from collections.abc import Mapping

from rotation.errors import SecretMalformedError
from rotation.models import STRATEGY_TAG, SecretDescription, SecretDocument
from rotation.protocols import EngineTraits
from rotation.settings import StrategyName
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from rotation.strategies.two_keys import TwoKeys

STRATEGIES: Mapping[StrategyName, Strategy] = {
    strategy.name: strategy for strategy in (SingleUser(), SingleUserBySuperuser(), AlternatingUsers(), TwoKeys())
}


def choose(secret: SecretDescription, current: SecretDocument, default: StrategyName, traits: EngineTraits) -> Strategy:
    """The strategy for a secret: its tag, else the stack's setting, else what the secret's own keys and its engine imply.

    Raises:
        SecretMalformedError: the tag names no strategy, or one that the engine cannot follow, or that needs a superuser
            where the secret names none.
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
        name = _implied(current, traits)
    strategy = STRATEGIES[name]
    if not strategy.is_possible(traits):
        possible = ", ".join(each.name for each in STRATEGIES.values() if each.is_possible(traits))
        raise SecretMalformedError(
            f"the strategy {name} is not possible with the engine {current.engine}",
            remedy=f"Give the secret the tag {STRATEGY_TAG} with one of {possible}.",
        )
    if strategy.needs_superuser and not current.fields.superuser_arn:
        raise SecretMalformedError(
            f"the strategy {name} needs the key masterarn",
            remedy="Add masterarn, the ARN of the superuser's secret, or choose the strategy single-user.",
        )
    return strategy


def _implied(current: SecretDocument, traits: EngineTraits) -> StrategyName:
    if traits.issues_credentials:
        return StrategyName.TWO_KEYS
    if not current.fields.superuser_arn or not traits.has_superusers:
        return StrategyName.SINGLE_USER
    return StrategyName.ALTERNATING_USERS if traits.has_clones else StrategyName.SINGLE_USER_BY_SUPERUSER
