"""Rotations that do not happen, or do not end."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from dashboards.drill.scenario import ATTEMPT, Scenario
from dashboards.drill.stage import Stage

_A_WHILE = 100
"""Simulated minutes: an hour of grace, the time until the next look, and some."""


@contextmanager
def _never_invoked(stage: Stage) -> Iterator[None]:
    """The date of the next rotation passes, and nothing happens."""
    victim = stage.victim()
    victim.succeed()
    victim.grow_older(timedelta(days=30))
    yield
    victim.succeed()
    victim.forget()


@contextmanager
def _stuck(stage: Stage) -> Iterator[None]:
    """An attempt fails at its end, and Secrets Manager does not repeat it."""
    victim = stage.victim()
    stage.aws.fail("secretsmanager", "UpdateSecretVersionStage", code="AccessDeniedException", message="not authorized")
    victim.rotate()
    yield
    stage.aws.clear_faults()
    victim.recover()
    victim.forget()


@contextmanager
def _begun(stage: Stage) -> Iterator[None]:
    """After createSecret, nothing more is called."""
    victim, version_id = stage.victim(), str(uuid.uuid4())
    with stage.aws.secrets_manager() as service:
        service.rotate_secret(victim.arn, version_id, stage.rotation.arn, {"AutomaticallyAfterDays": 30})
    victim.step("createSecret", version_id)
    yield
    victim.succeed(token=version_id)
    victim.forget()


@contextmanager
def _switched_off(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    victim.succeed()
    victim.switch_off()
    yield
    victim.succeed()
    victim.forget()


@contextmanager
def _old(stage: Stage) -> Iterator[None]:
    """Rotated once a year, which is longer than the alarm allows."""
    victim = stage.victim()
    victim.succeed(rotation_rules={"AutomaticallyAfterDays": 365})
    victim.grow_older(timedelta(days=101))
    yield
    victim.succeed()
    victim.forget()


@contextmanager
def _gap(stage: Stage) -> Iterator[None]:
    """The password is changed, but AWSCURRENT does not move before the retry ten minutes later."""
    victim = stage.victim()
    stage.aws.fail("secretsmanager", "UpdateSecretVersionStage", code="AccessDeniedException", message="not authorized")
    victim.rotate()
    stage.run(10)
    stage.aws.clear_faults()
    victim.recover()
    yield
    victim.forget()


@contextmanager
def _test_run(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    victim.alter("NOLOGIN")
    victim.rotate(rotate_immediately=False)
    yield
    victim.alter("LOGIN")
    victim.succeed(rotate_immediately=False)
    victim.forget()


FLEET = (
    Scenario(
        "never-invoked",
        "The date of a rotation passes, and nothing happens",
        _never_invoked,
        frozenset({"overdue", "rotation-unhealthy"}),
        patience=_A_WHILE,
    ),
    Scenario(
        "pending-stuck",
        "An attempt fails at its end, and is not repeated",
        _stuck,
        ATTEMPT | {"cause-permission", "stuck"},
        # By then the database has long had the new password, and with the repetition that comes to light.
        alongside=frozenset({"credential-gap"}),
        reason="access_denied",
        patience=_A_WHILE,
    ),
    Scenario(
        "begun-never-finished",
        "A rotation is begun and never finished",
        _begun,
        frozenset({"stuck", "rotation-unhealthy"}),
        patience=_A_WHILE,
    ),
    Scenario("switched-off", "Rotation is switched off", _switched_off, frozenset({"switched-off"})),
    Scenario("credential-old", "A credential is older than allowed", _old, frozenset({"credential-too-old"})),
    Scenario(
        "credential-gap",
        "Clients have no working credential for ten minutes",
        _gap,
        ATTEMPT | {"cause-permission", "credential-gap"},
        reason="access_denied",
    ),
    Scenario(
        "test-run-failed",
        "A test-only run fails",
        _test_run,
        frozenset({"test-run-failed", "cause-login"}),
        reason="role_locked",
    ),
)
