"""Every way a rotation can fail, as one tree.

    RotationError
    ├── EventInvalidError              event_invalid
    ├── ConfigurationInvalidError      configuration_invalid
    ├── SecretError
    │   ├── SecretNotFoundError        secret_not_found
    │   ├── SecretNotRotatableError    secret_not_rotatable
    │   ├── VersionNotPendingError     version_not_pending
    │   ├── SecretMalformedError       secret_malformed
    │   ├── TargetMismatchError        target_mismatch
    │   └── SuperuserUnusableError     superuser_unusable
    ├── AwsError
    │   ├── AccessDeniedError          access_denied
    │   ├── KmsDeniedError             kms_denied
    │   ├── ThrottledError             throttled
    │   ├── AwsUnavailableError        aws_unavailable
    │   └── AwsRejectedError           aws_rejected
    │       └── VersionExistsError     version_exists
    ├── TargetError
    │   ├── TargetUnreachableError     target_unreachable
    │   │   ├── DnsFailedError         dns_failed
    │   │   ├── PortClosedError        port_closed
    │   │   ├── ConnectTimeoutError    connect_timeout
    │   │   └── ConnectionLostError    connection_lost
    │   ├── TlsFailedError             tls_failed
    │   ├── AuthenticationUnsafeError  authentication_unsafe
    │   ├── LoginRefusedError          login_refused
    │   │   └── CredentialUnknownError credential_unknown
    │   ├── RoleLockedError            role_locked
    │   ├── HostRefusedError           host_refused
    │   ├── TargetSaturatedError       target_saturated
    │   ├── TargetNotReadyError        target_not_ready
    │   ├── TargetReadOnlyError        target_read_only
    │   ├── TargetBusyError            target_busy
    │   ├── DatabaseMissingError       database_missing
    │   ├── PrivilegeMissingError      privilege_missing
    │   ├── PasswordRefusedError       password_refused
    │   └── StatementRejectedError     statement_rejected
    ├── DuplicateInFlightError         duplicate_in_flight
    ├── DeadlineExceededError          deadline
    ├── ServiceReportedError           service_reported
    └── InternalError                  internal

A class has one stable `reason`: it is the log field, the metric dimension and the runbook anchor. A message says what
happened; `remedy` says what to do next. Neither ever holds a value from a secret other than the names of user, host and
database, because both reach the log, the trace and the caller.
"""

from collections.abc import Iterator
from typing import ClassVar


class RotationError(Exception):
    """Base of all failures the function reports.

    Args:
        message: What happened, in a clause without the final full stop.
        remedy: What to do next; the class's own text unless the case knows better.
    """

    reason: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = printable(message)
        self.next_action = printable(remedy or self.remedy)
        super().__init__(f"{self.reason}: {self.message}. {self.next_action}")


class EventInvalidError(RotationError):
    reason = "event_invalid"
    remedy = "Invoke the function through Secrets Manager, or send Step, SecretId and ClientRequestToken as it does."


class ConfigurationInvalidError(RotationError):
    reason = "configuration_invalid"
    remedy = "Correct the named parameter of the stack and deploy again."


class SecretError(RotationError):
    """The secret itself stands in the way."""


class SecretNotFoundError(SecretError):
    reason = "secret_not_found"
    remedy = "Check that the secret exists in this account and region and is not scheduled for deletion."


class SecretNotRotatableError(SecretError):
    reason = "secret_not_rotatable"
    remedy = "Turn rotation on, and start it with RotateSecret rather than by invoking the function."


class VersionNotPendingError(SecretError):
    reason = "version_not_pending"
    remedy = (
        "The rotation of this version is over: AWSPENDING was taken from it by hand, by a value put by hand, or for a later "
        "rotation. Nothing was changed; start the next with RotateSecret, unless one is under way."
    )


class SecretMalformedError(SecretError):
    reason = "secret_malformed"
    remedy = "Store the secret in the JSON format of the README's section 'Attach a secret'."


class TargetMismatchError(SecretError):
    reason = "target_mismatch"
    remedy = (
        "A secret may change only its own user on its own host: compare user, host and port of the AWSCURRENT, "
        "AWSPENDING and superuser secrets. A wrong AWSPENDING never changes: remove its label, then rotate again."
    )


class SuperuserUnusableError(SecretError):
    reason = "superuser_unusable"
    remedy = "Let masterarn name a secret that holds the superuser's login for the same database server."


class AwsError(RotationError):
    """A call to AWS did not succeed."""


class AccessDeniedError(AwsError):
    reason = "access_denied"
    remedy = "Compare the function's role with the stack's parameters: secret name prefix and superuser secrets."


class KmsDeniedError(AwsError):
    reason = "kms_denied"
    remedy = (
        "Allow the function's role kms:Decrypt and kms:GenerateDataKey on the secret's key (parameter SecretKmsKeyArns)."
    )


class ThrottledError(AwsError):
    reason = "throttled"
    remedy = "Nothing to do if it stays rare: Secrets Manager tries again. Otherwise spread the rotation schedules."


