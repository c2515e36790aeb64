import socket
import time
from functools import partial

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.aws import AwsStage
from local.aws_faults import Disturbance
from local.aws_server import Call


def impatient_client(stage: AwsStage, service: str, *, attempts: int = 1) -> object:
    config = Config(read_timeout=0.2, retries={"total_max_attempts": attempts, "mode": "standard"})
    return boto3.session.Session("local", "local", region_name=stage.region).client(
        service,  # type: ignore[call-overload]
        endpoint_url=stage.endpoint_url,
        config=config,
    )


def test_its_environment_leads_boto3_to_it(stage: AwsStage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stage.environment.items():
        monkeypatch.setenv(name, value)
    boto3.session.Session().client("secretsmanager").create_secret(Name="s", SecretString="v")
    assert stage.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "v"


def test_calls_are_logged_in_order_without_what_they_carry(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    client.create_secret(Name="s", SecretString="hidden")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId="unknown")
    assert stage.calls == [
        Call("secretsmanager", "CreateSecret", None),
        Call("secretsmanager", "GetSecretValue", "ResourceNotFoundException", "unknown"),
    ]


def test_dynamodb_answers_and_its_conditions_hold(stage: AwsStage) -> None:
    client = stage.client("dynamodb")
    client.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName="t", Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)")
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.put_item(TableName="t", Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)")
    assert stage.calls[-1] == Call("dynamodb", "PutItem", "ConditionalCheckFailedException", "t")


def test_rds_answers_with_its_own_errors(stage: AwsStage) -> None:
    client = stage.client("rds")
    with pytest.raises(client.exceptions.DBClusterNotFoundFault):
        client.describe_db_clusters(DBClusterIdentifier="unknown")
    assert stage.calls == [Call("rds", "DescribeDBClusters", "DBClusterNotFoundFault", "unknown")]


def test_a_service_that_it_lacks_is_refused_by_name(stage: AwsStage) -> None:
    client = boto3.session.Session("local", "local", region_name=stage.region).client(
        "events", endpoint_url=stage.endpoint_url
    )
    with pytest.raises(ClientError, match="no events in the local AWS"):
        client.list_rules()


