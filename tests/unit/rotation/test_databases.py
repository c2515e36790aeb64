"""Who is the superuser of a secret's server, asked of RDS where the secrets do not say."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from moto.rds.models import rds_backends

from local.aws import AwsStage
from rotation.aws import AwsClients
from rotation.databases import RdsDirectory, SuperuserDirectory
from rotation.errors import AccessDeniedError, SecretMalformedError, SuperuserUnusableError, TargetMismatchError
from rotation.models import Login, RotationEvent
from rotation.secret_store import SecretsManagerStore
from rotation.step_record import StepRecord
from tests.unit.rotation.fakes import FakeEngine, FakeServer, document

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SUPERUSER_PASSWORD = "superuser's"


@dataclass
class Rds:
    """Endpoints of one instance with a replica, one cluster, and another customer's instance, as RDS names them."""

    instance: str
    instance_arn: str
    replica: str
    other_instance: str
    cluster: str
    cluster_arn: str
    reader: str
    member: str
    custom: str
    port: int


@pytest.fixture(scope="module")
def rds(aws: AwsStage) -> Rds:
    client = aws.client("rds")
    login: dict[str, Any] = {"MasterUsername": "root", "MasterUserPassword": SUPERUSER_PASSWORD}
    size: dict[str, Any] = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
    for name in ("main", "stranger"):
        client.create_db_instance(DBInstanceIdentifier=name, Engine="postgres", Port=5433, **size, **login)
    client.create_db_instance_read_replica(DBInstanceIdentifier="copy", SourceDBInstanceIdentifier="main")
    client.create_db_cluster(DBClusterIdentifier="fleet", Engine="aurora-postgresql", Port=5433, **login)
    client.create_db_instance(
        DBInstanceIdentifier="fleet-1",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
        DBClusterIdentifier="fleet",
    )
    custom = "analytics.cluster-custom-abc.eu-central-1.rds.amazonaws.com"
    # moto has no call that makes custom endpoints, but shows them.
    rds_backends[aws.account_id][aws.region].clusters["fleet"].custom_endpoints = [custom]  # type: ignore[attr-defined]
    instances = {entry["DBInstanceIdentifier"]: entry for entry in client.describe_db_instances()["DBInstances"]}
    (cluster,) = client.describe_db_clusters()["DBClusters"]
    return Rds(
        instance=instances["main"]["Endpoint"]["Address"],
        instance_arn=instances["main"]["DBInstanceArn"],
        replica=instances["copy"]["Endpoint"]["Address"],
        other_instance=instances["stranger"]["Endpoint"]["Address"],
        cluster=cluster["Endpoint"],
        cluster_arn=cluster["DBClusterArn"],
        reader=cluster["ReaderEndpoint"],
        member=instances["fleet-1"]["Endpoint"]["Address"],
        custom=custom,
        port=5433,
    )


LoginFor = Callable[..., Login]


@pytest.fixture
def login_for(
    secrets_manager: "SecretsManagerClient", clients: AwsClients, make_record: Callable[[], StepRecord]
) -> LoginFor:
    """Finds the superuser of a secret for `host`, whose superuser's secret has these keys and tags."""
    record = make_record()
    event = RotationEvent(Step="setSecret", SecretId="any", ClientRequestToken="t" * 32)
    store = SecretsManagerStore(clients.calls("secretsmanager", record), event)
    engine = FakeEngine(FakeServer({}))
    directory = SuperuserDirectory(store, RdsDirectory(lambda: clients.calls("rds", record)), lambda _document: engine)

    def find(host: str, superuser: dict[str, Any], tags: dict[str, str] | None = None, **keys: Any) -> Login:
        arn = secrets_manager.create_secret(
            Name=f"superuser/{uuid.uuid4()}",
            SecretString=json.dumps({"username": "root", "password": SUPERUSER_PASSWORD, **superuser}),
        )["ARN"]
        # The tags of RDS are its own: the API refuses to set them, and moto accepts them here.
        labels: list[Any] = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        secrets_manager.tag_resource(SecretId=arn, Tags=labels)
        app = {"engine": "postgres", "username": "app", "password": "old", "host": host, "masterarn": arn}
        return directory.login_for(document({**app, **keys}))

    return find


def test_a_superuser_on_the_same_host_needs_no_question_to_rds(aws: AwsStage, login_for: LoginFor) -> None:
    before = len(aws.calls)
    login = login_for("db", {"engine": "postgres", "host": "db", "port": 5440, "dbname": "admin"}, port=5440)
    assert (login.host, login.port, login.username, login.dbname) == ("db", 5440, "root", "admin")
    assert login.password.get_secret_value() == SUPERUSER_PASSWORD
    assert "rds" not in {call.service for call in aws.calls[before:]}


def test_a_superusers_secret_made_by_rds_for_an_instance_is_completed(login_for: LoginFor, rds: Rds) -> None:
    login = login_for(rds.instance, {}, {"aws:rds:primarydbinstancearn": rds.instance_arn}, port=rds.port)
    assert (login.host, login.port) == (rds.instance, rds.port)


def test_a_superusers_secret_made_by_rds_for_a_cluster_is_completed(login_for: LoginFor, rds: Rds) -> None:
    login = login_for(rds.cluster, {}, {"aws:rds:primarydbclusterarn": rds.cluster_arn}, port=rds.port)
    assert (login.host, login.port) == (rds.cluster, rds.port)


def test_a_replica_is_served_by_the_superuser_of_its_primary(login_for: LoginFor, rds: Rds) -> None:
    assert login_for(rds.replica, {"host": rds.instance}).host == rds.instance


