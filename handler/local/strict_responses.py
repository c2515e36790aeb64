"""The HTTP side of the strict Secrets Manager: what it reads from requests and leaves out of answers.

`DescribeSecret`, `ListSecrets` and `ListSecretVersionIds` omit null fields and versions without labels, show rotation rules
as they were given and dates as they are, all as in AWS's API reference; moto returns nulls and today's date.
"""

import json
from typing import Any, override

from moto.core.base_backend import BackendDict
from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import FakeSecret
from moto.secretsmanager.responses import SecretsManagerResponse

from local.strict_secrets_manager import StrictSecretsManagerBackend

strict_backends = BackendDict(StrictSecretsManagerBackend, "secretsmanager")


class StrictSecretsManagerResponse(SecretsManagerResponse):
    """moto's request handler on the strict backend."""

    @property
    def backend(self) -> StrictSecretsManagerBackend:
        return strict_backends[self.current_account][self.region]

    @override
    def put_secret_value(self) -> str:
        secret_string, secret_binary = self._get_param("SecretString"), self._get_param("SecretBinary")
        if not secret_string and not secret_binary:
            raise InvalidRequestException("You must provide either SecretString or SecretBinary.")
        return self.backend.put_secret_value(
            secret_id=self._get_param("SecretId"),
            secret_string=secret_string,
            secret_binary=secret_binary,
            client_request_token=self._get_param("ClientRequestToken"),
            version_stages=self._get_param("VersionStages", if_none=["AWSCURRENT"]),
            rotation_token=self._get_param("RotationToken"),
        )

    @override
    def describe_secret(self) -> str:
        secret = self.backend.describe_secret(self._get_param("SecretId"))
        return json.dumps(self._shown(secret.to_dict(), secret))

    @override
    def list_secrets(self) -> str:
        answer = json.loads(super().list_secrets())
        shown = [self._shown(entry, self.backend.secrets[entry["ARN"]]) for entry in answer["SecretList"]]
        return json.dumps(_without_nulls({"SecretList": shown, "NextToken": answer["NextToken"]}))

    @override
    def list_secret_version_ids(self) -> str:
        secret = self.backend.secret(self._get_param("SecretId"))
        include_deprecated = self._get_bool_param("IncludeDeprecated", if_none=False)
        versions = [
            {"VersionId": key, "VersionStages": version["version_stages"], "CreatedDate": version["createdate"]}
            for key, version in secret.versions.items()
            if version["version_stages"] or include_deprecated
        ]
        return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": versions})

    def _shown(self, entry: dict[str, Any], secret: Any) -> dict[str, Any]:
        for key in ("VersionIdsToStages", "SecretVersionsToStages"):
            entry[key] = {version: labels for version, labels in entry.get(key, {}).items() if labels} or None
        if isinstance(secret, FakeSecret) and secret.rotation_requested:
            rules = self.backend.rotation(secret).rules
            entry["RotationRules"] = rules.as_given if rules else None
            entry["NextRotationDate"] = secret.next_rotation_date if secret.rotation_enabled else None
        return _without_nulls(entry)


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