def test_latency_is_what_a_call_takes(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    client.create_secret(Name="s", SecretString="v")
    stage.latency["secretsmanager"] = 0.05
    begun = time.perf_counter()
    client.describe_secret(SecretId="s")
    assert time.perf_counter() - begun >= 0.05


def test_a_fault_is_answered_as_often_as_asked_for(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    client.create_secret(Name="s", SecretString="v")
    stage.fail(
        "secretsmanager", "GetSecretValue", code="AccessDeniedException", message="Access to KMS is not allowed", times=1
    )
    with pytest.raises(ClientError, match=r"AccessDeniedException.*Access to KMS is not allowed"):
        client.get_secret_value(SecretId="s")
    client.get_secret_value(SecretId="s")
    assert [call.error for call in stage.calls[1:]] == ["AccessDeniedException", None]


def test_a_fault_lasts_until_it_is_cleared_and_leaves_others_alone(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    client.create_secret(Name="s", SecretString="v")
    stage.fail("secretsmanager", "GetSecretValue", code="InternalServiceError", message="An error", status=500)
    for _ in range(2):
        with pytest.raises(ClientError, match="InternalServiceError") as caught:
            client.get_secret_value(SecretId="s")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    client.describe_secret(SecretId="s")
    stage.clear_faults()
    client.get_secret_value(SecretId="s")


def test_a_fault_can_take_every_operation_of_a_service(stage: AwsStage) -> None:
    stage.fail("rds", code="AccessDenied", message="User: <x> & co is not authorized")
    with pytest.raises(ClientError, match="User: <x> & co is not authorized") as caught:
        stage.client("rds").describe_db_instances()
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    stage.client("secretsmanager").create_secret(Name="s", SecretString="v")


def test_throttling_is_overcome_by_a_client_that_retries(stage: AwsStage) -> None:
    stage.client("secretsmanager").create_secret(Name="s", SecretString="v")
    stage.fail("secretsmanager", "DescribeSecret", code="ThrottlingException", message="Rate exceeded", times=1)
    impatient_client(stage, "secretsmanager", attempts=2).describe_secret(SecretId="s")  # type: ignore[attr-defined]
    assert [(call.error, call.is_repeated) for call in stage.calls[1:]] == [("ThrottlingException", False), (None, True)]


def test_a_call_can_hang_and_the_stage_still_ends() -> None:
    with AwsStage() as stage:
        stage.disturb("secretsmanager", "DescribeSecret", by=Disturbance.HANG)
        with pytest.raises(ReadTimeoutError):
            impatient_client(stage, "secretsmanager").describe_secret(SecretId="s")  # type: ignore[attr-defined]
        assert stage.calls == [Call("secretsmanager", "DescribeSecret", Disturbance.HANG.value, "s")]


def test_a_connection_can_be_dropped_before_anything_happened(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    stage.disturb("secretsmanager", "CreateSecret", by=Disturbance.DROP, times=1)
    with pytest.raises(ConnectionClosedError):
        client.create_secret(Name="s", SecretString="v")
    assert client.list_secrets()["SecretList"] == []


def test_an_answer_can_be_lost_after_the_call_took_effect(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    stage.disturb("secretsmanager", "CreateSecret", by=Disturbance.LOSE_ANSWER, times=1)
    with pytest.raises(ConnectionClosedError):
        client.create_secret(Name="s", SecretString="v")
    assert [secret["Name"] for secret in client.list_secrets()["SecretList"]] == ["s"]


def test_connections_are_kept_open(stage: AwsStage) -> None:
    with socket.create_connection(("127.0.0.1", int(stage.endpoint_url.rpartition(":")[2])), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 400")


def test_a_stage_begins_empty_and_one_account_has_one_stage() -> None:
    with AwsStage() as stage:
        stage.client("secretsmanager").create_secret(Name="s", SecretString="v")
        with pytest.raises(ValueError, match="account_id"), AwsStage():
            pass
        with AwsStage(account_id="210987654321") as other:
            assert other.client("secretsmanager").list_secrets()["SecretList"] == []
            arn = other.client("secretsmanager").create_secret(Name="s", SecretString="v")["ARN"]
            assert ":210987654321:" in arn
    with AwsStage() as stage:
        assert stage.client("secretsmanager").list_secrets()["SecretList"] == []


def test_an_answer_can_be_kept_after_the_call_took_effect(stage: AwsStage) -> None:
    stage.disturb("secretsmanager", "CreateSecret", by=Disturbance.KEEP_ANSWER, times=1)
    with pytest.raises(ReadTimeoutError):
        impatient_client(stage, "secretsmanager").create_secret(Name="s", SecretString="v")  # type: ignore[attr-defined]
    assert [secret["Name"] for secret in stage.client("secretsmanager").list_secrets()["SecretList"]] == ["s"]


def test_a_watcher_is_told_before_a_request_takes_effect_and_before_its_answer_leaves(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    told: list[tuple[str, bool]] = []

    def tell(what: str) -> None:
        with stage.secrets_manager() as service:
            told.append((what, bool(service.secrets)))

    stage.watch(on_arrival=lambda: tell("arrival"), on_effect=lambda: tell("effect"))
    client.create_secret(Name="s", SecretString="v")
    stage.watch()
    client.list_secrets()
    assert told == [("arrival", False), ("effect", True)]


def test_a_fault_that_a_watcher_adds_meets_the_very_request(stage: AwsStage) -> None:
    client = stage.client("secretsmanager")
    stage.watch(on_arrival=partial(stage.disturb, "secretsmanager", by=Disturbance.DROP))
    with pytest.raises(ConnectionClosedError):
        client.create_secret(Name="s", SecretString="v")