class AwsUnavailableError(AwsError):
    reason = "aws_unavailable"
    remedy = "In a VPC, check the interface endpoint or NAT path for the named service; else see the AWS health page."


class AwsRejectedError(AwsError):
    reason = "aws_rejected"
    remedy = "Look up the error code in the service's API reference."


class VersionExistsError(AwsRejectedError):
    reason = "version_exists"
    remedy = "The version has another value already, which is kept."


class TargetError(RotationError):
    """The database or service did not do what it was asked."""


class TargetUnreachableError(TargetError):
    reason = "target_unreachable"
    remedy = "Check host and port in the secret, the function's subnets, routes and security groups."


class DnsFailedError(TargetUnreachableError):
    reason = "dns_failed"
    remedy = "Check the spelling of host in the secret and that the function's VPC resolves it."


class PortClosedError(TargetUnreachableError):
    reason = "port_closed"
    remedy = "Check that the target runs and that port in the secret is the one it listens on."


class ConnectTimeoutError(TargetUnreachableError):
    reason = "connect_timeout"
    remedy = "Packets are swallowed: open the security groups and network ACLs between function and target."


class ConnectionLostError(TargetUnreachableError):
    reason = "connection_lost"
    remedy = "See the target's log for a restart, failover or crash at this time; the step can be repeated."


class TlsFailedError(TargetError):
    reason = "tls_failed"
    remedy = "Check the server's certificate, host in the secret, and the CA bundle (parameter TlsCaBundle)."


class AuthenticationUnsafeError(TargetError):
    reason = "authentication_unsafe"
    remedy = "Make the server check passwords by a challenge (SCRAM, for example): it accepts any, or asks for them."


class LoginRefusedError(TargetError):
    reason = "login_refused"
    remedy = (
        "If the next repetition succeeds, nothing: it sets the password again. Else it is the superuser's password, or one "
        "that was changed outside of Secrets Manager: store the right one as AWSCURRENT of the secret that has this user."
    )


class CredentialUnknownError(LoginRefusedError):
    reason = "credential_unknown"
    remedy = (
        "The password was changed outside of Secrets Manager, or the user is gone: give the user AWSCURRENT's password in "
        "the target, or store the right one as AWSCURRENT; then rotate."
    )


class RoleLockedError(TargetError):
    reason = "role_locked"
    remedy = "Unlock the user, or attach the secret to one that may log in."


class HostRefusedError(TargetError):
    reason = "host_refused"
    remedy = "Let the server accept this user from the function's network (in PostgreSQL, by a rule in pg_hba.conf)."


class TargetSaturatedError(TargetError):
    reason = "target_saturated"
    remedy = "Free connections or raise the server's connection limit; the step can be repeated."


class TargetNotReadyError(TargetError):
    reason = "target_not_ready"
    remedy = "Wait until the server has started or failed over; the step can be repeated."


class TargetReadOnlyError(TargetError):
    reason = "target_read_only"
    remedy = "host names a replica: use the writer's endpoint, or a superuser secret for the primary (masterarn)."


class TargetBusyError(TargetError):
    reason = "target_busy"
    remedy = "Find the session that holds the lock or is changing the same user; the step can be repeated."


class DatabaseMissingError(TargetError):
    reason = "database_missing"
    remedy = "Correct dbname in the secret, or create the database."


class PrivilegeMissingError(TargetError):
    reason = "privilege_missing"
    remedy = "Grant the named right, or choose a strategy that logs in as a superuser."


class PasswordRefusedError(TargetError):
    reason = "password_refused"
    remedy = (
        "Bring the password parameters of the stack in line with the server's password policy. Repetitions keep the refused "
        "value: remove AWSPENDING from its version (update-secret-version-stage), then rotate again."
    )


class StatementRejectedError(TargetError):
    reason = "statement_rejected"
    remedy = "Look up the error code in the engine's documentation; the server's log has the details."


class DuplicateInFlightError(RotationError):
    reason = "duplicate_in_flight"
    remedy = "Come back later: the same step of the same rotation is still running in another invocation."


class DeadlineExceededError(RotationError):
    reason = "deadline"
    remedy = "See which phase took the time in the step's log line; raise the parameter Timeout if it is legitimate."


class ServiceReportedError(RotationError):
    reason = "service_reported"
    remedy = (
        "If the function has logged no failure for this secret, Secrets Manager could not invoke it: check the invoke "
        "permission, throttling and the function's state. If it logged a success of createSecret and nothing after it, "
        "somebody else has made the pending version: remove AWSPENDING from it, then rotate again."
    )


class InternalError(RotationError):
    reason = "internal"
    remedy = "This is a defect of the function: report the log line with its stack."


def error_classes(root: type[RotationError] = RotationError) -> Iterator[type[RotationError]]:
    """All classes of the tree that have a reason, parents first."""
    if "reason" in vars(root):
        yield root
    for child in root.__subclasses__():
        yield from error_classes(child)


def printable(text: str) -> str:
    """The text without characters that end a line or change how it reads: the names in it come from a secret."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
