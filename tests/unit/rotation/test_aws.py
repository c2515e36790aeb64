"""AWS's errors become the tree's, whatever the service answers or does not answer."""

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest

from local.aws import AwsStage
from local.aws_faults import Disturbance
from rotation.aws import _ERRORS_BY_CODE, AwsCalls, AwsClients, Patience
from rotation.deadline import Deadline
from rotation.errors import (
    AccessDeniedError,
    AwsRejectedError,
    AwsUnavailableError,
    DeadlineExceededError,
    KmsDeniedError,
    PasswordRefusedError,
    RotationError,
    SecretNotFoundError,
    SecretNotRotatableError,
    TargetBusyError,
    TargetMismatchError,
    TargetNotReadyError,
    ThrottledError,
    VersionExistsError,
)
from rotation.step_record import StepRecord

SENTINEL = "Sentinel-7f3a"
ONCE = Patience(connect=1.0, read=5.0, attempts=1, within_deadline=True)
HASTY = Patience(connect=1.0, read=0.2, attempts=1, within_deadline=True)

EXPECTED: dict[str, type[RotationError]] = {
    "AccessDenied": AccessDeniedError,
    "AccessDeniedException": AccessDeniedError,
    "DecryptionFailure": KmsDeniedError,
    "EncryptionFailure": KmsDeniedError,
    "ExpiredTokenException": AccessDeniedError,
    "DirectoryUnavailableException": TargetNotReadyError,
    "InternalFailure": AwsUnavailableError,
    "InternalServiceError": AwsUnavailableError,
    "InvalidClientTokenId": AccessDeniedError,
    "InvalidNextTokenException": AwsRejectedError,
    "InvalidParameterException": AwsRejectedError,
    "InvalidPasswordException": PasswordRefusedError,
    "InvalidRequestException": SecretNotRotatableError,
    "InvalidSignatureException": AccessDeniedError,
    "InvalidUserState": TargetBusyError,
    "InvalidUserStateFault": TargetBusyError,
    "KMSAccessDeniedException": KmsDeniedError,
    "LimitExceededException": ThrottledError,
    "MalformedPolicyDocumentException": AwsRejectedError,
    "PreconditionNotMetException": AwsRejectedError,
    "ProvisionedThroughputExceededException": ThrottledError,
    "PublicPolicyException": AwsRejectedError,
    "RequestLimitExceeded": ThrottledError,
    "ResourceExistsException": VersionExistsError,
    "ResourceNotFoundException": SecretNotFoundError,
    "ServiceUnavailable": AwsUnavailableError,
    "Throttling": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequestsException": ThrottledError,
    "UnrecognizedClientException": AccessDeniedError,
    "UserNotFound": TargetMismatchError,
    "UserNotFoundFault": TargetMismatchError,
    "UserDoesNotExistException": TargetMismatchError,
}


@pytest.fixture(scope="module")
def clients_without_retries(new_clients: Callable[[], AwsClients]) -> AwsClients:
    once = new_clients()
    once.raw("secretsmanager", ONCE)
    return once


@pytest.fixture
def calls(clients_without_retries: AwsClients, make_record: Callable[[], StepRecord]) -> AwsCalls:
    """Calls that are tried once."""
    return clients_without_retries.calls("secretsmanager", make_record())


def failure(calls: AwsCalls, kind: type[RotationError] = RotationError) -> RotationError:
    with pytest.raises(kind) as caught:
        calls("describe_secret", SecretId=SENTINEL)
    assert caught.value.__cause__ is None
    assert SENTINEL not in str(caught.value)
    return caught.value


def test_every_error_that_the_services_model_has_its_class() -> None:
    model = botocore.session.get_session().get_service_model("secretsmanager")
    modelled = {shape.name for shape in model.error_shapes}
    assert modelled | set(_ERRORS_BY_CODE) <= set(EXPECTED)


@pytest.mark.parametrize("code", sorted(EXPECTED))
def test_a_code_has_its_class(aws: AwsStage, calls: AwsCalls, code: str) -> None:
    aws.fail("secretsmanager", code=code, message="AWS's words")
    error = failure(calls)
    assert type(error) is EXPECTED[code]
    assert error.message.startswith(f"secretsmanager describe_secret answered {code}")


@pytest.mark.parametrize("code", sorted(set(EXPECTED) - {"AccessDenied", "AccessDeniedException"}))
def test_the_services_text_is_not_repeated(aws: AwsStage, calls: AwsCalls, code: str) -> None:
    # Texts quote parameters, and that of a wrong signature the whole request with the session token.
    aws.fail("secretsmanager", code=code, message=f"rejected {SENTINEL}")
    failure(calls)


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_a_denial_names_the_permission_that_is_missing(aws: AwsStage, calls: AwsCalls, code: str) -> None:
    aws.fail("secretsmanager", code=code, message="not authorized to perform: secretsmanager:DescribeSecret on r")
    assert "secretsmanager:DescribeSecret" in failure(calls, AccessDeniedError).message


