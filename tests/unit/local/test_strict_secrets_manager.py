"""Each point in which the strict Secrets Manager differs from moto, by the API alone."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from local.aws import AwsStage

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CURRENT = "c" * 32
PENDING = "p" * 32
OTHER = "o" * 32
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:rotation"


@pytest.fixture
def client(stage: AwsStage) -> "Iterator[SecretsManagerClient]":
    client = stage.client("secretsmanager")
    client.create_secret(Name="s", SecretString="first", ClientRequestToken=CURRENT)
    yield client
    client.close()


def labels(client: "SecretsManagerClient") -> dict[str, list[str]]:
    return client.describe_secret(SecretId="s")["VersionIdsToStages"]


def put_pending(client: "SecretsManagerClient", value: str = "second", version: str = PENDING) -> None:
    client.put_secret_value(SecretId="s", ClientRequestToken=version, SecretString=value, VersionStages=["AWSPENDING"])


def rotate(client: "SecretsManagerClient", version: str = PENDING, *, immediately: bool = True) -> None:
    client.rotate_secret(SecretId="s", ClientRequestToken=version, RotationLambdaARN=FUNCTION, RotateImmediately=immediately)


def test_a_version_never_changes_its_value(client: "SecretsManagerClient") -> None:
    put_pending(client)
    with pytest.raises(client.exceptions.ResourceExistsException, match=PENDING):
        put_pending(client, "another")
    value = client.get_secret_value(SecretId="s", VersionId=PENDING)
    assert value["SecretString"] == "second"


def test_putting_the_same_value_again_succeeds(client: "SecretsManagerClient") -> None:
    put_pending(client)
    before = labels(client)
    put_pending(client)
    assert labels(client) == before == {CURRENT: ["AWSCURRENT"], PENDING: ["AWSPENDING"]}


def test_putting_the_same_value_again_does_not_even_move_labels(client: "SecretsManagerClient") -> None:
    put_pending(client)
    client.put_secret_value(SecretId="s", ClientRequestToken=PENDING, SecretString="second", VersionStages=["AWSCURRENT"])
    assert labels(client) == {CURRENT: ["AWSCURRENT"], PENDING: ["AWSPENDING"]}


def test_a_value_put_by_hand_takes_pending_from_a_rotation_under_way(client: "SecretsManagerClient") -> None:
    rotate(client)
    client.put_secret_value(SecretId="s", ClientRequestToken=OTHER, SecretString="by hand")
    assert labels(client) == {CURRENT: ["AWSPREVIOUS"], OTHER: ["AWSCURRENT"]}
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId="s", VersionStage="AWSPENDING")


def test_putting_a_new_current_value_moves_previous(client: "SecretsManagerClient") -> None:
    client.put_secret_value(SecretId="s", ClientRequestToken=OTHER, SecretString="second")
    assert labels(client) == {CURRENT: ["AWSPREVIOUS"], OTHER: ["AWSCURRENT"]}
    assert client.get_secret_value(SecretId="s")["SecretString"] == "second"


def test_the_first_value_of_a_secret_is_current_whatever_is_asked_for(client: "SecretsManagerClient") -> None:
    client.create_secret(Name="empty")
    answer = client.put_secret_value(SecretId="empty", SecretString="v", VersionStages=["AWSPENDING"])
    assert set(answer["VersionStages"]) == {"AWSPENDING", "AWSCURRENT"}


def test_a_value_is_needed(client: "SecretsManagerClient") -> None:
    with pytest.raises(client.exceptions.InvalidRequestException, match="SecretString or SecretBinary"):
        client.put_secret_value(SecretId="s")


def test_finishing_a_rotation_moves_current_and_previous(client: "SecretsManagerClient") -> None:
    put_pending(client)
    client.update_secret_version_stage(
        SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=PENDING, RemoveFromVersionId=CURRENT
    )
    assert labels(client) == {CURRENT: ["AWSPREVIOUS"], PENDING: ["AWSPENDING", "AWSCURRENT"]}


def test_current_can_go_back_to_the_previous_version(client: "SecretsManagerClient") -> None:
    put_pending(client)
    for target, source in ((PENDING, CURRENT), (CURRENT, PENDING)):
        client.update_secret_version_stage(
            SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=target, RemoveFromVersionId=source
        )
    assert labels(client) == {CURRENT: ["AWSCURRENT"], PENDING: ["AWSPENDING", "AWSPREVIOUS"]}


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        ({"MoveToVersionId": PENDING}, "InvalidParameterException", "RemoveFromVersionId can't be empty"),
        (
            {"MoveToVersionId": PENDING, "RemoveFromVersionId": PENDING},
            "InvalidParameterException",
            "not attached to version",
        ),
        ({"MoveToVersionId": OTHER, "RemoveFromVersionId": CURRENT}, "ResourceNotFoundException", "secret version"),
        ({"RemoveFromVersionId": CURRENT}, "InvalidParameterException", "can't be completely removed"),
    ],
    ids=["no source", "wrong source", "no such version", "removed altogether"],
)
def test_a_refused_move_changes_nothing(
    client: "SecretsManagerClient", request_: dict[str, str], error: str, words: str
) -> None:
    put_pending(client)
    before = labels(client)
    with pytest.raises(ClientError, match=words) as caught:
        client.update_secret_version_stage(SecretId="s", VersionStage="AWSCURRENT", **request_)
    assert caught.value.response["Error"]["Code"] == error
    assert labels(client) == before


def test_moving_a_label_to_where_it_is_succeeds(client: "SecretsManagerClient") -> None:
    client.update_secret_version_stage(SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=CURRENT)
    assert labels(client) == {CURRENT: ["AWSCURRENT"]}


def test_a_stuck_pending_label_can_be_removed_by_hand(client: "SecretsManagerClient") -> None:
    rotate(client)
    client.update_secret_version_stage(SecretId="s", VersionStage="AWSPENDING", RemoveFromVersionId=PENDING)
    assert labels(client) == {CURRENT: ["AWSCURRENT"]}
    rotate(client, OTHER)


def test_rotation_makes_an_empty_pending_version(client: "SecretsManagerClient") -> None:
    rotate(client)
    assert labels(client) == {CURRENT: ["AWSCURRENT"], PENDING: ["AWSPENDING"]}
    with pytest.raises(
        client.exceptions.ResourceNotFoundException,
        match="Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
    ):
        client.get_secret_value(SecretId="s", VersionStage="AWSPENDING")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=f"for VersionId: {PENDING}"):
        client.get_secret_value(SecretId="s", VersionId=PENDING, VersionStage="AWSPENDING")


def test_the_empty_version_takes_one_value(client: "SecretsManagerClient") -> None:
    rotate(client)
    put_pending(client)
    with pytest.raises(client.exceptions.ResourceExistsException):
        put_pending(client, "another")
    assert labels(client)[PENDING] == ["AWSPENDING"]


def test_a_test_only_rotation_has_the_existing_value(client: "SecretsManagerClient") -> None:
    rotate(client, immediately=False)
    assert client.get_secret_value(SecretId="s", VersionStage="AWSPENDING")["SecretString"] == "first"


@pytest.mark.parametrize("has_value", [False, True])
def test_a_stuck_rotation_refuses_the_next_one(client: "SecretsManagerClient", *, has_value: bool) -> None:
    rotate(client)
    if has_value:
        put_pending(client)
    with pytest.raises(client.exceptions.InvalidRequestException, match="A previous rotation isn't complete"):
        rotate(client, OTHER)
    assert OTHER not in labels(client)


def test_the_same_rotation_may_be_asked_for_again(client: "SecretsManagerClient") -> None:
    rotate(client)
    put_pending(client)
    rotate(client)
    assert client.get_secret_value(SecretId="s", VersionId=PENDING)["SecretString"] == "second"


def test_pending_on_the_current_version_does_not_hinder(client: "SecretsManagerClient") -> None:
    rotate(client)
    put_pending(client)
    client.update_secret_version_stage(
        SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=PENDING, RemoveFromVersionId=CURRENT
    )
    rotate(client, OTHER)
    assert labels(client) == {CURRENT: ["AWSPREVIOUS"], PENDING: ["AWSCURRENT"], OTHER: ["AWSPENDING"]}


def test_rotation_needs_a_function(client: "SecretsManagerClient") -> None:
    with pytest.raises(client.exceptions.InvalidRequestException, match="No Lambda rotation function ARN"):
        client.rotate_secret(SecretId="s")


def test_cancelling_leaves_pending_behind(client: "SecretsManagerClient") -> None:
    rotate(client)
    client.cancel_rotate_secret(SecretId="s")
    secret = client.describe_secret(SecretId="s")
    assert secret["RotationEnabled"] is False
    assert secret["VersionIdsToStages"][PENDING] == ["AWSPENDING"]
    assert "NextRotationDate" not in secret


def test_a_secret_without_rotation_says_nothing_about_it(client: "SecretsManagerClient") -> None:
    secret = client.describe_secret(SecretId="s")
    absent = {"RotationEnabled", "RotationLambdaARN", "RotationRules", "NextRotationDate", "LastRotatedDate"}
    absent |= {"DeletedDate", "LastAccessedDate", "KmsKeyId", "Tags"}
    assert not absent & set(secret)
    assert None not in secret.values()


@pytest.mark.parametrize(
    ("rules", "period"),
    [
        ({"AutomaticallyAfterDays": 30}, timedelta(days=30)),
        ({"ScheduleExpression": "rate(10 days)"}, timedelta(days=10)),
        ({"ScheduleExpression": "rate(4 hours)", "Duration": "1h"}, timedelta(hours=4)),
    ],
)
def test_rules_are_kept_and_give_the_next_date(
    client: "SecretsManagerClient", rules: dict[str, object], period: timedelta
) -> None:
    client.tag_resource(SecretId="s", Tags=[{"Key": "k", "Value": "v"}])
    client.rotate_secret(SecretId="s", RotationLambdaARN=FUNCTION, RotationRules=rules)  # type: ignore[arg-type]
    secret = client.describe_secret(SecretId="s")
    assert secret["RotationRules"] == rules
    assert secret["RotationLambdaARN"] == FUNCTION
    assert secret["Tags"] == [{"Key": "k", "Value": "v"}]
    assert abs(secret["NextRotationDate"] - secret["CreatedDate"] - period) < timedelta(minutes=1)


@pytest.mark.parametrize("rules", [{"AutomaticallyAfterDays": 1001}, {"ScheduleExpression": "cron(0 8 * * ? *)"}])
def test_rules_that_are_not_understood_are_refused(client: "SecretsManagerClient", rules: dict[str, object]) -> None:
    with pytest.raises(client.exceptions.InvalidParameterException, match="RotationRules"):
        client.rotate_secret(SecretId="s", RotationLambdaARN=FUNCTION, RotationRules=rules)  # type: ignore[arg-type]
    assert "RotationEnabled" not in client.describe_secret(SecretId="s")


def test_a_new_current_value_by_hand_starts_the_schedule_anew(stage: AwsStage, client: "SecretsManagerClient") -> None:
    client.rotate_secret(SecretId="s", RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 1})
    with stage.secrets_manager() as backend:
        backend.age("s", timedelta(days=3))
    overdue = client.describe_secret(SecretId="s")["NextRotationDate"]
    client.put_secret_value(SecretId="s", SecretString="by hand")
    assert client.describe_secret(SecretId="s")["NextRotationDate"] - overdue > timedelta(days=2)


def test_time_travel_moves_all_dates(stage: AwsStage, client: "SecretsManagerClient") -> None:
    client.rotate_secret(SecretId="s", RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 1})
    dates = ("CreatedDate", "LastChangedDate", "NextRotationDate")
    before = client.describe_secret(SecretId="s")
    version_before = client.list_secret_version_ids(SecretId="s")["Versions"][0]["CreatedDate"]
    with stage.secrets_manager() as backend:
        backend.age("s", timedelta(days=3))
    after = client.describe_secret(SecretId="s")
    version_after = client.list_secret_version_ids(SecretId="s")["Versions"][0]["CreatedDate"]
    assert all(before[date] - after[date] == timedelta(days=3) for date in dates)  # type: ignore[literal-required]
    assert version_before - version_after == timedelta(days=3)


def test_versions_without_labels_are_not_shown(client: "SecretsManagerClient") -> None:
    put_pending(client)
    client.update_secret_version_stage(SecretId="s", VersionStage="AWSPENDING", RemoveFromVersionId=PENDING)
    assert labels(client) == {CURRENT: ["AWSCURRENT"]}
    listed = client.list_secret_version_ids(SecretId="s")
    assert [version["VersionId"] for version in listed["Versions"]] == [CURRENT]
    assert listed["ARN"].startswith("arn:aws:secretsmanager:")
    with_all = client.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)
    assert [version["VersionId"] for version in with_all["Versions"]] == [CURRENT, PENDING]


def test_listed_secrets_show_what_describing_them_shows(client: "SecretsManagerClient") -> None:
    rotate(client)
    (listed,) = client.list_secrets()["SecretList"]
    described = client.describe_secret(SecretId="s")
    assert listed["SecretVersionsToStages"] == described["VersionIdsToStages"]
    assert listed["RotationEnabled"] is True
    assert None not in listed.values()


def test_secrets_are_listed_page_by_page(client: "SecretsManagerClient") -> None:
    for number in range(4):
        client.create_secret(Name=f"more-{number}", SecretString="v")
    pages = list(client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["SecretList"]) for page in pages] == [2, 2, 1]


def test_a_version_and_a_label_must_belong_together(client: "SecretsManagerClient") -> None:
    put_pending(client)
    with pytest.raises(client.exceptions.InvalidRequestException, match="not associated"):
        client.get_secret_value(SecretId="s", VersionId=PENDING, VersionStage="AWSCURRENT")


def test_a_missing_label_is_named(client: "SecretsManagerClient") -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="staging label: AWSPREVIOUS"):
        client.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")


@pytest.mark.parametrize("identifier", ["name", "arn"])
def test_a_secret_is_found_by_name_and_by_arn(client: "SecretsManagerClient", identifier: str) -> None:
    arn = client.describe_secret(SecretId="s")["ARN"]
    assert client.get_secret_value(SecretId=arn if identifier == "arn" else "s")["SecretString"] == "first"


def test_an_unknown_or_deleted_secret_is_refused(client: "SecretsManagerClient") -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="can't find the specified secret"):
        client.get_secret_value(SecretId="unknown")
    client.delete_secret(SecretId="s")
    for call in (lambda: client.get_secret_value(SecretId="s"), lambda: put_pending(client), lambda: rotate(client)):
        with pytest.raises(client.exceptions.InvalidRequestException, match="marked for deletion"):
            call()
