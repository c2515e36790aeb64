"""Real servers for this machine, by the engine whose secrets they serve: for the demo and for the contract suite."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.targets.target import Target

TARGETS: Mapping[str, str] = {
    "postgres": "local.targets.postgres:PostgresTarget",
    "aurora-postgresql": "local.targets.postgres:PostgresTarget",
    "redis": "local.targets.redis:RedisTarget",
    "valkey": "local.targets.redis:ValkeyTarget",
    "mariadb": "local.targets.mariadb:MariaDbTarget",
    "http": "local.targets.http:HttpTarget",
    "redshift": "local.targets.redshift:RedshiftTarget",
    "mongo": "local.targets.mongo:MongoTarget",
    "docdb": "local.targets.mongo:MongoTarget",
    "ldap": "local.targets.ldap:OpenLdapTarget",
}
"""Target by the engine's name, as module and class: only what is started is imported."""


def target_for(engine: str) -> "type[Target]":
    """The server that stands for an engine here."""
    module, _, name = TARGETS[engine].partition(":")
    target: type[Target] = getattr(import_module(module), name)
    return target
