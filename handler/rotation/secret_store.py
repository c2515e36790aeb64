"""The only client of Secrets Manager."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from rotation.aws import AwsCalls
from rotation.errors import (
    AccessDeniedError,
    SecretMalformedError,
    SecretNotFoundError,
    VersionExistsError,
    VersionNotPendingError,
)
from rotation.models import (
    CURRENT,
    PENDING,
    RotationEvent,
    SecretDescription,
    SecretDocument,
    SecretVersion,
)

_MOST_UNLABELLED = 5
"""A target may count refused logins against the user."""


class SecretsManagerStore:
    """One secret, at the version that the event rotates in."""

    def __init__(self, calls: AwsCalls, event: RotationEvent) -> None:
        self._calls = calls
        self._event = event

    def describe(self) -> SecretDescription:
        """Labels, tags and rotation state as they are now."""
        return self.describe_other(self._event.secret_id)

    def describe_other(self, secret_id: str) -> SecretDescription:
        """The same for any secret, such as the superuser's."""
        answer = self._calls("describe_secret", SecretId=secret_id)
        return SecretDescription(
            arn=answer["ARN"],
            # The field may be absent, which does not mean false.
            rotation_enabled=answer.get("RotationEnabled") is not False,
            stages={version: tuple(stages) for version, stages in answer.get("VersionIdsToStages", {}).items()},
            tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())},
        )

    def version(self, stage: str) -> SecretVersion | None:
        """The version with the staging label; None if there is none or it has no value."""
        if stage == PENDING:
            # By its id alone: AWS answers a label that has moved meanwhile as it does a secret that is being deleted.
            return self._value(self._event.secret_id, stage, {"VersionId": self._event.client_request_token})
        return self._value(self._event.secret_id, stage, {"VersionStage": stage})

    def unlabelled(self) -> Iterator[SecretVersion]:
        """A few versions that have lost all labels and are still kept, newest first; none if they may not be listed.

        Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
        """
        name = self._event.secret_id
        try:
            answer = self._calls(
                "list_secret_version_ids", expected=AccessDeniedError, SecretId=name, IncludeDeprecated=True, MaxResults=100
            )
        except AccessDeniedError:
            return
        bare = [each for each in answer["Versions"] if not each.get("VersionStages")]
        for each in sorted(bare, key=lambda each: each["CreatedDate"], reverse=True)[:_MOST_UNLABELLED]:
            version = None
            with suppress(SecretMalformedError):
                version = self._value(name, "unlabelled", {"VersionId": each["VersionId"]})
            if version is not None:
                yield version

    def current_of_other(self, secret_id: str) -> SecretVersion | None:
        """The AWSCURRENT version of any secret, such as the superuser's."""
        return self._value(secret_id, "superuser's", {"VersionStage": CURRENT})

    def _value(self, secret_id: str, whose: str, selector: dict[str, str]) -> SecretVersion | None:
        try:
            answer = self._calls("get_secret_value", expected=SecretNotFoundError, SecretId=secret_id, **selector)
        except SecretNotFoundError:
            return None
        if whose == PENDING and PENDING not in answer["VersionStages"]:
            raise VersionNotPendingError("AWSPENDING was taken from the version while it was worked on")
        if "SecretString" not in answer:
            raise SecretMalformedError(f"the {whose} value is binary, not text")
        created: datetime = answer["CreatedDate"]
        return SecretVersion(
            version_id=answer["VersionId"],
            created_at_ms=int(created.timestamp() * 1000),
            document=SecretDocument.parse(answer["SecretString"], whose),
        )

    def put_pending(self, document: SecretDocument) -> bool:
        """Give the pending version its value; False if it has a different one already, which is then kept."""
        parameters: dict[str, Any] = {
            "SecretId": self._event.secret_id,
            "ClientRequestToken": self._event.client_request_token,
            "SecretString": document.to_json(),
            "VersionStages": [PENDING],
        }
        if self._event.rotation_token is not None:
            parameters["RotationToken"] = self._event.rotation_token.get_secret_value()
        try:
            self._calls("put_secret_value", expected=VersionExistsError, **parameters)
        except VersionExistsError:
            return False
        return True

    def move_current(self, from_version: str | None) -> None:
        """Make the pending version AWSCURRENT; AWSPENDING stays, the service removes it."""
        origin: dict[str, Any] = {} if from_version is None else {"RemoveFromVersionId": from_version}
        self._calls(
            "update_secret_version_stage",
            SecretId=self._event.secret_id,
            VersionStage=CURRENT,
            MoveToVersionId=self._event.client_request_token,
            **origin,
        )
