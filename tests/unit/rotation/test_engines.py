"""Which engine a secret gets: one that is built in, or one of the stack's own."""

from contextlib import AbstractContextManager
from traceback import format_exception
from typing import Any

import pytest

from local.contract.rotating import invocation, settings_with
from rotation.engines import ENGINES, engine_for
from rotation.engines.invocation import Invocation
from rotation.errors import ConfigurationInvalidError, SecretMalformedError
from rotation.models import Login
from rotation.protocols import Engine, EngineTraits, Session
from tests.unit.rotation.fakes import document

TRAITS = EngineTraits(default_port=1, max_username_bytes=1, max_password_length=1)
SENTINEL = "Sentinel-7f3a"


class OwnEngine:
    traits = TRAITS

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation

    def log_in(self, login: Login) -> AbstractContextManager[Session]:
        raise NotImplementedError


def make(invocation: Invocation) -> Engine:
    return OwnEngine(invocation)


def no_engine(invocation: Invocation) -> object:
    return invocation


def failing(_invocation: Invocation) -> Engine:
    raise ValueError(SENTINEL)


def engine_named(name: str, **custom: str) -> Engine:
    """The engine of that name in a stack with these of its own, by their names in this module."""
    paths = {each: path if ":" in path else f"{__name__}:{path}" for each, path in custom.items()}
    settings = settings_with().model_copy(update={"custom_engines": paths})
    own = invocation()
    return engine_for(Invocation(settings, own.deadline, own.record, own.aws))(
        document({"engine": name, "username": "app", "password": "x"})
    )


@pytest.mark.parametrize("path", ["OwnEngine", "make"])
def test_an_engine_of_ones_own_is_a_class_or_a_function(path: str) -> None:
    engine = engine_named("acme", acme=path)
    assert isinstance(engine, OwnEngine)
    assert engine.invocation.settings.custom_engines == {"acme": f"{__name__}:{path}"}


def test_those_that_are_built_in_stay() -> None:
    assert type(engine_named("http", acme="OwnEngine")).__name__ == "HttpEngine"


def test_an_unknown_engine_is_told_with_all_that_there_are() -> None:
    with pytest.raises(SecretMalformedError) as caught:
        engine_named(SENTINEL, acme="OwnEngine")
    assert caught.value.message == f"the key engine is none of {', '.join(ENGINES)}, acme"


def test_a_name_that_is_built_in_is_refused_for_every_secret() -> None:
    with pytest.raises(ConfigurationInvalidError, match="CUSTOM_ENGINES: postgres is built in"):
        engine_named("http", postgres="OwnEngine")


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("nowhere.to_be_found:Engine", "cannot be imported and made (ModuleNotFoundError)"),
        ("Missing", "cannot be imported and made (AttributeError)"),
        ("TRAITS", "cannot be imported and made (TypeError)"),
        ("failing", "cannot be imported and made (ValueError)"),
        ("no_engine", "is no engine, for it has no traits"),
    ],
)
def test_what_is_no_engine_is_named_with_its_entry(path: str, what: str) -> None:
    with pytest.raises(ConfigurationInvalidError) as caught:
        engine_named("acme", acme=path)
    entry: Any = path if ":" in path else f"{__name__}:{path}"
    assert caught.value.message == f"CUSTOM_ENGINES: acme: {entry} {what}"
    assert SENTINEL not in "".join(format_exception(caught.value))
