"""The only client of Secrets Manager, against a strict one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from local.aws import AwsStage
from rotation.aws import AwsClients
from rotation.errors import AwsRejectedError, SecretMalformedError, SecretNotFoundError, VersionNotPendingError
from rotation.models import CURRENT, PENDING, PREVIOUS, RotationEvent
from rotation.secret_store import SecretsManagerStore
from rotation.step_record import StepRecord

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEYS = {"engine": "postgres", "host": "db", "username": "app", "password": "old", "extra": {"kept": [1]}}
TOKEN = "4f1e1a4a-5c1b-4c5a-9d39-0123456789ab"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:rotation"

StoreOf = Callable[..., SecretsManagerStore]


@pytest.fixture
def store_of(clients: AwsClients, make_record: Callable[[], StepRecord]) -> StoreOf:
    def make(secret_id: str, *, rotation_token: str | None = None) -> SecretsManagerStore:
        event = {
            "Step": "createSecret",
            "SecretId": secret_id,
            "ClientRequestToken": TOKEN,
            "RotationToken": rotation_token,
        }
        calls = clients.calls("secretsmanager", make_record())
        return SecretsManagerStore(calls, RotationEvent.model_validate(event))

    return make


@pytest.fixture
def secret(secrets_manager: "SecretsManagerClient") -> str:
    """The ARN of a secret under rotation, with a tag."""
    arn = secrets_manager.create_secret(
        Name=f"app/{len(secrets_manager.list_secrets()['SecretList'])}",
        SecretString=json.dumps(KEYS),
        Tags=[{"Key": "rotation-strategy", "Value": "single-user"}],
    )["ARN"]
    secrets_manager.rotate_secret(SecretId=arn, ClientRequestToken=TOKEN, RotationLambdaARN=FUNCTION)
    return arn


def test_labels_tags_and_state_are_read(store_of: StoreOf, secret: str) -> None:
    found = store_of(secret).describe()
    assert found.arn == secret
    assert found.rotation_enabled
    assert found.stages[TOKEN] == (PENDING,)
    assert found.tags == {"rotation-strategy": "single-user"}


def test_a_secret_is_found_by_its_name_as_well(store_of: StoreOf, secret: str) -> None:
    assert store_of(secret.rpartition(":")[2].rpartition("-")[0]).describe().arn == secret


def test_an_absent_rotation_flag_is_not_false_but_false_is(
    secrets_manager: "SecretsManagerClient", store_of: StoreOf, secret: str
) -> None:
    never = secrets_manager.create_secret(Name=f"{TOKEN}/never", SecretString="{}")["ARN"]
    assert "RotationEnabled" not in secrets_manager.describe_secret(SecretId=never)
    assert store_of(never).describe().rotation_enabled
    secrets_manager.cancel_rotate_secret(SecretId=secret)
    assert not store_of(secret).describe().rotation_enabled
    secrets_manager.delete_secret(SecretId=never, ForceDeleteWithoutRecovery=True)


def test_a_missing_secret_is_named_as_such(store_of: StoreOf) -> None:
    with pytest.raises(SecretNotFoundError):
        store_of("nowhere").describe()


def test_a_version_is_read_with_its_date(store_of: StoreOf, secret: str) -> None:
    version = store_of(secret).version(CURRENT)
    assert version is not None
    assert json.loads(version.document.to_json()) == KEYS
    assert abs(version.created_at_ms - datetime.now(UTC).timestamp() * 1000) < 60_000


@pytest.mark.parametrize("label", [PENDING, PREVIOUS])
def test_a_version_that_is_absent_or_empty_is_none(store_of: StoreOf, secret: str, label: str) -> None:
    assert store_of(secret).version(label) is None


def test_a_binary_value_is_malformed(secrets_manager: "SecretsManagerClient", store_of: StoreOf) -> None:
    arn = secrets_manager.create_secret(Name=f"{TOKEN}/binary", SecretBinary=b"old")["ARN"]
    with pytest.raises(SecretMalformedError, match="the AWSCURRENT value is binary"):
        store_of(arn).version(CURRENT)
    secrets_manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_a_value_is_put_once_and_then_kept(store_of: StoreOf, secret: str) -> None:
    store = store_of(secret)
    current = store.version(CURRENT)
    assert current is not None
    assert store.put_pending(current.document.changed(password="new")) is True
    assert store.put_pending(current.document.changed(password="new")) is True
    assert store.put_pending(current.document.changed(password="newer")) is False
    kept = store.version(PENDING)
    assert kept is not None
    assert kept.document.fields.password == SecretStr("new")


def test_the_rotation_token_is_handed_on(aws: AwsStage, store_of: StoreOf, secret: str) -> None:
    store = store_of(secret, rotation_token="rt-1" * 10)
    current = store.version(CURRENT)
    assert current is not None
    store.put_pending(current.document)
    with aws.secrets_manager() as service:
        assert service.rotation_token_of(secret, TOKEN) == "rt-1" * 10


def test_moving_the_label_leaves_awspending_where_it_is(store_of: StoreOf, secret: str) -> None:
    store = store_of(secret)
    current = store.version(CURRENT)
    assert current is not None
    store.put_pending(current.document)
    store.move_current(store.describe().version_of(CURRENT))
    assert set(store.describe().stages[TOKEN]) == {CURRENT, PENDING}


def test_the_label_does_not_move_from_a_version_that_lacks_it(store_of: StoreOf, secret: str) -> None:
    store = store_of(secret)
    with pytest.raises(AwsRejectedError):
        store.move_current(TOKEN)
    assert store.describe().stages[TOKEN] == (PENDING,)


def test_a_pending_version_that_loses_its_label_while_it_is_worked_on_is_told_as_such(
    store_of: StoreOf, secrets_manager: "SecretsManagerClient", secret: str
) -> None:
    secrets_manager.put_secret_value(
        SecretId=secret, ClientRequestToken=TOKEN, SecretString=json.dumps(KEYS), VersionStages=[PENDING, "kept"]
    )
    secrets_manager.update_secret_version_stage(SecretId=secret, VersionStage=PENDING, RemoveFromVersionId=TOKEN)
    with pytest.raises(VersionNotPendingError, match="taken from the version"):
        store_of(secret).version(PENDING)


def _put_and_forget(secrets_manager: "SecretsManagerClient", secret: str, token: str, value: str | bytes) -> None:
    """A version that gets a value and loses its label."""
    content: Any = {"SecretBinary": value} if isinstance(value, bytes) else {"SecretString": value}
    secrets_manager.put_secret_value(SecretId=secret, ClientRequestToken=token, VersionStages=["lost"], **content)
    secrets_manager.update_secret_version_stage(SecretId=secret, VersionStage="lost", RemoveFromVersionId=token)


def test_versions_without_label_are_found_newest_first(
    aws: AwsStage, store_of: StoreOf, secrets_manager: "SecretsManagerClient", secret: str
) -> None:
    for number in range(7):
        _put_and_forget(secrets_manager, secret, str(number) * 32, json.dumps({**KEYS, "password": str(number)}))
    with aws.secrets_manager() as service:
        for number in range(7):
            service.secret(secret).versions[str(number) * 32]["createdate"] -= 1000 - number
    found = [version.document.fields.password.get_secret_value() for version in store_of(secret).unlabelled()]
    assert found == ["6", "5", "4", "3", "2"]


def test_versions_without_label_that_hold_nothing_to_log_in_with_are_passed_over(
    store_of: StoreOf, secrets_manager: "SecretsManagerClient", secret: str
) -> None:
    _put_and_forget(secrets_manager, secret, "1" * 32, b"binary")
    _put_and_forget(secrets_manager, secret, "2" * 32, "no JSON")
    secrets_manager.update_secret_version_stage(SecretId=secret, VersionStage=PENDING, RemoveFromVersionId=TOKEN)
    assert list(store_of(secret).unlabelled()) == []


def test_versions_without_label_that_may_not_be_listed_are_none(aws: AwsStage, store_of: StoreOf, secret: str) -> None:
    aws.fail("secretsmanager", "ListSecretVersionIds", code="AccessDeniedException", message="no")
    assert list(store_of(secret).unlabelled()) == []
