"""A secret on the stage with the database user it belongs to, and what Secrets Manager and operators do to it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import sql

from local.aws import AwsStage
from local.invocation import Invocation
from local.postgres import PostgresServer
from local.secrets_manager_rotation import RotationReport, RotationService
from rotation.models import PENDING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

RULES = {"AutomaticallyAfterDays": 30}

type Document = Mapping[str, Any]


class DrillError(Exception):
    """The stage did not do what the drill needs of it; says what."""


class Surroundings(Protocol):
    """What of the stage a victim lives in."""

    aws: AwsStage
    postgres: PostgresServer
    service: RotationService

    def deliver_events(self) -> None:
        """Deliver the events that Secrets Manager has published since the last time."""


class Victim:
    """One secret; `document` is what a right value of it looks like."""

    def __init__(self, stage: Surroundings, user: str, arn: str, document: Document) -> None:
        self.user = user
        self.arn = arn
        self.document = document
        self._stage = stage

    def rotate(self, **options: Any) -> RotationReport:
        """Let Secrets Manager begin a rotation, and deliver what it has to say."""
        report = self._stage.service.rotate(self.arn, **{"rotation_rules": RULES, **options})
        self._stage.deliver_events()
        return report

    def retry(self) -> RotationReport:
        """Let Secrets Manager repeat the last rotation."""
        report = self._stage.service.retry(self.arn)
        self._stage.deliver_events()
        return report

    def succeed(self, **options: Any) -> RotationReport:
        """Rotate, and make sure that it succeeds.

        Raises:
            DrillError: it does not.
        """
        return _good(self.rotate(**options))

    def recover(self) -> RotationReport:
        """Let Secrets Manager repeat the last rotation, and make sure that it succeeds this time.

        Raises:
            DrillError: it does not.
        """
        return _good(self.retry())

    def step(self, step: str, token: str) -> Invocation:
        """Invoke the rotation function for one step."""
        return self._stage.service.function.invoke({"Step": step, "SecretId": self.arn, "ClientRequestToken": token})

    def store(self, value: Document | str, **options: Any) -> None:
        """Put a value by hand, by default as AWSCURRENT."""
        text = value if isinstance(value, str) else json.dumps(value)
        self._client.put_secret_value(SecretId=self.arn, SecretString=text, **options)
        self._stage.deliver_events()

    def unstick(self) -> None:
        """Take AWSPENDING off by hand, as one does to get out of a rotation that cannot succeed."""
        with self._stage.aws.secrets_manager() as service:
            version = service.version_under_way(self.arn)
        if version:
            self._client.update_secret_version_stage(SecretId=self.arn, VersionStage=PENDING, RemoveFromVersionId=version)

    def switch_off(self) -> None:
        """Switch rotation off. AWSPENDING stays where it is."""
        self._client.cancel_rotate_secret(SecretId=self.arn)

    def grow_older(self, by: timedelta) -> None:
        """Let time pass for this secret alone."""
        with self._stage.aws.secrets_manager() as service:
            service.age(self.arn, by)

    def forget(self) -> None:
        """Delete the secret, so that it takes no part in what follows."""
        with self._stage.aws.secrets_manager() as service:
            if self.arn in service.secrets:
                service.delete_secret(self.arn, recovery_window_in_days=None, force_delete_without_recovery=True)

    def set_password(self, password: str) -> None:
        """Give the database user another password, without the server or its log seeing it."""
        with self._stage.postgres.admin_connection() as connection:
            verifier = connection.pgconn.encrypt_password(password.encode(), self.user.encode(), b"scram-sha-256").decode()
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(self.user), sql.Literal(verifier)))

    def alter(self, change: str) -> None:
        """Change the database user, in the words that follow ALTER ROLE and its name."""
        with self._stage.postgres.admin_connection() as connection:
            connection.execute(sql.SQL("ALTER ROLE {} ").format(sql.Identifier(self.user)) + sql.SQL(change))

    @property
    def password(self) -> str:
        """The password that AWSCURRENT holds."""
        with self._stage.aws.secrets_manager() as service:
            return str(json.loads(service.get_secret_value(self.arn, "", "AWSCURRENT")["SecretString"])["password"])

    @property
    def _client(self) -> "SecretsManagerClient":
        return self._stage.aws.client("secretsmanager")


def _good(report: RotationReport) -> RotationReport:
    if not report.succeeded:
        raise DrillError(f"a rotation that should succeed does not: {report.failure}")
    return report
