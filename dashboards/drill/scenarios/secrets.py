"""The secret itself is wrong, gone, or changed while it is rotated."""

from collections.abc import Iterator
from contextlib import contextmanager

from dashboards.drill.deployment import PREFIX
from dashboards.drill.scenario import ATTEMPT, Scenario
from dashboards.drill.scenarios.spoiling import spoilt
from dashboards.drill.stage import Stage
from dashboards.drill.victim import Victim


@contextmanager
def _malformed(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    victim.store("user=app password=unknown")
    victim.rotate()
    yield
    victim.unstick()
    victim.store(victim.document)
    victim.succeed()
    victim.forget()


@contextmanager
def _other_server(stage: Stage) -> Iterator[None]:
    """The superuser's secret is for another server than the secret that names it."""
    # The local AWS loads a service with its first call, and that is no slowness of the function.
    stage.aws.client("rds").describe_db_clusters()
    superuser = Victim(stage, "", stage.secret("superuser-elsewhere", {**stage.superuser_document, "host": "other"}), {})
    victim = stage.victim(masterarn=superuser.arn)
    victim.rotate()
    yield
    superuser.store(stage.superuser_document)
    victim.recover()
    victim.forget()


@contextmanager
def _no_superuser(stage: Stage) -> Iterator[None]:
    victim = stage.victim(masterarn=f"{PREFIX}superuser")
    victim.rotate()
    yield
    stage.secret("superuser", stage.superuser_document)
    victim.recover()
    victim.forget()


@contextmanager
def _deleted(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    stage.before_step["setSecret"] = victim.forget
    victim.rotate()
    yield


@contextmanager
def _switched_off(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    stage.before_step["setSecret"] = victim.switch_off
    report = victim.rotate()
    yield
    victim.succeed(token=report.version_id)
    victim.forget()


@contextmanager
def _put_by_hand(stage: Stage) -> Iterator[None]:
    """A value is put by hand while a rotation is under way, which Secrets Manager then abandons."""
    victim = stage.victim()
    stage.before_step["setSecret"] = lambda: victim.store(victim.document)
    victim.rotate()
    yield
    victim.succeed()
    victim.forget()


SECRETS = (
    spoilt("secret-malformed", "The secret is not JSON", _malformed, "secret_malformed", "secret"),
    spoilt("superuser-elsewhere", "The superuser's secret is for another host", _other_server, "target_mismatch", "secret"),
    spoilt("superuser-missing", "The superuser's secret does not exist", _no_superuser, "superuser_unusable", "secret"),
    spoilt("secret-deleted", "The secret is deleted while it is rotated", _deleted, "secret_not_found", "secret"),
    Scenario(
        "switched-off-meanwhile",
        "Rotation is switched off while it is under way",
        _switched_off,
        ATTEMPT | {"cause-secret", "switched-off"},
        reason="secret_not_rotatable",
    ),
    Scenario(
        "rotation-abandoned",
        "A value is put by hand while a rotation is under way",
        _put_by_hand,
        ATTEMPT | {"cause-secret", "rotation-abandoned"},
        reason="version_not_pending",
    ),
)
