"""The world around the deployed function: AWS, a database server and a trace daemon, all on this machine."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

import rotation
from local.aws import AwsStage
from local.lambda_environment import Start, start_process
from local.lambda_runtime import LambdaFunction, installed_libraries
from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.functional.seen import Seen

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
TABLE = "steps"
HANDLER_FOLDER = Path(rotation.__file__).parents[1]
_TABLE_SHAPE: dict[str, Any] = {
    "TableName": TABLE,
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A rotation that has begun."""

    secret_arn: str
    token: str
    rotation_token: str | None = None

    def event(self, step: str) -> JsonObject:
        """What Secrets Manager sends for a step."""
        event = {"Step": step, "SecretId": self.secret_arn, "ClientRequestToken": self.token}
        return event if self.rotation_token is None else {**event, "RotationToken": self.rotation_token}


class World:
    """Makes secrets and roles, deploys functions, and knows what is true of them."""

    def __init__(self, aws: AwsStage, server: PostgresServer, xray: XRayDaemon, *, prefix: str = "") -> None:
        """Worlds that share a server tell their roles apart by the `prefix` of their names."""
        self.aws = aws
        self.server = server
        self.xray = xray
        self._prefix = prefix
        self._port = server.port
        self._numbers = count(1)
        # A client takes a while to make, so each is made once.
        self.secrets_manager = aws.client("secretsmanager")
        self._dynamodb = aws.client("dynamodb")
        self._dynamodb.create_table(**_TABLE_SHAPE)

    @contextmanager
    def deployed(
        self,
        handler: str = "rotation.app.lambda_handler",
        *,
        timeout_seconds: float = 30.0,
        libraries: tuple[Path, ...] = (),
        environment: Mapping[str, str] | None = None,
        start: Start = start_process,
    ) -> Iterator["Deployed"]:
        """The function with its own settings, ready to be invoked."""
        variables = {**self.aws.environment, **self.xray.environment, "IDEMPOTENCY_TABLE": TABLE, **(environment or {})}
        with LambdaFunction(
            handler,
            task_root=HANDLER_FOLDER,
            libraries=(*installed_libraries(), *libraries),
            environment=variables,
            timeout_seconds=timeout_seconds,
            memory_mb=512,
            start=start,
        ) as function:
            yield Deployed(self, function)

    def by_way_of(self, port: int) -> "World":
        """The same world, in which new secrets lead to another port of the same machine."""
        other = copy(self)
        other._port = port
        return other

    # Secrets

    def new_secret(self, *, superuser: bool = False, tag: str | None = None, name: str | None = None, **changes: Any) -> str:
        """The ARN of a secret that opens the server, for a role of its own; with a superuser's secret on demand."""
        keys = self.login_keys(**changes)
        if "username" not in changes:
            keys |= self.new_role()
        if superuser:
            keys["masterarn"] = self.new_superuser_secret()
        return self.store(keys, tag=tag, name=name)

    def new_superuser_secret(self) -> str:
        """The ARN of a superuser's secret."""
        return self.store(self.login_keys() | self.new_role(options="SUPERUSER"))

    def login_keys(self, **changes: Any) -> JsonObject:
        """The keys of a secret for this server without its user."""
        server = {"engine": "postgres", "host": self.server.host, "port": self._port}
        keys = {**server, "dbname": "postgres", "ssl": False, **changes}
        return {key: value for key, value in keys.items() if value is not None}

    def store(self, value: JsonObject | str, *, tag: str | None = None, name: str | None = None) -> str:
        """Create a secret with a value in which no new version is under way."""
        tags: list[Any] = [] if tag is None else [{"Key": "rotation-strategy", "Value": tag}]
        text = value if isinstance(value, str) else json.dumps(value)
        created = self.secrets_manager.create_secret(Name=name or f"app/{next(self._numbers)}", SecretString=text, Tags=tags)
        arn: str = created["ARN"]
        return arn

    def begin(self, secret_arn: str, *, test: bool = False, rotation_token: str | None = None) -> Run:
        """What `RotateSecret` does before it invokes the function."""
        token = str(uuid.uuid4())
        with self.aws.secrets_manager() as service:
            function_arn = f"arn:aws:lambda:{self.aws.region}:{self.aws.account_id}:function:rotation"
            service.rotate_secret(secret_arn, token, function_arn, None, rotate_immediately=not test)
        return Run(secret_arn, token, rotation_token)

    def value(self, secret_arn: str, label: str = CURRENT) -> JsonObject:
        """The keys of a version, which must have a value."""
        with self.aws.secrets_manager() as service:
            for version in service.secret(secret_arn).versions.values():
                if label in version["version_stages"] and "secret_string" in version:
                    keys: JsonObject = json.loads(version["secret_string"])
                    return keys
        raise AssertionError(f"no version with {label} has a value")

    def values(self, secret_arn: str) -> list[JsonObject]:
        """The keys of all versions that have a value."""
        with self.aws.secrets_manager() as service:
            versions = service.secret(secret_arn).versions.values()
            return [json.loads(version["secret_string"]) for version in versions if "secret_string" in version]

    def every_value(self) -> list[tuple[str, str]]:
        """ARN and text of every version of every secret."""
        with self.aws.secrets_manager() as service:
            return [
                (secret.arn, version["secret_string"])
                for secret in service.secrets.values()
                for version in secret.versions.values()
                if "secret_string" in version
            ]

    def labels(self, secret_arn: str) -> dict[str, str]:
        """Version id by staging label."""
        with self.aws.secrets_manager() as service:
            versions = service.secret(secret_arn).versions.values()
            return {label: version["version_id"] for version in versions for label in version["version_stages"]}

    # The database

    def execute(self, statement: str, *names: str, dbname: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the server's owner; `{}` stands for a name."""
        with self.server.admin_connection(dbname) as connection:
            cursor = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return cursor.fetchall() if cursor.description else []

    def new_role(self, name: str | None = None, *, password: str | None = None, options: str = "") -> dict[str, str]:
        """A role that may log in, as the keys of a secret."""
        name = name or f"{self._prefix}user{next(self._numbers)}"
        password = password or f"initial-{uuid.uuid4()}"
        with self.server.admin_connection() as connection:
            statement = sql.SQL("CREATE ROLE {} LOGIN " + options + " PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
        return {"username": name, "password": password}

    def set_password(self, name: str, password: str) -> None:
        """What an operator does by hand, or a restored backup."""
        with self.server.admin_connection() as connection:
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))

    def verifiers(self, *names: str) -> list[tuple[str, str]]:
        """Roles by name, with what the server keeps of their passwords."""
        with self.server.admin_connection() as connection:
            found = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY (%s) AND rolpassword IS NOT NULL"
            return [(name, verifier) for name, verifier in connection.execute(found, [list(names)])]

    def opens(self, keys: JsonObject) -> bool:
        """Whether the server lets a client in with these keys."""
        try:
            with psycopg.connect(
                host=self.server.host,
                port=self.server.port,
                user=keys["username"],
                password=keys["password"],
                dbname="postgres",
                sslmode="disable",
                require_auth="scram-sha-256",
            ):
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise

    # The idempotency table

    def memories(self) -> list[JsonObject]:
        """The items of the table."""
        return list(self._dynamodb.scan(TableName=TABLE)["Items"])

    def forget(self) -> None:
        """Empty the table."""
        self._dynamodb.delete_table(TableName=TABLE)
        self._dynamodb.create_table(**_TABLE_SHAPE)

    def let_locks_expire(self) -> None:
        """As if the time of every invocation that holds a lock were over."""
        for item in self.memories():
            if "in_progress_expiration" in item:
                self._dynamodb.put_item(TableName=TABLE, Item={**item, "in_progress_expiration": {"N": "1"}})


class Deployed:
    """The function as its caller and its operator see it."""

    def __init__(self, world: World, function: LambdaFunction) -> None:
        self._world = world
        self.function = function

    def invoke(self, event: Any) -> Seen:
        """Invoke it with any event."""
        return Seen(self.function.invoke(event), self._world.xray)

    def step(self, step: str, run: Run) -> Seen:
        """Invoke it for one step."""
        return self.invoke(run.event(step))

    def steps(self, run: Run, *steps: str) -> dict[str, Seen]:
        """Run steps (all four by default) that have to succeed."""
        seen = {}
        for step in steps or STEPS:
            seen[step] = self.step(step, run)
            assert seen[step].succeeded, f"{step}: {seen[step].error}"
        return seen

    def rotate(self, secret_arn: str) -> dict[str, Seen]:
        """Rotate a secret from beginning to end."""
        return self.steps(self._world.begin(secret_arn))
