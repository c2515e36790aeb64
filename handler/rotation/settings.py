"""The one place that reads the environment; what is read is frozen."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json, StringConstraints, ValidationError

from rotation.errors import ConfigurationInvalidError


class StrategyName(StrEnum):
    """Rotation strategies by the name that setting and tag use."""

    AUTO = "auto"
    SINGLE_USER = "single-user"
    SINGLE_USER_BY_SUPERUSER = "single-user-by-superuser"
    ALTERNATING_USERS = "alternating-users"
    TWO_KEYS = "two-keys"


def _entries(value: object) -> object:
    """A text such as `acme=acme_rotation.engine:AcmeEngine`, with a comma between several, as a mapping."""
    if not isinstance(value, str):
        return value
    entries = [entry.strip().partition("=") for entry in value.split(",")]
    if not all(separator for _, separator, _ in entries):
        raise ValueError("is not of the form name=module:Class,name=module:Class")
    return {name: path for name, _, path in entries}


EngineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
ClassPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
"""Module and name, as in `acme_rotation.engine:AcmeEngine`."""


class PasswordSettings(BaseModel):
    """Composition of a new password; names, meaning and defaults are those of AWS's own rotation functions."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    length: int = Field(32, ge=8, le=4096, validation_alias="PASSWORD_LENGTH")
    exclude_characters: str = Field(":/@\"'\\", validation_alias="EXCLUDE_CHARACTERS")
    exclude_numbers: bool = Field(False, validation_alias="EXCLUDE_NUMBERS")
    exclude_punctuation: bool = Field(False, validation_alias="EXCLUDE_PUNCTUATION")
    exclude_uppercase: bool = Field(False, validation_alias="EXCLUDE_UPPERCASE")
    exclude_lowercase: bool = Field(False, validation_alias="EXCLUDE_LOWERCASE")
    require_each_included_type: bool = Field(True, validation_alias="REQUIRE_EACH_INCLUDED_TYPE")


class ReportingSettings(BaseModel):
    """What it takes to report anything at all, even that the other settings are wrong.

    Attributes:
        service: Names the stack in logs, metrics and traces.
        metrics_namespace: CloudWatch namespace of all metrics.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    service: str = Field("secret-rotation", validation_alias="POWERTOOLS_SERVICE_NAME")
    metrics_namespace: str = Field("SecretRotation", validation_alias="POWERTOOLS_METRICS_NAMESPACE")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="POWERTOOLS_LOG_LEVEL")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read and check; an empty value counts as not set.

        Raises:
            ConfigurationInvalidError: names each wrong variable, never its value.
        """
        try:
            return cls.model_validate({name: value for name, value in environment.items() if value != ""})
        except ValidationError as error:
            raise ConfigurationInvalidError(describe_validation(error)) from None

    @classmethod
    def for_reporting(cls, environment: Mapping[str, str]) -> "ReportingSettings":
        """The settings without the log level, which may itself be the wrong one."""
        given = {name: value for name, value in environment.items() if value and name != "POWERTOOLS_LOG_LEVEL"}
        return ReportingSettings.model_validate(given)


class Settings(ReportingSettings):
    """What the stack's parameters decide.

    Attributes:
        idempotency_table: DynamoDB table for lock and short memory.
        strategy: Used for secrets without a strategy tag.
        tls_ca_bundle: PEM file that replaces Amazon's RDS bundle, or `system` for the operating system's authorities.
        report_reserve_seconds: Kept back from the invocation's time so that a failure can still be reported.
        password: Composition of new passwords.
        custom_engines: Engines that a package of your own brings, by the name in the secret's key `engine`.
        http_targets: Declarations of services that secrets of the engine `http` may name instead of bringing their own.
    """

    idempotency_table: Annotated[str, StringConstraints(min_length=3)] = Field(validation_alias="IDEMPOTENCY_TABLE")
    strategy: StrategyName = Field(StrategyName.AUTO, validation_alias="ROTATION_STRATEGY")
    tls_ca_bundle: str | None = Field(None, validation_alias="TLS_CA_BUNDLE")
    report_reserve_seconds: float = Field(3.0, ge=1.0, le=30.0, validation_alias="REPORT_RESERVE_SECONDS")
    password: PasswordSettings = PasswordSettings()
    custom_engines: Annotated[Mapping[EngineName, ClassPath], BeforeValidator(_entries)] = Field(
        {}, validation_alias="CUSTOM_ENGINES"
    )
    http_targets: Json[Mapping[str, Any]] = Field({}, validation_alias="HTTP_TARGETS")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read and check all settings; an empty value counts as not set, because stack parameters cannot be absent.

        Raises:
            ConfigurationInvalidError: names each wrong variable, never its value.
        """
        given = {name: value for name, value in environment.items() if value != ""}
        # AWS's functions take an empty EXCLUDE_CHARACTERS as "exclude nothing".
        if environment.get("EXCLUDE_CHARACTERS") == "":
            given["EXCLUDE_CHARACTERS"] = ""
        try:
            return cls.model_validate({**given, "password": PasswordSettings.model_validate(given)})
        except ValidationError as error:
            raise ConfigurationInvalidError(describe_validation(error)) from None


class WatchSettings(ReportingSettings):
    """What the scheduled probe and the listener for Secrets Manager's events need.

    Attributes:
        rotation_function_arn: Secrets that name it are watched.
        secret_name_prefix: Bounds the listing of secrets.
        stuck_after_minutes: From this age on an unfinished AWSPENDING counts as stuck.
        overdue_grace_minutes: How long NextRotationDate may have passed.
    """

    rotation_function_arn: Annotated[str, StringConstraints(pattern=r"^arn:[^:]+:lambda:")] = Field(
        validation_alias="ROTATION_FUNCTION_ARN"
    )
    secret_name_prefix: str = Field("", validation_alias="SECRET_NAME_PREFIX")
    stuck_after_minutes: int = Field(60, ge=1, validation_alias="STUCK_AFTER_MINUTES")
    overdue_grace_minutes: int = Field(60, ge=0, validation_alias="OVERDUE_GRACE_MINUTES")


def describe_validation(error: ValidationError) -> str:
    """One clause per wrong field: its name and what is expected, never the input."""
    findings = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'input'}: {item['msg']}" for item in findings)