@pytest.mark.parametrize(
    "message",
    [
        "Access to KMS is not allowed",
        "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:Decrypt on this resource",
        "The ciphertext refers to arn:aws:kms:eu-central-1:1:key/k",
    ],
)
def test_a_denied_key_is_told_apart_from_a_denied_secret(aws: AwsStage, calls: AwsCalls, message: str) -> None:
    aws.fail("secretsmanager", code="AccessDeniedException", message=message)
    failure(calls, KmsDeniedError)


@pytest.mark.parametrize("name", ["secret:prod/kms-app", "secret:kms", "role/kms-rotation"])
def test_a_name_that_holds_the_letters_kms_is_no_key(aws: AwsStage, calls: AwsCalls, name: str) -> None:
    aws.fail("secretsmanager", code="AccessDeniedException", message=f"not authorized on arn:aws:x:1:{name}")
    assert type(failure(calls)) is AccessDeniedError


@pytest.mark.parametrize(
    ("status", "kind"), [(500, AwsUnavailableError), (503, AwsUnavailableError), (400, AwsRejectedError)]
)
def test_an_unknown_code_is_judged_by_its_status(
    aws: AwsStage, calls: AwsCalls, status: int, kind: type[RotationError]
) -> None:
    aws.fail("secretsmanager", code="NeverSeenBefore", message="?", status=status)
    assert type(failure(calls)) is kind


def test_a_dropped_connection_is_an_unavailable_service(aws: AwsStage, calls: AwsCalls) -> None:
    aws.disturb("secretsmanager", by=Disturbance.DROP)
    assert "ConnectionClosedError" in failure(calls, AwsUnavailableError).message


def test_no_answer_is_an_unavailable_service(
    aws: AwsStage, new_clients: Callable[[], AwsClients], make_record: Callable[[], StepRecord]
) -> None:
    hasty = new_clients()
    hasty.raw("secretsmanager", HASTY)
    aws.disturb("secretsmanager", by=Disturbance.HANG)
    error = failure(hasty.calls("secretsmanager", make_record()), AwsUnavailableError)
    assert "ReadTimeoutError" in error.message


def test_a_closed_endpoint_is_an_unavailable_service(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, calls_at: Callable[[], AwsCalls]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    assert "EndpointConnectionError" in failure(calls_at(), AwsUnavailableError).message


@pytest.fixture
def calls_at(new_clients: Callable[[], AwsClients], make_record: Callable[[], StepRecord]) -> Callable[[], AwsCalls]:
    """Makes clients of its own when it is called: after a test has changed the environment."""

    def make() -> AwsCalls:
        late = new_clients()
        late.raw("secretsmanager", ONCE)
        return late.calls("secretsmanager", make_record())

    return make


def test_one_services_own_endpoint_wins_over_the_common_one(
    aws: AwsStage, closed_port: int, monkeypatch: pytest.MonkeyPatch, calls_at: Callable[[], AwsCalls]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws.endpoint_url)
    failure(calls_at(), SecretNotFoundError)


def test_parameters_beyond_the_apis_limits_are_rejected_without_a_call(calls: AwsCalls, aws: AwsStage) -> None:
    before = len(aws.calls)
    with pytest.raises(AwsRejectedError, match="ParamValidationError") as caught:
        calls("describe_secret", SecretId="")
    assert "limits of the API" in caught.value.next_action
    assert len(aws.calls) == before


def test_missing_credentials_are_a_denial(monkeypatch: pytest.MonkeyPatch, calls_at: Callable[[], AwsCalls]) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    failure(calls_at(), AccessDeniedError)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
def test_a_passing_trouble_is_retried(
    aws: AwsStage, clients: AwsClients, make_record: Callable[[], StepRecord], code: str
) -> None:
    aws.fail("secretsmanager", "DescribeSecret", code=code, message="?", status=500 if "Internal" in code else 400, times=1)
    calls, before = clients.calls("secretsmanager", make_record()), len(aws.calls)
    with pytest.raises(SecretNotFoundError):
        calls("describe_secret", SecretId="nowhere")
    assert [call.error for call in aws.calls[before:]] == [code, "ResourceNotFoundException"]


def test_no_attempt_is_begun_that_might_not_end_in_time(
    aws: AwsStage, clients_without_retries: AwsClients, calls: AwsCalls
) -> None:
    before = len(aws.calls)
    clients_without_retries.deadline = Deadline(lambda: 4_900, reserve_seconds=1.0)
    failure(calls, DeadlineExceededError)
    clients_without_retries.deadline = None
    assert len(aws.calls) == before


def test_a_client_is_made_once(clients: AwsClients) -> None:
    assert clients.raw("rds") is clients.raw("rds")


def test_calls_are_timed_and_counted(calls: AwsCalls) -> None:
    failure(calls)
    record: Any = calls._record
    assert record.calls == {"secretsmanager": 1}
    assert record.phases_ms["secretsmanager"] > 0
