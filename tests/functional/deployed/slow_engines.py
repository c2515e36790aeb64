"""A handler with two engines more: one whose DNS never answers, and one whose target may learn late of a change."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any, cast

from rotation import app, engines
from rotation.engines.invocation import Invocation
from rotation.engines.postgres import PostgresEngine


class UnresolvedEngine(PostgresEngine):
    """PostgreSQL, if only its name were known."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(replace(invocation, resolver=_never))


class SettlingEngine(PostgresEngine):
    """PostgreSQL, where a login is tried again for a while."""

    traits = replace(PostgresEngine.traits, settles_within_seconds=60.0)


def _never(*_question: Any, **_options: Any) -> list[Any]:
    Event().wait()
    return []


_registry = cast("dict[str, engines.Registration]", engines.ENGINES)
_registry["unresolved"] = engines.Registration(__name__, UnresolvedEngine.__name__)
_registry["settling"] = engines.Registration(__name__, SettlingEngine.__name__)

lambda_handler: Callable[[Any, Any], dict[str, str]] = app.lambda_handler
