"""Handlers with a defect each, such as rotation functions have in the field: the proof that the matrix notices them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from rotation import app, steps
from rotation.engines.postgres import PostgresEngine
from rotation.errors import AwsError, AwsRejectedError
from rotation.models import CURRENT, Login, Outcome, SecretDescription, SecretDocument, Step
from rotation.observability import Observability
from rotation.protocols import Session
from rotation.secret_store import SecretsManagerStore


class Defects:
    """One defect each; a method puts it into the code."""

    @staticmethod
    def none() -> None:
        """The code as it is."""

    @staticmethod
    def takes_an_existing_value_for_an_error() -> None:
        put = SecretsManagerStore.put_pending

        def put_once(self: SecretsManagerStore, document: SecretDocument) -> bool:
            if not put(self, document):
                raise AwsRejectedError("there is a value already")
            return True

        _replace(SecretsManagerStore, "put_pending", put_once)

    @staticmethod
    def moves_the_label_before_the_target_knows() -> None:
        set_secret = steps.set_secret

        def move_and_set(rotation: steps.Rotation, secret: SecretDescription) -> steps.StepResult:
            rotation.store.move_current(secret.version_of(CURRENT))
            return set_secret(rotation, secret)

        _steps()[Step.SET] = move_and_set

    @staticmethod
    def claims_to_have_moved_the_label() -> None:
        finish_secret = steps.finish_secret

        def finish_anyhow(rotation: steps.Rotation, secret: SecretDescription) -> steps.StepResult:
            try:
                return finish_secret(rotation, secret)
            except AwsError:
                return steps.StepResult(Outcome.SUCCEEDED)

        _steps()[Step.FINISH] = finish_anyhow

    @staticmethod
    def keeps_failures_to_itself() -> None:
        emit_metrics = Observability._emit_metrics

        def emit_successes(self: Observability, record: Any, failure: Any, *figures: Any) -> None:
            if failure is None:
                emit_metrics(self, record, failure, *figures)

        _replace(Observability, "_emit_metrics", emit_successes)

    @staticmethod
    def prints_the_login_that_failed() -> None:
        log_in = PostgresEngine.log_in

        @contextmanager
        def log_in_aloud(self: PostgresEngine, login: Login) -> Iterator[Session]:
            try:
                with log_in(self, login) as session:
                    yield session
            except Exception:
                sys.stderr.write(f"{login.username}:{login.password.get_secret_value()}\n")
                raise

        _replace(PostgresEngine, "log_in", log_in_aloud)


def _steps() -> dict[Step, Any]:
    return cast("dict[Step, Any]", steps._STEPS)


def _replace(owner: type, name: str, by: Any) -> None:
    setattr(owner, name, by)


getattr(Defects, os.environ["DEFECT"])()


def lambda_handler(event: Any, context: Any) -> dict[str, str]:
    """The real handler, with one defect."""
    return app.lambda_handler(event, context)
