"""The data that moves through a rotation. Values of a secret are hidden from every printed form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
)

from rotation.errors import SecretMalformedError
from rotation.json_text import JsonObject, RepeatedKeyError
from rotation.settings import describe_validation

STRATEGY_TAG = "rotation-strategy"
_SERVICE_OF_USER = re.compile(r"arn:[^:]+:(elasticache|memorydb):")
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


class Step(StrEnum):
    """The four steps in Secrets Manager's own words and order."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


class RunKind(StrEnum):
    """A `test` run (`RotateImmediately=false`) only tries the existing value; it changes nothing."""

    ROTATION = "rotation"
    TEST = "test"


class Outcome(StrEnum):
    """How a step ended."""

    SUCCEEDED = "succeeded"
    ROLLED_FORWARD = "rolled_forward"
    """createSecret found a value and kept it."""
    ALREADY_SET = "already_set"
    """setSecret found the target accepting the pending value."""
    ALREADY_CURRENT = "already_current"
    """The version had become AWSCURRENT before; nothing was done."""
    IN_FLIGHT = "in_flight"
    """Another invocation holds the same step."""
    FAILED = "failed"

    @property
    def is_replay(self) -> bool:
        """Whether a repeated step was found to be done."""
        return self in {Outcome.ROLLED_FORWARD, Outcome.ALREADY_SET, Outcome.ALREADY_CURRENT}


class RotationEvent(BaseModel):
    """What Secrets Manager sends, once per step.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    step: Step = Field(alias="Step")
    secret_id: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = Field(alias="SecretId")
    client_request_token: Annotated[str, StringConstraints(min_length=32, max_length=64)] = Field(alias="ClientRequestToken")
    rotation_token: SecretStr | None = Field(None, alias="RotationToken", repr=False)


@dataclass(frozen=True)
class SecretDescription:
    """The parts of DescribeSecret that decide whether and how to rotate."""

    arn: str
    rotation_enabled: bool
    stages: Mapping[str, tuple[str, ...]]
    """Staging labels by version id."""
    tags: Mapping[str, str]

    def version_of(self, stage: str) -> str | None:
        """The version id that has the staging label."""
        return next((version for version, stages in self.stages.items() if stage in stages), None)


def _boolean(value: object) -> object:
    # AWS's functions take `ssl` as JSON boolean or as the words true and false.
    return value.lower() == "true" if isinstance(value, str) and value.lower() in {"true", "false"} else value


def _number(value: object) -> object:
    # JSON's true is no port 1.
    return str(value).lower() if isinstance(value, bool) else value


_Name = Annotated[str, StringConstraints(max_length=1024)]
"""Longer than any target's names, and short enough for a log line that repeats it."""


class _Fields(BaseModel):
    """The keys of a secret that the function reads; a null counts as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    username: Annotated[_Name, StringConstraints(min_length=1)]
    password: Annotated[SecretStr, Field(min_length=1)]
    engine: _Name | None = None
    host: _Name | None = None
    port: Annotated[int, Field(ge=1, le=65535), BeforeValidator(_number)] | None = None
    dbname: _Name | None = None
    # Strict: no other word or number may take the demand for TLS off.
    ssl: Annotated[bool | None, Field(strict=True), BeforeValidator(_boolean)] = None
    tls_server_name: Annotated[_Name, StringConstraints(pattern=r"^[^\s,/@]+$")] | None = None
    superuser_arn: Annotated[str, StringConstraints(max_length=2048)] | None = Field(None, alias="masterarn")
    clone_of: _Name | None = Field(None, alias="cloneof")
    user_arn: Annotated[str, StringConstraints(max_length=2048)] | None = None

    @field_validator("*")
    @classmethod
    def _is_plain_text[T](cls, value: T) -> T:
        """A NUL would end a driver's connection string early, and with it the demand for TLS."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("holds a character that no target can take: a NUL or half of a surrogate pair")
        return value


DIRECTORY_ID = "directoryId"
_SEAMLESS_DOMAIN_JOIN = {
    "username": "awsSeamlessDomainUsername",
    "password": "awsSeamlessDomainPassword",
    DIRECTORY_ID: "awsSeamlessDomainDirectoryId",
}
"""What AWS calls these keys in secrets for Active Directory.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
"""
_KEYS = {field.alias or name for name, field in _Fields.model_fields.items()}


