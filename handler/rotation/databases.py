"""Who is the superuser of a secret's server: the secret named by masterarn, completed and checked through the RDS API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rotation.aws import AwsCalls
from rotation.errors import AwsRejectedError, SuperuserUnusableError, TargetMismatchError
from rotation.models import Login, SecretDocument
from rotation.protocols import EngineFor
from rotation.secret_store import SecretsManagerStore
from rotation.strategies.change import login_of

_INSTANCE_TAG, _CLUSTER_TAG = "aws:rds:primarydbinstancearn", "aws:rds:primarydbclusterarn"


@dataclass(frozen=True)
class Endpoint:
    """Where a server that RDS manages listens."""

    host: str
    port: int


def _endpoint(host: str | None, port: int | None) -> Endpoint | None:
    """None for a server that has none yet."""
    return Endpoint(host, port) if host and port else None


class RdsDirectory:
    """Looks database servers up in RDS."""

    def __init__(self, calls: Callable[[], AwsCalls]) -> None:
        # Few secrets need it, so its client is made on first use.
        self._calls = calls

    def primary_from_tags(self, tags: dict[str, str]) -> Endpoint | None:
        """The primary that an RDS-managed superuser secret belongs to; None if the tags name none."""
        if (arn := tags.get(_INSTANCE_TAG)) is not None:
            place = (self._instance(arn) or {}).get("Endpoint", {})
            return _endpoint(place.get("Address"), place.get("Port"))
        if (arn := tags.get(_CLUSTER_TAG)) is not None:
            cluster = self._cluster(arn) or {}
            return _endpoint(cluster.get("Endpoint"), cluster.get("Port"))
        return None

    def is_served_by(self, host: str, primary: str) -> bool:
        """Whether `host` is a replica, reader or custom endpoint of the server whose primary is `primary`."""
        name = host.split(".", 1)[0]
        instance = self._instance(name)
        if instance is not None and instance.get("Endpoint", {}).get("Address") == host:
            if (cluster_name := instance.get("DBClusterIdentifier")) is not None:
                return self._cluster_has(cluster_name, primary, host=None)
            source = instance.get("ReadReplicaSourceDBInstanceIdentifier")
            origin = self._instance(source) if source else None
            return origin is not None and origin.get("Endpoint", {}).get("Address") == primary
        # `name` is the cluster's identifier in its writer and reader endpoints, but not in custom ones.
        return self._cluster_has(primary.split(".", 1)[0], primary, host=host)

    def _cluster_has(self, identifier: str, primary: str, host: str | None) -> bool:
        cluster = self._cluster(identifier)
        if cluster is None or cluster.get("Endpoint") != primary:
            return False
        others = {cluster.get("ReaderEndpoint"), *cluster.get("CustomEndpoints", ())}
        return host is None or host in others

    def _instance(self, identifier: str) -> dict[str, Any] | None:
        return self._one("describe_db_instances", "DBInstances", DBInstanceIdentifier=identifier)

    def _cluster(self, identifier: str) -> dict[str, Any] | None:
        return self._one("describe_db_clusters", "DBClusters", DBClusterIdentifier=identifier)

    def _one(self, operation: str, key: str, **parameters: Any) -> dict[str, Any] | None:
        try:
            found: list[dict[str, Any]] = self._calls()(operation, **parameters)[key]
        except AwsRejectedError:
            # RDS answers DBInstanceNotFound or DBClusterNotFoundFault.
            return None
        return found[0] if found else None


class SuperuserDirectory:
    """Finds the superuser's login for the server that a secret names."""

    def __init__(self, store: SecretsManagerStore, rds: RdsDirectory, engine_for: EngineFor) -> None:
        self._store = store
        self._rds = rds
        self._engine_for = engine_for

    def login_for(self, document: SecretDocument) -> Login:
        """The superuser's login at the primary of the server that `document` names."""
        arn = document.fields.superuser_arn
        version = self._store.current_of_other(arn) if arn else None
        if arn is None or version is None:
            raise SuperuserUnusableError("the secret named by masterarn was not found or has no value")
        superuser = version.document
        if superuser.fields.host is None:
            superuser = self._complete(arn, superuser)
        engine = self._engine_for(document)
        login = login_of(superuser, engine.traits)
        if superuser.fields.engine not in {None, document.engine}:
            raise TargetMismatchError("engine differs between the secret and its superuser's")
        own = login_of(document, engine.traits)
        if login.host == own.host:
            # Two servers of one machine are as much strangers as any.
            if login.port != own.port:
                raise TargetMismatchError("port differs between the secret and its superuser's")
        elif not self._rds.is_served_by(own.host, login.host):
            raise TargetMismatchError("host differs between the secret and its superuser's, and is no replica of it")
        return login

    def _complete(self, arn: str, superuser: SecretDocument) -> SecretDocument:
        primary = self._rds.primary_from_tags(dict(self._store.describe_other(arn).tags))
        if primary is None:
            raise SuperuserUnusableError("the superuser's secret has no key host and no tag of an RDS database")
        return superuser.changed(host=primary.host, port=primary.port)
