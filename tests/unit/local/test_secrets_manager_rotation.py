import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.aws import AwsStage
from local.invocation import Invocation
from local.lambda_runtime import LambdaFunction
from local.secrets_manager_rotation import RotationRefusedError, RotationService

ROTATION_TOKEN = "r" * 36
HANDLER = """
    import json, os, pathlib
    import boto3

    client = boto3.client("secretsmanager")
    broken = pathlib.Path(__file__).with_name("broken")

    def handler(event, context):
        print(json.dumps(event))
        step, secret, version = event["Step"], event["SecretId"], event["ClientRequestToken"]
        if broken.exists() and step in broken.read_text():
            raise RuntimeError(f"{step} is broken")
        if step == "createSecret":
            extra = {"RotationToken": event["RotationToken"]} if os.environ.get("HAND_ON") else {}
            client.put_secret_value(SecretId=secret, ClientRequestToken=version, SecretString="new",
                                    VersionStages=["AWSPENDING"], **extra)
        if step == "finishSecret" and not os.environ.get("LAZY"):
            stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
            current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
            client.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT",
                                               MoveToVersionId=version, RemoveFromVersionId=current)
"""
ALL_STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]

MakeService = Callable[..., RotationService]


@pytest.fixture
def make_service(stage: AwsStage, write_handler: Callable[[str], Path]) -> Iterator[MakeService]:
    root = write_handler(HANDLER)
    functions = []
    stage.client("secretsmanager").create_secret(Name="s", SecretString="old")

    def make(on_step: Callable[[str, Invocation | None], None] | None = None, **variables: str) -> RotationService:
        function = LambdaFunction("app.handler", task_root=root, environment=stage.environment | variables)
        functions.append(function.__enter__())
        return RotationService(stage, function, on_step)

    yield make
    for function in functions:
        function.__exit__(None, None, None)


def breaks(tmp_path: Path, step: str) -> None:
    (tmp_path / "broken").write_text(step)


def event_names(service: RotationService) -> list[str]:
    return [event["detail"]["eventName"] for event in service.events]


def received(report_invocations: dict[str, Invocation]) -> list[dict[str, str]]:
    return [json.loads(invocation.log_lines[-1]) for invocation in report_invocations.values()]


def test_the_four_steps_run_in_order_with_one_token(stage: AwsStage, make_service: MakeService) -> None:
    report = make_service().rotate("s", token="t" * 32)
    assert report.succeeded
    assert list(report.invocations) == ALL_STEPS
    arn = stage.client("secretsmanager").describe_secret(SecretId="s")["ARN"]
    assert received(report.invocations) == [
        {"Step": step, "SecretId": arn, "ClientRequestToken": "t" * 32} for step in ALL_STEPS
    ]
    assert stage.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "new"


def test_the_services_own_calls_are_not_the_functions(stage: AwsStage, make_service: MakeService) -> None:
    before = len(stage.calls)
    make_service().rotate("s")
    operations = [call.operation for call in stage.calls[before:]]
    assert operations == ["PutSecretValue", "DescribeSecret", "UpdateSecretVersionStage"]


def test_it_stops_at_the_first_failure_and_can_be_retried_with_the_same_token(
    stage: AwsStage, make_service: MakeService, tmp_path: Path
) -> None:
    service = make_service()
    breaks(tmp_path, "testSecret")
    failed = service.rotate("s")
    assert (failed.succeeded, failed.failed_step) == (False, "testSecret")
    assert failed.failure == "RuntimeError: testSecret is broken"
    assert list(failed.invocations) == ALL_STEPS[:3]
    with pytest.raises(RotationRefusedError, match="A previous rotation isn't complete") as caught:
        service.rotate("s")
    assert caught.value.code == "InvalidRequestException"
    (tmp_path / "broken").unlink()
    retried = service.retry("s")
    assert retried.succeeded
    assert retried.version_id == failed.version_id
    assert event_names(service) == ["RotationStarted", "RotationFailed", "RotationStarted", "RotationSucceeded"]
    assert stage.client("secretsmanager").describe_secret(SecretId="s")["LastRotatedDate"]


@pytest.mark.parametrize(("broken", "outcome"), [("nothing", "Succeeded"), ("testSecret", "Failed")])
def test_a_test_only_run_invokes_one_step_and_removes_its_version(
    stage: AwsStage, make_service: MakeService, tmp_path: Path, broken: str, outcome: str
) -> None:
    service = make_service()
    breaks(tmp_path, broken)
    report = service.rotate("s", rotate_immediately=False)
    assert report.is_test
    assert report.succeeded is (outcome == "Succeeded")
    assert list(report.invocations) == ["testSecret"]
    assert event_names(service) == ["TestRotationStarted", f"TestRotation{outcome}"]
    stages = stage.client("secretsmanager").describe_secret(SecretId="s")["VersionIdsToStages"]
    assert list(stages.values()) == [["AWSCURRENT"]]


def test_a_rotation_token_that_is_handed_on_is_accepted(make_service: MakeService) -> None:
    report = make_service(HAND_ON="1").rotate("s", rotation_token=ROTATION_TOKEN)
    assert report.succeeded
    assert {event["RotationToken"] for event in received(report.invocations)} == {ROTATION_TOKEN}


def test_a_rotation_token_that_is_lost_fails_the_rotation(make_service: MakeService) -> None:
    report = make_service().rotate("s", rotation_token=ROTATION_TOKEN)
    assert report.failed_step == "createSecret"
    assert "was not created by Lambda" in str(report.failure)


def test_a_function_that_only_says_it_finished_is_not_believed(make_service: MakeService) -> None:
    report = make_service(LAZY="1").rotate("s")
    assert report.failed_step == "finishSecret"
    assert "AWSPENDING is still attached" in str(report.failure)


def test_a_throttled_function_fails_the_rotation(make_service: MakeService) -> None:
    service = make_service()
    service.function.throttled = True
    report = service.rotate("s")
    assert report.failed_step == "createSecret"
    assert "TooManyRequestsException" in str(report.failure)


def test_progress_is_told_step_by_step(make_service: MakeService) -> None:
    told: list[tuple[str, bool | None]] = []
    make_service(lambda step, invocation: told.append((step, invocation and invocation.succeeded))).rotate("s")
    assert told == [(step, outcome) for step in ALL_STEPS for outcome in (None, True)]


def test_events_name_the_secret_as_eventbridge_does(make_service: MakeService) -> None:
    report = make_service().rotate("s")
    event = report.events[-1]
    assert (event["source"], event["detail-type"]) == ("aws.secretsmanager", "AWS Service Event via CloudTrail")
    assert event["detail"]["eventName"] == "RotationSucceeded"
    assert event["detail"]["additionalEventData"] == {"SecretId": report.secret_arn}


def test_a_value_put_by_hand_abandons_a_stuck_rotation(stage: AwsStage, make_service: MakeService, tmp_path: Path) -> None:
    service = make_service()
    breaks(tmp_path, "setSecret")
    service.rotate("s")
    stage.client("secretsmanager").put_secret_value(SecretId="s", SecretString="by hand")
    assert event_names(service) == ["RotationStarted", "RotationFailed", "RotationAbandoned"]
    (tmp_path / "broken").unlink()
    assert service.rotate("s").succeeded


def test_an_unknown_secret_is_refused(make_service: MakeService) -> None:
    with pytest.raises(RotationRefusedError, match="can't find the specified secret"):
        make_service().rotate("unknown")
