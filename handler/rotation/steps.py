"""The four steps and the guard in front of them.

Secrets Manager repeats the whole sequence with the same token when a step fails, so every step can be repeated at any
time: it looks at the staging labels and at the target, never at what it remembers to have done. Nothing here removes
AWSPENDING; the service does.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import SecretStr

from rotation.errors import (
    AwsRejectedError,
    SecretMalformedError,
    SecretNotRotatableError,
    VersionNotPendingError,
)
from rotation.models import (
    CURRENT,
    PENDING,
    PREVIOUS,
    Outcome,
    Progress,
    RotationEvent,
    RunKind,
    SecretDescription,
    SecretDocument,
    SecretVersion,
    Step,
)
from rotation.protocols import Engine, EngineFor, EngineTraits, SecretStore, Superusers
from rotation.settings import StrategyName
from rotation.step_record import StepRecord
from rotation.strategies import choose
from rotation.strategies.change import Change, Creation, Strategy, check_same_target, login_of, settled

_REPLICATION_SECONDS = 10.0
"""A replica learns of a password some time after the primary on which it was set."""


@dataclass(frozen=True)
class Rotation:
    """Everything one step works with.

    Attributes:
        new_password: Makes a password that fits an engine.
        remembered: What an earlier run of this very step left behind; None if there was none.
        progress: What setSecret left behind for this rotation, as far as is known.
        set_here: Whether this environment ran setSecret for this token, so that it cannot be a test-only run.
        now_ms: Milliseconds since the epoch.
        pauses: Pauses between tries, for that many seconds in all if the invocation's deadline allows it.
    """

    event: RotationEvent
    store: SecretStore
    engine_for: EngineFor
    superusers: Superusers
    new_password: Callable[[EngineTraits], SecretStr]
    default_strategy: StrategyName
    record: StepRecord
    remembered: Progress | None
    progress: Callable[[], Progress | None]
    set_here: bool
    now_ms: Callable[[], int]
    pauses: Callable[[float], Iterator[None]]

    def previous(self) -> SecretDocument | None:
        """What AWSPREVIOUS holds."""
        return _document(self.store.version(PREVIOUS))

    def unlabelled(self) -> Iterator[SecretDocument]:
        """What versions without labels hold."""
        return (version.document for version in self.store.unlabelled())


@dataclass(frozen=True)
class StepResult:
    """How a step ended, and what it passes on."""

    outcome: Outcome
    progress: Progress | None = None


def run_step(rotation: Rotation) -> StepResult:
    """Run the step that the event asks for.

    Raises:
        RotationError: the step failed; it can be repeated.
    """
    secret = rotation.store.describe()
    rotation.record.note(secret_arn=secret.arn)
    token = rotation.event.client_request_token
    if CURRENT in secret.stages.get(token, ()):
        return StepResult(Outcome.ALREADY_CURRENT)
    _guard(secret, token)
    return _STEPS[rotation.event.step](rotation, secret)


def create_secret(rotation: Rotation, secret: SecretDescription) -> StepResult:
    """Give the pending version a value, unless it has one: that is rolled forward."""
    current = _existing(rotation.store.version(CURRENT), CURRENT)
    engine, strategy = _means(rotation, secret, current.document)
    progress = Progress(rotation.now_ms(), engine=current.document.engine, strategy=strategy.name)
    kept = rotation.store.version(PENDING) if strategy.acts_at_creation else None
    if kept is None:
        creation = Creation(
            engine=engine,
            current=current.document,
            previous=rotation.previous,
            unlabelled=rotation.unlabelled,
            superusers=rotation.superusers,
            rotation_id=rotation.event.client_request_token,
            new_password=rotation.new_password,
        )
        pending = strategy.next_document(creation)
        # Put first and look later: the service refuses a second value for a token, which also settles a race of two.
        if rotation.store.put_pending(pending):
            return StepResult(Outcome.SUCCEEDED, progress)
        kept = rotation.store.version(PENDING)
        # A target that recognises a repeated request has given both of them one and the same.
        if kept is None or not kept.document.holds_same_login(pending):
            strategy.take_back(creation, pending)
        kept = _existing(kept, PENDING)
    return StepResult(Outcome.ROLLED_FORWARD, replace(progress, started_at_ms=kept.created_at_ms))


def set_secret(rotation: Rotation, secret: SecretDescription) -> StepResult:
    """Make the target accept the pending value."""
    pending = _existing(rotation.store.version(PENDING), PENDING)
    current = _existing(rotation.store.version(CURRENT), CURRENT)
    engine, strategy = _means(rotation, secret, current.document)
    check_same_target(current.document, pending.document, engine.traits)
    strategy.check_user(current.document, pending.document, engine.traits)
    change = Change(
        engine=engine,
        current=current.document,
        pending=pending.document,
        previous=rotation.previous,
        unlabelled=rotation.unlabelled,
        superusers=rotation.superusers,
        pending_first=rotation.remembered is not None,
        rotation_id=rotation.event.client_request_token,
        pauses=rotation.pauses,
    )
    accepted = strategy.set_pending(change)
    rotation.record.note(accepted=accepted)
    interrupts = strategy.interrupts_clients and change.is_interruption()
    changed_at = _changed_at(rotation, pending, already=accepted == PENDING) if interrupts else None
    progress = Progress(pending.created_at_ms, changed_at, engine=current.document.engine, strategy=strategy.name)
    return StepResult(Outcome.ALREADY_SET if accepted == PENDING else Outcome.SUCCEEDED, progress)


def test_secret(rotation: Rotation, secret: SecretDescription) -> StepResult:
    """Log in with the pending value, as the application will."""
    pending = _existing(rotation.store.version(PENDING), PENDING)
    if not rotation.set_here:
        _recognise_test_run(rotation, pending)
    _prove(rotation, secret, pending.document)
    return StepResult(Outcome.SUCCEEDED)


def finish_secret(rotation: Rotation, secret: SecretDescription) -> StepResult:
    """Move AWSCURRENT to the pending version, if the target accepts it at this moment.

    Since testSecret the target may have been restored, and nobody but Secrets Manager's habit says that there was one.
    """
    _prove(rotation, secret, _existing(rotation.store.version(PENDING), PENDING).document)
    progress = rotation.progress()
    if progress is not None:
        rotation.record.note(engine=progress.engine, strategy=progress.strategy)
    try:
        rotation.store.move_current(secret.version_of(CURRENT))
    except AwsRejectedError:
        # The label moved since it was read. If it went where it should, all is well: then it was this very call, whose
        # first attempt took effect but lost its answer. It counts as what it is, a rotation that succeeded.
        token, moved = rotation.event.client_request_token, rotation.store.describe()
        if CURRENT not in moved.stages.get(token, ()):
            _guard(moved, token)  # where AWSPENDING went as well, the rotation is over, which says more
            raise
    now = rotation.now_ms()
    rotation.record.note(rotated=True)
    if progress is not None:
        gap = 0 if progress.changed_at_ms is None else now - progress.changed_at_ms
        rotation.record.note(
            rotation_duration_ms=max(0, now - progress.started_at_ms),
            credential_gap_ms=max(0, gap),
        )
    return StepResult(Outcome.SUCCEEDED)


_STEPS: Mapping[Step, Callable[[Rotation, SecretDescription], StepResult]] = {
    Step.CREATE: create_secret,
    Step.SET: set_secret,
    Step.TEST: test_secret,
    Step.FINISH: finish_secret,
}


def _guard(secret: SecretDescription, token: str) -> None:
    if not secret.rotation_enabled:
        raise SecretNotRotatableError("rotation is switched off for this secret")
    if PENDING not in secret.stages.get(token, ()):
        what = "is not labelled AWSPENDING" if token in secret.stages else "does not exist or has lost all its labels"
        raise VersionNotPendingError(f"the version with this ClientRequestToken {what}")


def _prove(rotation: Rotation, secret: SecretDescription, pending: SecretDocument) -> None:
    """Log in with the pending credential; a target that may still have to learn of it is waited for."""
    engine, strategy = _means(rotation, secret, pending)

    def pauses() -> Iterator[None]:
        return rotation.pauses(_seconds_to_settle(rotation, engine, strategy, pending))

    with settled(engine, login_of(pending, engine.traits), pauses) as session:
        session.check()


def _means(rotation: Rotation, secret: SecretDescription, document: SecretDocument) -> tuple[Engine, Strategy]:
    """Engine and strategy for a document, noted for the record as soon as they are known."""
    rotation.record.note(host=document.fields.host)
    engine = rotation.engine_for(document)
    rotation.record.note(engine=document.engine)
    strategy = choose(secret, document, rotation.default_strategy, engine.traits)
    rotation.record.note(strategy=strategy.name.value)
    return engine, strategy


def _seconds_to_settle(rotation: Rotation, engine: Engine, strategy: Strategy, pending: SecretDocument) -> float:
    """How long the target may still refuse a credential that was set."""
    is_replica = strategy.needs_superuser and rotation.superusers.login_for(pending).host != pending.fields.host
    return max(engine.traits.settles_within_seconds, _REPLICATION_SECONDS if is_replica else 0.0)


def _recognise_test_run(rotation: Rotation, pending: SecretVersion) -> None:
    current = _document(rotation.store.version(CURRENT))
    if current is not None and current.holds_same_login(pending.document):
        rotation.record.note(run_kind=RunKind.TEST.value)


def _changed_at(rotation: Rotation, pending: SecretVersion, *, already: bool) -> int | None:
    """When clients lost their credential: now, when it is remembered, or else at the earliest possible moment."""
    if rotation.remembered is not None and rotation.remembered.changed_at_ms is not None and already:
        return rotation.remembered.changed_at_ms
    return pending.created_at_ms if already else rotation.now_ms()


def _existing(version: SecretVersion | None, stage: str) -> SecretVersion:
    if version is None:
        raise SecretMalformedError(
            f"the {stage} version has no value", remedy="Store a value, or start the rotation again with RotateSecret."
        )
    return version


def _document(version: SecretVersion | None) -> SecretDocument | None:
    return version.document if version else None
