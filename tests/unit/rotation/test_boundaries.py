"""Where errors of others enter, their words end: each boundary with errors that quote a secret in every way they can."""

from typing import Any

import psycopg
import pytest
from aws_lambda_powertools.utilities.idempotency import exceptions as idempotency
from pydantic import BaseModel, SecretStr, ValidationError, field_validator

from rotation.app import _parse
from rotation.engines.postgres_errors import LOGIN_PHRASES, login_error, statement_error
from rotation.errors import EventInvalidError, InternalError, RotationError, TargetError
from rotation.models import Login
from rotation.settings import describe_validation
from tests.unit.rotation.test_observability import Observed

pytestmark = pytest.mark.reliability

SENTINEL = "Sentinel-7f3a91c2"
LOGIN = Login("db", 5432, None, "app", SecretStr(SENTINEL), tls=False, tls_server_name=None)


def driver_errors() -> list[type[psycopg.Error]]:
    found, waiting = [], [psycopg.Error]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


@pytest.mark.parametrize("name", ["begin", "alter_role", "commit"])
def test_no_error_of_the_driver_is_repeated_for_a_statement(name: str) -> None:
    kinds = driver_errors()
    assert len(kinds) > 200
    for kind in kinds:
        error = statement_error(kind(f"ALTER ROLE app PASSWORD '{SENTINEL}'"), name)
        assert isinstance(error, TargetError)
        assert SENTINEL not in str(error)


@pytest.mark.parametrize("phrase", [phrase for phrase, _, _ in LOGIN_PHRASES])
def test_no_error_of_the_driver_is_repeated_for_a_login(phrase: str) -> None:
    for text in (f"{phrase} {SENTINEL}", f"{SENTINEL} {phrase}", f'"{SENTINEL}" {phrase}'):
        assert SENTINEL not in str(login_error(psycopg.OperationalError(text), LOGIN))


class _Quoting(BaseModel):
    text: int = 0
    own: str = ""

    @field_validator("own")
    @classmethod
    def _refuse(cls, value: str) -> str:  # noqa: ARG003 - what it refuses is everything
        raise ValueError("is refused")


@pytest.mark.parametrize(
    "value", [{"text": SENTINEL}, {"own": SENTINEL}, {"text": [SENTINEL]}, [SENTINEL], SENTINEL], ids=str
)
def test_no_input_of_a_validation_is_repeated(value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        _Quoting.model_validate(value)
    assert SENTINEL in str(caught.value) + str(caught.value.errors())
    assert SENTINEL not in describe_validation(caught.value)


@pytest.mark.parametrize(
    "event",
    [SENTINEL, SENTINEL.encode(), [SENTINEL], {SENTINEL}, object(), {"Step": object()}, 1j],
    ids=lambda event: type(event).__name__,
)
def test_no_event_is_repeated_whatever_it_is(event: Any) -> None:
    with pytest.raises(EventInvalidError) as caught:
        _parse(event)
    assert SENTINEL not in str(caught.value)
    assert caught.value.__suppress_context__


QUOTING: list[Exception] = [
    idempotency.IdempotencyPersistenceLayerError("Failed to save", ValueError(SENTINEL)),
    idempotency.IdempotencyInvalidStatusError(SENTINEL),
    idempotency.IdempotencyAlreadyInProgressError(SENTINEL),
    KeyError(SENTINEL),
    UnicodeDecodeError("utf-8", SENTINEL.encode(), 0, 1, SENTINEL),
    ExceptionGroup(SENTINEL, [ValueError(SENTINEL)]),
    OSError(5, SENTINEL, SENTINEL),
]


@pytest.mark.parametrize("error", QUOTING, ids=lambda error: type(error).__name__)
def test_an_error_that_nobody_expected_leaves_with_its_class_alone(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    error.add_note(SENTINEL)
    error.__cause__ = ValueError(SENTINEL)
    observed = Observed("DEBUG")
    with pytest.raises(RotationError) as caught, observed.step(step="setSecret"):
        raise error
    assert type(caught.value) is InternalError
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert SENTINEL not in f"{caught.value} {observed._log.getvalue()} {capsys.readouterr()}"
