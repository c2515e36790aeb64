"""Target engines. Adding one is a file beside this and a line in the registry, or a package of your own and a setting."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from rotation.engines.invocation import Invocation
from rotation.errors import ConfigurationInvalidError, SecretMalformedError
from rotation.models import SecretDocument
from rotation.protocols import Engine, EngineFor, EngineTraits


class Registration(NamedTuple):
    """Where an engine's class is, and the top-level module of its driver, which may have been left out of the artefact."""

    module: str
    name: str
    driver: str | None = None


_POSTGRES = Registration("rotation.engines.postgres", "PostgresEngine", "psycopg")
_REDIS = Registration("rotation.engines.redis", "RedisEngine", "redis")
_MYSQL = Registration("rotation.engines.mysql", "MySqlEngine", "pymysql")
_MONGO = Registration("rotation.engines.mongo", "MongoEngine", "pymongo")

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
    "redshift": Registration("rotation.engines.redshift", "RedshiftEngine", "psycopg"),
    "mongo": _MONGO,
    "docdb": _MONGO,
    "activedirectory": Registration("rotation.engines.activedirectory", "ActiveDirectoryEngine", "ldap3"),
    "ldap": Registration("rotation.engines.ldap", "LdapEngine", "ldap3"),
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
    """A function that makes the engine a document names, bound to one invocation.

    Raises:
        ConfigurationInvalidError: an engine of the stack's own has the name of one that is built in.
    """
    custom = invocation.settings.custom_engines
    if taken := sorted(custom.keys() & ENGINES.keys()):
        raise ConfigurationInvalidError(f"CUSTOM_ENGINES: {', '.join(taken)} is built in: choose another name")

    def make(document: SecretDocument) -> Engine:
        if document.engine in custom:
            return _custom(document.engine, custom[document.engine], invocation)
        if (registered := ENGINES.get(document.engine)) is None:
            raise SecretMalformedError(f"the key engine is none of {', '.join((*ENGINES, *custom))}")
        if registered.driver:
            require_driver(registered.driver, document.engine)
        engine: Engine = getattr(import_module(registered.module), registered.name)(invocation)
        return engine

    return make


def _custom(name: str, path: str, invocation: Invocation) -> Engine:
    """An engine of the stack's own.

    Raises:
        ConfigurationInvalidError: it cannot be imported, or is no engine.
    """
    module, _, attribute = path.partition(":")
    try:
        engine: Engine = getattr(import_module(module), attribute)(invocation)
    except Exception as error:  # noqa: BLE001 - whatever it is, somebody else's module cannot be used
        raise ConfigurationInvalidError(
            f"CUSTOM_ENGINES: {name}: {path} cannot be imported and made ({type(error).__name__})",
            remedy="Check the parameter CustomEngines, and that the layer CustomEnginesLayerArn has the package in python/.",
        ) from None
    if not isinstance(getattr(engine, "traits", None), EngineTraits):
        raise ConfigurationInvalidError(f"CUSTOM_ENGINES: {name}: {path} is no engine, for it has no traits")
    return engine
