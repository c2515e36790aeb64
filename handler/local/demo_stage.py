"""The stage of the demonstration: a database, an AWS account, the deployed function, and one secret attached to it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from moto.secretsmanager.exceptions import ResourceNotFoundException
from psycopg import sql

from local.aws import AwsStage
from local.demo_plan import Strategy
from local.demo_report import LoginSeen
from local.lambda_runtime import LambdaFunction
from local.postgres import PostgresServer
from local.xray import XRayDaemon
from rotation.models import STRATEGY_TAG

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

USER, SECRET_NAME = "orders", "demo/orders"
ROTATION_RULES = {"AutomaticallyAfterDays": 30}
_SERVICE, _TABLE = "demo", "demo-idempotency"
# The template's defaults.
_MEMORY_MB, _TIMEOUT_SECONDS = 1024, 60.0


class Line(Protocol):
    """Where a finished piece of work says what it came to."""

    text: str


Doing = Callable[[str, str], AbstractContextManager[Line]]
"""Shows a piece of work by name and description while its `with` block lasts."""

Document = dict[str, Any]


@dataclass
class DemoStage:
    """What is on the stage."""

    strategy: Strategy
    postgres: PostgresServer
    aws: AwsStage
    xray: XRayDaemon
    function: LambdaFunction
    table: str
    _fingerprint_key: bytes = field(default_factory=lambda: token_bytes(16))

    @cached_property
    def _secrets_manager(self) -> "SecretsManagerClient":
        return self.aws.client("secretsmanager")

    def labels(self) -> dict[str, str]:
        """Return the version id that has each staging label."""
        stages = self._secrets_manager.describe_secret(SecretId=SECRET_NAME)["VersionIdsToStages"]
        return {label: version for version, labels in stages.items() for label in labels}

    def version(self, label: str) -> tuple[str, Document]:
        """Return the id and the content of the version with a staging label.

        Read inside of the service, where the faults that are meant for the function's role do not apply.
        """
        with self.aws.secrets_manager() as service:
            answer = service.get_secret_value(SECRET_NAME, "", label)
        document: Document = json.loads(answer["SecretString"])
        return answer["VersionId"], document

    def passwords(self) -> set[str]:
        """Return the passwords that are in play; they may be in Secrets Manager and nowhere else."""
        found = {self.postgres.superuser_password}
        for label in self.labels():
            with suppress(ResourceNotFoundException):  # createSecret has not given it a value yet
                found.add(self.version(label)[1]["password"])
        return found

    def connect(self, document: Document) -> psycopg.Connection[tuple[Any, ...]]:
        """Log in as a client does that has read the secret."""
        return psycopg.connect(
            host=document["host"],
            port=document["port"],
            user=document["username"],
            password=document["password"],
            dbname=document["dbname"],
            sslmode="disable",
            connect_timeout=3,
            autocommit=True,
        )

    def log_in(self, label: str, version_id: str, document: Document) -> LoginSeen:
        """Try a login with one version of the secret."""
        try:
            with self.connect(document) as connection:
                connection.execute("SELECT 1")
            answer = ""
        except psycopg.OperationalError as error:
            answer = _answer(error)
        fingerprint = hashlib.blake2s(document["password"].encode(), key=self._fingerprint_key, digest_size=4)
        return LoginSeen(
            label=label,
            version_id=version_id,
            user=document["username"],
            fingerprint=fingerprint.hexdigest(),
            accepted=not answer,
            answer=answer or "accepted",
        )

    def may_log_in(self, user: str, *, allowed: bool) -> None:
        """Lock a role, or unlock it."""
        attribute = sql.SQL("LOGIN" if allowed else "NOLOGIN")
        with self.postgres.admin_connection() as connection:
            connection.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(user), attribute))


@contextmanager
def demo_stage(strategy: Strategy, doing: Doing) -> Iterator[DemoStage]:
    """Set the stage, piece by piece, and clear it at the end."""
    with ExitStack() as resources:
        with doing("AWS", "Secrets Manager, DynamoDB and X-Ray") as line:
            aws, xray = resources.enter_context(AwsStage()), resources.enter_context(XRayDaemon())
            aws.client("dynamodb").create_table(
                TableName=_TABLE,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            line.text = f"Secrets Manager, DynamoDB and X-Ray on {aws.endpoint_url.removeprefix('http://')}"
        with doing("PostgreSQL", "a new server that asks everybody for SCRAM") as line:
            # With every statement in the server's log, that no password is in there means something.
            postgres = resources.enter_context(PostgresServer(settings={"log_statement": "all"}))
            line.text = f"{_version(postgres)} on {postgres.host}:{postgres.port}, SCRAM for everybody"
        with doing("Secret", "a database user and its secret") as line:
            _create_secrets(aws, postgres, strategy)
            line.text = f"{SECRET_NAME}, the login of the user {USER}"
        function = resources.enter_context(_function({**aws.environment, **xray.environment}))
        yield DemoStage(strategy, postgres, aws, xray, function, _TABLE)


def _function(environment: Mapping[str, str]) -> LambdaFunction:
    """The handler that is deployed, with the settings that the template gives it."""
    package = find_spec("rotation")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the package rotation is not installed")
    return LambdaFunction(
        "rotation.app.lambda_handler",
        task_root=Path(package.origin).parents[1],
        environment={**environment, "POWERTOOLS_SERVICE_NAME": _SERVICE, "IDEMPOTENCY_TABLE": _TABLE},
        memory_mb=_MEMORY_MB,
        timeout_seconds=_TIMEOUT_SECONDS,
        function_name=_SERVICE,
    )


def _create_secrets(aws: AwsStage, postgres: PostgresServer, strategy: Strategy) -> None:
    """Make the user and its secret, and the superuser's where the strategy needs one."""
    password = token_urlsafe(24)
    with postgres.admin_connection() as connection:
        verifier = connection.pgconn.encrypt_password(password.encode(), USER.encode(), b"scram-sha-256").decode()
        user = sql.Identifier(USER)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(user, sql.Literal(verifier)))
        connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(user, user))
    server = {"engine": "postgres", "host": postgres.host, "port": postgres.port, "dbname": "postgres", "ssl": False}
    # A key that the function does not know: it has to survive.
    document: Document = {**server, "username": USER, "password": password, "team": "checkout"}
    client = aws.client("secretsmanager")
    if strategy is not Strategy.SINGLE_USER:
        superuser = {**server, "username": postgres.superuser, "password": postgres.superuser_password}
        document["masterarn"] = client.create_secret(Name="demo/superuser", SecretString=json.dumps(superuser))["ARN"]
    client.create_secret(
        Name=SECRET_NAME,
        SecretString=json.dumps(document),
        Tags=[{"Key": STRATEGY_TAG, "Value": strategy.value}],
    )


def _version(postgres: PostgresServer) -> str:
    with postgres.admin_connection() as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "PostgreSQL"


def _answer(error: psycopg.OperationalError) -> str:
    """The server's words if it gave any, else the network's; neither ever quotes a password."""
    text = str(error).splitlines()[0]
    words = text.rpartition("FATAL:")[2] if "FATAL:" in text else text.rpartition("failed:")[2]
    return words.strip().partition(" for user ")[0]
