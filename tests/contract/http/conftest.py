"""A service whose behaviour a test may change, and a secret of it in rotation."""

from collections.abc import Callable, Iterator

import pytest

from local.contract.rotating import SecretInRotation
from local.targets.http import HttpTarget
from rotation.models import SecretDocument
from rotation.strategies.two_keys import TwoKeys


@pytest.fixture
def behave(target: HttpTarget) -> Iterator[Callable[..., None]]:
    yield target.behave
    target.behave()


@pytest.fixture
def rotation(secret: SecretDocument, superuser: SecretDocument, ca_bundle: str | None) -> SecretInRotation:
    return SecretInRotation(TwoKeys(), secret, superuser, ca_bundle)
