"""Target engines. Adding one is a file beside this, and a line in the registry."""

from collections.abc import Mapping
from importlib import import_module

from rotation.deadline import Deadline
from rotation.errors import SecretMalformedError
from rotation.models import SecretDocument
from rotation.protocols import Engine, EngineFor
from rotation.settings import Settings
from rotation.step_record import StepRecord

ENGINES: Mapping[str, str] = {
    "postgres": "rotation.engines.postgres:PostgresEngine",
    "aurora-postgresql": "rotation.engines.postgres:PostgresEngine",
}
"""Engine by the name in the secret's key `engine`, as module and class: only the driver in use is imported."""


def engine_for(settings: Settings, deadline: Deadline, record: StepRecord) -> EngineFor:
    """A function that makes the engine a document names, bound to one invocation."""

    def make(document: SecretDocument) -> Engine:
        if (place := ENGINES.get(document.engine)) is None:
            raise SecretMalformedError(f"the key engine is none of {', '.join(ENGINES)}")
        module, _, name = place.partition(":")
        engine: Engine = getattr(import_module(module), name)(settings, deadline, record)
        return engine

    return make
