"""moto's Secrets Manager with the strictness of the real one, where rotation depends on it.

moto differs from what AWS documents in the points below; everything else is moto's own. [API] is the Secrets Manager API
reference, [guide] the user guide, [seen] an answer of the service that users have reported.

- `PutSecretValue`: a value never changes. The same token with another value is a `ResourceExistsException`; with the same
  value the request succeeds and does nothing [API]. Only the empty version of a rotation under way takes a value. moto
  overwrites. A new AWSCURRENT put by hand takes AWSPENDING away from a rotation under way, which is thereby abandoned
  [guide]; moto leaves it stuck.
- `UpdateSecretVersionStage`: all or nothing, and a label that is attached to another version moves only if
  `RemoveFromVersionId` names that version [API]. moto has removed the label by the time it refuses.
- `RotateSecret`: makes an empty version labelled AWSPENDING [guide], or, with `RotateImmediately=false`, one with the
  existing value, which is removed after the test [API]. An AWSPENDING that is stuck on another version than AWSCURRENT
  refuses the call [API, text seen]. Rules and next date are kept. moto runs a Lambda of its own, and refuses in the one
  case in which AWS accepts.
- `GetSecretValue`: names the staging label or version that has no value [seen]; moto says that the secret is missing.
- `RotationToken` of `PutSecretValue` is noted, so that a rotation that loses it can be refused [guide].
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, override

from moto.secretsmanager.exceptions import (
    InvalidRequestException,
    OperationNotPermittedOnReplica,
    ResourceExistsException,
    ResourceNotFoundException,
    SecretNotFoundException,
    SecretStageVersionMismatchException,
)
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend

from local.rotation_rules import RotationRules
from local.staging_labels import (
    CURRENT,
    PENDING,
    VALUE_FIELDS,
    attach,
    check_move,
    empty_version,
    value_of,
    version_under_way,
    version_with,
)


@dataclass
class RotationRecord:
    """What moto's secret has no room for: its rules, and which RotationToken came with which version's value."""

    rules: RotationRules | None = None
    rotation_tokens: dict[str, str | None] = field(default_factory=dict)


class StrictSecretsManagerBackend(SecretsManagerBackend):
    """moto's backend with the calls of a rotation replaced; see the module's docstring for what differs and why.

    `on_abandonment` is called with the secret's ARN when a value that is put by hand ends a rotation under way.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.on_abandonment: Callable[[str], None] = lambda _arn: None
        self._rotations: dict[str, RotationRecord] = {}

    def secret(self, secret_id: str) -> FakeSecret:
        """Return moto's secret by name or ARN; a deleted or replicated one takes no part in a rotation."""
        if secret_id not in self.secrets:
            raise SecretNotFoundException
        secret = self.secrets[secret_id]
        if not isinstance(secret, FakeSecret):
            raise OperationNotPermittedOnReplica
        if secret.is_deleted():
            raise InvalidRequestException(
                "You can't perform this operation on the secret because it was marked for deletion."
            )
        return secret

    def rotation(self, secret: FakeSecret) -> RotationRecord:
        return self._rotations.setdefault(secret.arn, RotationRecord())

    def age(self, secret_id: str, by: timedelta) -> None:
        """Move all dates of a secret, its versions' included, into the past."""
        secret, seconds = self.secret(secret_id), int(by.total_seconds())
        for name in ("created_date", "last_changed_date", "last_rotation_date", "next_rotation_date"):
            if (moment := getattr(secret, name)) is not None:
                setattr(secret, name, moment - seconds)
        for version in secret.versions.values():
            version["createdate"] -= seconds

    @override
    def get_secret_value(self, secret_id: str, version_id: str, version_stage: str) -> dict[str, Any]:
        secret = self.secret(secret_id)
        if version_id:
            version, what = secret.versions.get(version_id), f"VersionId: {version_id}"
            if version and version_stage and version_stage not in version["version_stages"]:
                raise SecretStageVersionMismatchException
        else:
            label = version_stage or CURRENT
            version, what = version_with(secret.versions, label), f"staging label: {label}"
        if version is None or not value_of(version):
            raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret value for {what}")
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version["version_id"],
            "VersionStages": version["version_stages"],
            "CreatedDate": version["createdate"],
            **{name: version[key] for name, key in VALUE_FIELDS.items() if key in version},
        }

    @override
    def put_secret_value(
        self,
        secret_id: str,
        secret_string: str,
        secret_binary: str,
        client_request_token: str,
        version_stages: list[str],
        rotation_token: str | None = None,
    ) -> str:
        secret = self.secret(secret_id)
        version_id = self._from_client_request_token(client_request_token)
        given = {"secret_string": secret_string, "secret_binary": secret_binary}
        value = {key: content for key, content in given.items() if content}
        version = secret.versions.get(version_id)
        if version is None or not value_of(version):
            self._store(secret, version_id, value, version_stages)
            self.rotation(secret).rotation_tokens[version_id] = rotation_token
        elif value != value_of(version):
            raise ResourceExistsException(
                f"You can't use ClientRequestToken {version_id} because that value is already in use for a version of "
                f"secret {secret.arn}."
            )
        return secret.to_short_dict(include_version_stages=True, version_id=version_id)

    @override
    def update_secret_version_stage(
        self, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        secret = self.secret(secret_id)
        for version_id in (remove_from_version_id, move_to_version_id):
            if version_id and version_id not in secret.versions:
                raise ResourceNotFoundException("Secrets Manager can't find the specified secret version.")
        check_move(secret.versions, version_stage, remove_from=remove_from_version_id, move_to=move_to_version_id)
        if move_to_version_id:
            self._attach(secret, version_stage, move_to_version_id)
        else:
            secret.versions[remove_from_version_id]["version_stages"].remove(version_stage)
        secret.last_changed_date = int(time.time())
        return secret.arn, secret.name

    @override
    def rotate_secret(
        self,
        secret_id: str,
        client_request_token: str | None = None,
        rotation_lambda_arn: str | None = None,
        rotation_rules: dict[str, Any] | None = None,
        rotate_immediately: bool = True,
    ) -> str:
        secret = self.secret(secret_id)
        version_id = self._from_client_request_token(client_request_token)
        rules = RotationRules.parse(rotation_rules) if rotation_rules else self.rotation(secret).rules
        self._check_rotatable(secret, rotation_lambda_arn, version_id)
        secret.rotation_lambda_arn = rotation_lambda_arn or secret.rotation_lambda_arn
        secret.rotation_requested = secret.rotation_enabled = True
        self.rotation(secret).rules = rules
        self._reschedule(secret)
        if version_id not in secret.versions:
            secret.versions[version_id] = empty_version(version_id)
            if not rotate_immediately:
                secret.versions[version_id].update(value_of(version_with(secret.versions, CURRENT) or {}))
            self._attach(secret, PENDING, version_id)
        return json.dumps({"ARN": secret.arn, "Name": secret.name, "VersionId": version_id})

    def rotation_token_of(self, secret_id: str, version_id: str) -> str | None:
        """Return the RotationToken that came with the version's value."""
        return self.rotation(self.secret(secret_id)).rotation_tokens.get(version_id)

    def version_under_way(self, secret_id: str) -> str | None:
        """Return the id of the version whose rotation has not come to its end."""
        version = version_under_way(self.secret(secret_id).versions)
        return version["version_id"] if version else None

    def has_value(self, secret_id: str, version_id: str) -> bool:
        return bool(value_of(self.secret(secret_id).versions[version_id]))

    def end_test(self, secret_id: str, version_id: str) -> None:
        """Remove the version that a test was run on, unless the function made something of it."""
        versions = self.secret(secret_id).versions
        if versions[version_id]["version_stages"] == [PENDING]:
            del versions[version_id]

    def _store(self, secret: FakeSecret, version_id: str, value: dict[str, str], labels: list[str]) -> None:
        """Give a new or empty version its value and labels."""
        is_by_hand = version_id not in secret.versions and CURRENT in labels
        secret.versions.setdefault(version_id, empty_version(version_id)).update(value)
        is_first = version_with(secret.versions, CURRENT) is None
        for label in {*labels, CURRENT} if is_first else labels:
            self._attach(secret, label, version_id)
        secret.last_changed_date = int(time.time())
        under_way = version_under_way(secret.versions)
        if is_by_hand and under_way:
            under_way["version_stages"].remove(PENDING)
            self.on_abandonment(secret.arn)

    def _check_rotatable(self, secret: FakeSecret, rotation_lambda_arn: str | None, version_id: str) -> None:
        if not rotation_lambda_arn and not secret.rotation_lambda_arn:
            raise InvalidRequestException("No Lambda rotation function ARN is associated with this secret.")
        under_way = version_under_way(secret.versions)
        if under_way and under_way["version_id"] != version_id:
            raise InvalidRequestException("A previous rotation isn't complete. That rotation will be reattempted.")

    def _attach(self, secret: FakeSecret, label: str, version_id: str) -> None:
        before = version_with(secret.versions, CURRENT)
        attach(secret.versions, label, version_id)
        current = version_with(secret.versions, CURRENT)
        if current is not None and current is not before:
            secret.set_default_version_id(current["version_id"])
            self._reschedule(secret)

    def _reschedule(self, secret: FakeSecret) -> None:
        rules = self.rotation(secret).rules
        if rules is not None and secret.rotation_enabled:
            secret.next_rotation_date = int(time.time()) + rules.period_seconds