def _spelling(key: str, stored: Mapping[str, Any]) -> str:
    """The name under which a secret has a key."""
    other = _SEAMLESS_DOMAIN_JOIN.get(key, key)
    return other if other in stored and key not in stored else key


def _in_own_words(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same keys by the names that the function knows."""
    return {
        **stored,
        **{key: stored[_spelling(key, stored)] for key in _SEAMLESS_DOMAIN_JOIN if _spelling(key, stored) in stored},
    }


@dataclass(frozen=True)
class SecretDocument:
    """A secret's JSON: typed where the function reads it, untouched everywhere else.

    Unknown keys survive a rotation to the letter.
    """

    fields: _Fields
    _json: JsonObject = field(repr=False)

    @classmethod
    def parse(cls, text: str, whose: str) -> Self:
        """Read the JSON of the version that `whose` names in the error.

        Raises:
            SecretMalformedError: names the key at fault, never a value.
        """
        try:
            return cls._of(JsonObject.read(text), whose)
        except RepeatedKeyError as error:
            # Which key it is can be told only of those that are no secret for certain.
            name = f"the key {error.key}" if error.key in _KEYS else "a key that the function does not read"
            raise SecretMalformedError(f"the {whose} value holds {name} more than once") from None
        except ValueError as error:
            raise SecretMalformedError(f"the {whose} value {error}") from None

    @classmethod
    def _of(cls, json: JsonObject, whose: str) -> Self:
        try:
            keys = _in_own_words(json.values)
            fields = _Fields.model_validate({key: value for key, value in keys.items() if value is not None})
        except ValidationError as error:
            raise SecretMalformedError(f"the {whose} value has wrong keys: {describe_validation(error)}") from None
        return cls(fields, json)

    def changed(self, **keys: str | int | None) -> "SecretDocument":
        """A copy with other values; None removes the key."""
        return self._of(self._json.changed({_spelling(key, self._json.values): value for key, value in keys.items()}), "new")

    @property
    def keys(self) -> Mapping[str, Any]:
        """All keys with their values, by the names that the function knows; to be shown to nobody but the target."""
        return _in_own_words(self._json.values)

    def to_json(self) -> str:
        """The JSON that is stored: the only place that reveals the value."""
        return self._json.text()

    @property
    def engine(self) -> str:
        """The engine's name as the secret spells it.

        AWS's secrets for cache users say it by their key `user_arn`, those for Active Directory by the names of their keys.

        Raises:
            SecretMalformedError: the key is missing.
        """
        if self.fields.engine:
            return self.fields.engine
        if named := _SERVICE_OF_USER.match(self.fields.user_arn or ""):
            return named[1]
        if _spelling("username", self._json.values) != "username":
            return "activedirectory"
        raise SecretMalformedError("the key engine is missing")

    def holds_same_login(self, other: "SecretDocument") -> bool:
        """Whether both hold the same user and password."""
        mine, theirs = self.fields, other.fields
        return (mine.username, mine.password) == (theirs.username, theirs.password)


@dataclass(frozen=True)
class SecretVersion:
    """One version of a secret that has a value."""

    version_id: str
    created_at_ms: int
    """Milliseconds since the epoch."""
    document: SecretDocument


@dataclass(frozen=True)
class Login:
    """All that an engine needs to log in as the application would.

    Attributes:
        tls: False only if the secret says `"ssl": false`.
        tls_server_name: Name to expect in the certificate if it is not `host` (a CNAME, for example).
        document: All keys of the secret, for targets that need more than these.
    """

    host: str
    port: int
    dbname: str | None
    username: str
    password: SecretStr
    tls: bool
    tls_server_name: str | None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Progress:
    """What one step may tell a later one of the same rotation; a hint that is checked, and never anything secret.

    Attributes:
        started_at_ms: When the rotation began, milliseconds since the epoch.
        changed_at_ms: When the target stopped accepting the old credential; None while it accepts it.
    """

    started_at_ms: int
    changed_at_ms: int | None = None
    engine: str | None = None
    strategy: str | None = None
