"""AWS clients: made once per environment, impatient, timed, and with their errors translated.

botocore retries within a call ("standard" mode). Before each attempt a hook asks the deadline, so that no attempt is begun
that might not end in time. Standard settings such as AWS_ENDPOINT_URL work because nothing here overrides them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from rotation.aws_answers import missing_in
from rotation.deadline import Deadline
from rotation.errors import (
    AccessDeniedError,
    AwsError,
    AwsRejectedError,
    AwsUnavailableError,
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


@dataclass(frozen=True)
class Patience:
    """How long to wait for a service: seconds per attempt, and attempts per call."""

    connect: float
    read: float
    attempts: int
    within_deadline: bool
    """Whether attempts must fit into the step's time; a call that belongs to the reporting need not."""


PATIENCE = Patience(connect=1.0, read=3.0, attempts=3, within_deadline=True)
IDEMPOTENCY_PATIENCE = Patience(connect=0.4, read=0.6, attempts=2, within_deadline=False)
"""A lock is not worth waiting for, and releasing it after a failure has to fit into the reporting reserve."""

_DENIALS = ("AccessDenied", "AccessDeniedException")
# A permission (kms:Decrypt), a key's ARN, or Secrets Manager's own words; names of secrets and roles hold no colon.
_KMS = re.compile(r"kms:|access to kms", re.IGNORECASE)

_ERRORS_BY_CODE: dict[str, type[RotationError]] = {
    **dict.fromkeys(
        (
            *_DENIALS,
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "UnrecognizedClientException",
        ),
        AccessDeniedError,
    ),
    **dict.fromkeys(("DecryptionFailure", "EncryptionFailure"), KmsDeniedError),
    **dict.fromkeys(
        (
            "LimitExceededException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ),
        ThrottledError,
    ),
    **dict.fromkeys(("InternalFailure", "InternalServiceError", "ServiceUnavailable"), AwsUnavailableError),
    "DirectoryUnavailableException": TargetNotReadyError,
    "InvalidPasswordException": PasswordRefusedError,
    "InvalidRequestException": SecretNotRotatableError,
    # ElastiCache's and MemoryDB's words for the same.
    **dict.fromkeys(("InvalidUserState", "InvalidUserStateFault"), TargetBusyError),
    **dict.fromkeys(("UserNotFound", "UserNotFoundFault"), TargetMismatchError),
    "ResourceExistsException": VersionExistsError,
    "ResourceNotFoundException": SecretNotFoundError,
    "UserDoesNotExistException": TargetMismatchError,
}
_HTTP_SERVER_ERROR = 500
_CODE = re.compile(r"[\w.]{1,100}")
_POLICIES = (
    r"(?:(?:identity-based|resource-based|session|VPC endpoint|service control|resource control) policy"
    r"|permissions boundary)"
)
_DENIAL = re.compile(
    r"not authorized to perform: [\w-]+:\w+(?: on resource: arn:[\w:/+=,.@*-]+)?"
    rf"(?: because no {_POLICIES} allows| with an explicit deny in an? {_POLICIES})?"
)
"""Permission, resource and kind of policy: all that is repeated of AWS's words, as others may quote a parameter.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""


class AwsClients:
    """The boto3 clients of one execution environment."""

    def __init__(self, session: boto3.session.Session | None = None) -> None:
        self._session = session or boto3.session.Session()
        self._clients: dict[str, Any] = {}
        self.deadline: Deadline | None = None

    def raw(self, service: str, patience: Patience = PATIENCE) -> Any:
        """The service's boto3 client."""
        if service not in self._clients:
            client = self._session.client(  # type: ignore[call-overload]
                service,
                config=Config(
                    connect_timeout=patience.connect,
                    read_timeout=patience.read,
                    retries={"total_max_attempts": patience.attempts, "mode": "standard"},
                    # One connection suffices: an environment runs one invocation at a time.
                    max_pool_connections=1,
                    tcp_keepalive=True,
                    # Names the caller in CloudTrail. botocore's own text is put together anew, twice, for every call.
                    user_agent=f"secret-rotation Boto3/{boto3.__version__}",
                ),
            )
            if patience.within_deadline:
                client.meta.events.register("before-send", self._check_deadline)
            self._clients[service] = client
        return self._clients[service]

    def calls(self, service: str, record: StepRecord) -> "AwsCalls":
        """The service's calls, observed on the record."""
        return AwsCalls(service, self.raw(service), record)

    def _check_deadline(self, **_: Any) -> None:
        if self.deadline is not None:
            self.deadline.seconds_for("a call to AWS", at_least=PATIENCE.connect + PATIENCE.read)


class AwsCalls:
    """Calls one service on behalf of one step."""

    def __init__(self, service: str, client: Any, record: StepRecord) -> None:
        self._service = service
        self._client = client
        self._record = record

    def __call__(
        self, operation: str, *, expected: type[RotationError] | tuple[()] = (), **parameters: Any
    ) -> dict[str, Any]:
        """Call an operation by its boto3 method name.

        Args:
            operation: Such as `describe_secret`.
            expected: An error that is an answer here; it is raised, but is no failed call in log and trace.
            parameters: The operation's own.

        Raises:
            RotationError: mostly an AwsError; never with a parameter's value in its text.
        """
        method: Callable[..., dict[str, Any]] = getattr(self._client, operation)
        with self._record.call(self._service, operation):
            try:
                return self._checked(operation, method(**parameters))
            except ClientError as error:
                refusal = self._translate(error, operation)
                if not isinstance(refusal, expected):
                    raise refusal from None
            except BotoCoreError as error:
                raise self._unanswered(error, operation) from None
            except RotationError:
                raise  # the deadline's, from the hook before each attempt
            except Exception as error:  # noqa: BLE001 - botocore lets its parsers fail with anything
                raise self._unreadable(operation, type(error).__name__) from None
        raise refusal

    def _checked(self, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer, if it is one."""
        if (field := missing_in(answer, operation)) is not None:
            raise self._unreadable(operation, f"no valid {field}")
        return answer

    def _unreadable(self, operation: str, why: str) -> AwsError:
        return AwsUnavailableError(f"{self._service} {operation} gave an answer that cannot be read ({why})")

    def _translate(self, error: ClientError, operation: str) -> RotationError:
        code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        what = f"{self._service} {operation} answered {code}"
        kind = _ERRORS_BY_CODE.get(code)
        if code.startswith("KMS") or (kind is AccessDeniedError and _KMS.search(message)):
            return KmsDeniedError(what)
        if code in _DENIALS:
            denial = _DENIAL.search(message)
            return AccessDeniedError(f"{what} ({denial[0]})" if denial else what)
        if kind is not None:
            return kind(what)
        return AwsUnavailableError(what) if status >= _HTTP_SERVER_ERROR else AwsRejectedError(what)

    def _unanswered(self, error: BotoCoreError, operation: str) -> AwsError:
        what = f"{self._service} {operation} failed with {type(error).__name__}"
        if isinstance(error, (BotoConnectionError, HTTPClientError)):
            return AwsUnavailableError(what)
        if isinstance(error, NoCredentialsError):
            return AccessDeniedError(what)
        if isinstance(error, ParamValidationError):
            return AwsRejectedError(what, remedy="A value in the event or the secret breaks the limits of the API.")
        return AwsUnavailableError(what)


def code_of(error: ClientError) -> str:
    """AWS's error code, unless what stands there is none."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "an unknown error"
