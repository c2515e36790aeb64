"""New passwords, composed as AWS's own rotation functions compose them.

Made here and not by GetRandomPassword: the operating system's generator is as good, the call would cost a round trip per
rotation and a permission on all resources, and a password that was never sent cannot be intercepted.
"""

import secrets
import string

from pydantic import SecretStr

from rotation.errors import ConfigurationInvalidError
from rotation.protocols import EngineTraits
from rotation.settings import PasswordSettings

_SHORTEST = 8
"""A target's limit is a limit to obey, but no reason to make a password that can be guessed."""


def new_password(rules: PasswordSettings, traits: EngineTraits) -> SecretStr:
    """A random password of the configured length and composition, within what the engine takes.

    Raises:
        ConfigurationInvalidError: the rules leave no characters to choose from.
    """
    excluded = {*rules.exclude_characters, *traits.excluded_characters}
    types = [set(characters) - excluded for characters in _included(rules)]
    required = [sorted(characters) for characters in types] if rules.require_each_included_type else []
    alphabet = sorted(set().union(*types))
    if not alphabet or not all(required):
        raise ConfigurationInvalidError(
            "EXCLUDE_CHARACTERS leaves nothing of a type that is included",
            remedy="Exclude fewer characters, exclude the whole type, or set RequireEachIncludedType to false.",
        )
    length = max(_SHORTEST, traits.min_password_length, min(rules.length, traits.max_password_length))
    characters = [secrets.choice(each) for each in required]
    characters += [secrets.choice(alphabet) for _ in range(length - len(characters))]
    # The required ones stand first, which would tell their type.
    secrets.SystemRandom().shuffle(characters)
    return SecretStr("".join(characters))


def _included(rules: PasswordSettings) -> list[str]:
    excluded_by_type = (
        (string.digits, rules.exclude_numbers),
        (string.punctuation, rules.exclude_punctuation),
        (string.ascii_uppercase, rules.exclude_uppercase),
        (string.ascii_lowercase, rules.exclude_lowercase),
    )
    return [characters for characters, excluded in excluded_by_type if not excluded]
