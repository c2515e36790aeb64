"""Target engines. Adding one is a file beside this, and a line in the registry."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from rotation.engines.invocation import Invocation
from rotation.errors import ConfigurationInvalidError, SecretMalformedError
from rotation.models import SecretDocument
from rotation.protocols import Engine, EngineFor


class Registration(NamedTuple):
    """Where an engine's class is, and the top-level module of its driver, which may have been left out of the artefact."""

    module: str
    name: str
    driver: str | None = None


_POSTGRES = Registration("rotation.engines.postgres", "PostgresEngine", "psycopg")
_REDIS = Registration("rotation.engines.redis", "RedisEngine", "redis")
_MYSQL = Registration("rotation.engines.mysql", "MySqlEngine", "pymysql")

ENGINES: Mapping[str, Registration] = {
    "postgres": _POSTGRES,
    "aurora-postgresql": _POSTGRES,
    "elasticache": Registration("rotation.engines.cache_users", "ElastiCacheEngine"),
    "memorydb": Registration("rotation.engines.cache_users", "MemoryDbEngine"),
    "redis": _REDIS,
    "valkey": _REDIS,
    "mysql": _MYSQL,
    "aurora-mysql": _MYSQL,
    "mariadb": Registration("rotation.engines.mysql", "MariaDbEngine", "pymysql"),
    "http": Registration("rotation.engines.http", "HttpEngine"),
}
"""Engine by the name in the secret's key `engine`: only the driver in use is imported."""


def require_driver(driver: str, engine: str) -> None:
    """Make sure that a driver can be imported.

    Raises:
        ConfigurationInvalidError: it was left out of the artefact.
    """
    if find_spec(driver) is None:
        raise ConfigurationInvalidError(
            f"the driver {driver} of the engine {engine} is not built in",
            remedy="Build with DRIVERS that include it, and deploy again.",
        )


def engine_for(invocation: Invocation) -> EngineFor:
    """A function that makes the engine a document names, bound to one invocation."""

    def make(document: SecretDocument) -> Engine:
        if (registered := ENGINES.get(document.engine)) is None:
            raise SecretMalformedError(f"the key engine is none of {', '.join(ENGINES)}")
        if registered.driver:
            require_driver(registered.driver, document.engine)
        engine: Engine = getattr(import_module(registered.module), registered.name)(invocation)
        return engine

    return make