def test_a_replica_of_an_instance_whose_superuser_rds_manages(login_for: LoginFor, rds: Rds) -> None:
    login = login_for(rds.replica, {}, {"aws:rds:primarydbinstancearn": rds.instance_arn})
    assert login.host == rds.instance


@pytest.mark.parametrize("endpoint", ["reader", "member", "custom"])
def test_an_aurora_endpoint_is_served_by_the_superuser_of_the_cluster(login_for: LoginFor, rds: Rds, endpoint: str) -> None:
    assert login_for(getattr(rds, endpoint), {"host": rds.cluster}).host == rds.cluster


@pytest.mark.parametrize("endpoint", ["other_instance", "instance", "reader"])
def test_a_strangers_host_is_refused(login_for: LoginFor, rds: Rds, endpoint: str) -> None:
    with pytest.raises(TargetMismatchError, match="host differs"):
        login_for(getattr(rds, endpoint), {"host": "stranger.example"})


@pytest.mark.parametrize("host", ["replica", "reader", "member", "custom", "cluster"])
def test_the_superuser_of_another_server_is_refused(login_for: LoginFor, rds: Rds, host: str) -> None:
    with pytest.raises(TargetMismatchError, match="host differs"):
        login_for(getattr(rds, host), {"host": rds.other_instance})


@pytest.mark.parametrize(("mine", "superusers"), [(5433, None), (None, 5433), (5433, 5434)])
def test_the_superuser_of_another_server_on_the_same_host_is_refused(
    login_for: LoginFor, mine: int | None, superusers: int | None
) -> None:
    with pytest.raises(TargetMismatchError, match="port differs"):
        login_for("db", {"host": "db", "port": superusers}, port=mine)


def test_a_port_that_is_left_out_is_the_engines(login_for: LoginFor) -> None:
    assert login_for("db", {"host": "db", "port": "5432"}).port == login_for("db", {"host": "db"}, port=5432).port == 5432


@pytest.mark.parametrize(
    "answer", [{}, {"Endpoint": {}}, {"Endpoint": {"Address": "db"}}, {"Endpoint": {"Port": 1}}], ids=str
)
def test_an_instance_without_an_endpoint_as_yet_is_no_defect(answer: dict[str, Any]) -> None:
    directory = RdsDirectory(lambda: lambda _operation, **_: {"DBInstances": [answer]})  # type: ignore[arg-type, return-value]
    assert directory.primary_from_tags({"aws:rds:primarydbinstancearn": "arn:aws:rds:eu-central-1:1:db:new"}) is None


@pytest.mark.parametrize("answer", [{}, {"Endpoint": "db"}, {"Port": 1}], ids=str)
def test_a_cluster_without_an_endpoint_as_yet_is_no_defect(answer: dict[str, Any]) -> None:
    directory = RdsDirectory(lambda: lambda _operation, **_: {"DBClusters": [answer]})  # type: ignore[arg-type, return-value]
    assert directory.primary_from_tags({"aws:rds:primarydbclusterarn": "arn:aws:rds:eu-central-1:1:cluster:new"}) is None


@pytest.mark.parametrize(
    "imitation", ["copy.attacker.example", "fleet.attacker.example", "main.attacker.example", "10.0.0.1"]
)
def test_a_host_that_only_begins_like_an_endpoint_is_refused(login_for: LoginFor, rds: Rds, imitation: str) -> None:
    for superuser in (rds.instance, rds.cluster):
        with pytest.raises(TargetMismatchError, match="host differs"):
            login_for(imitation, {"host": superuser})


def test_a_superuser_of_another_engine_is_refused(login_for: LoginFor) -> None:
    with pytest.raises(TargetMismatchError, match="engine differs"):
        login_for("db", {"host": "db", "engine": "aurora-postgresql"})


def test_a_superuser_that_names_no_engine_is_taken_at_its_host(login_for: LoginFor) -> None:
    assert login_for("db", {"host": "db"}).host == "db"


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"aws:rds:primarydbinstancearn": "arn:aws:rds:eu-central-1:200000000001:db:gone"},
        {"aws:rds:primarydbclusterarn": "arn:aws:rds:eu-central-1:200000000001:cluster:gone"},
    ],
    ids=["no tag", "instance gone", "cluster gone"],
)
def test_a_superuser_whose_server_is_unknown_is_unusable(login_for: LoginFor, tags: dict[str, str]) -> None:
    with pytest.raises(SuperuserUnusableError, match="no key host and no tag"):
        login_for("db", {}, tags)


@pytest.mark.parametrize("masterarn", [None, "arn:aws:secretsmanager:eu-central-1:200000000001:secret:gone-AbCdEf"])
def test_a_superusers_secret_that_is_not_there_is_unusable(login_for: LoginFor, masterarn: str | None) -> None:
    with pytest.raises(SuperuserUnusableError, match="masterarn"):
        login_for("db", {}, masterarn=masterarn)


def test_a_malformed_superusers_secret_is_named_as_such(login_for: LoginFor) -> None:
    with pytest.raises(SecretMalformedError, match="the superuser's value has wrong keys: password"):
        login_for("db", {"host": "db", "password": None})


def test_a_denied_question_is_not_taken_for_a_server_that_is_missing(aws: AwsStage, login_for: LoginFor, rds: Rds) -> None:
    aws.fail("rds", code="AccessDenied", message="not authorized to perform: rds:DescribeDBInstances", status=403)
    with pytest.raises(AccessDeniedError, match="rds:DescribeDBInstances"):
        login_for(rds.replica, {"host": rds.instance})
