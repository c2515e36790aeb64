"""testSecret where the application logs in at a replica that lags behind its primary."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from local.contract.rotating import (
    OneSuperuser,
    SecretInRotation,
    document,
    engine_of,
    new_name,
    new_password,
    new_record,
    password_of,
    refused,
)
from local.postgres import PostgresServer
from rotation import steps
from rotation.errors import LoginRefusedError
from rotation.models import PENDING, Outcome, RotationEvent, SecretDescription, SecretDocument, SecretVersion
from rotation.settings import StrategyName
from rotation.strategies.alternating_users import AlternatingUsers
from tests.contract.postgres.servers import (
    StandbyServer,
    administer,
    can_log_in,
    create_role,
    keys_of,
    superuser_keys,
    wait_for,
)

TOKEN = "t" * 32


@dataclass
class PendingStore:
    """As much of Secrets Manager as testSecret looks at."""

    pending: SecretDocument

    def version(self, stage: str) -> SecretVersion | None:
        return SecretVersion(TOKEN, 0, self.pending) if stage == PENDING else None


@dataclass
class Replica:
    """A standby that applies nothing until it is told to."""

    server: StandbyServer
    primary: PostgresServer
    pauses: list[float] = field(default_factory=list)

    def hold(self) -> None:
        administer(self.server, "SELECT pg_wal_replay_pause()")
        wait_for(lambda: administer(self.server, "SELECT pg_get_wal_replay_pause_state()") == [("paused",)])

    def catch_up(self, at_most: float) -> Iterator[None]:
        """The one pause between two attempts, if there is to be one."""
        if not at_most:
            return
        self.pauses.append(at_most)
        ((goal,),) = administer(self.primary, "SELECT pg_current_wal_insert_lsn()::text")
        administer(self.server, "SELECT pg_wal_replay_resume()")
        wait_for(lambda: administer(self.server, f"SELECT pg_last_wal_replay_lsn() >= '{goal}'") == [(True,)])
        yield


@pytest.fixture
def rotation(primary: PostgresServer) -> SecretInRotation:
    name, password = new_name(), new_password()
    create_role(primary, name, password)
    secret = document(keys_of(primary, username=name, password=password, masterarn="arn:superuser"))
    return SecretInRotation(AlternatingUsers(), secret, document(superuser_keys(primary)))


def run_test_secret(rotation: SecretInRotation, replica: Replica) -> steps.StepResult:
    # Two names of one machine, because a replica is told by its host.
    pending = rotation.pending.changed(host="localhost", port=replica.server.port)
    return steps.test_secret(
        steps.Rotation(
            event=RotationEvent.model_validate({"Step": "testSecret", "SecretId": "s", "ClientRequestToken": TOKEN}),
            store=PendingStore(pending),  # type: ignore[arg-type]
            engine_for=engine_of,
            superusers=OneSuperuser(rotation.superuser),
            new_password=lambda _traits: SecretStr("unused"),
            default_strategy=StrategyName.AUTO,
            record=new_record(),
            remembered=None,
            progress=lambda: None,
            set_here=True,
            now_ms=lambda: 0,
            pauses=replica.catch_up,
        ),
        SecretDescription("arn", rotation_enabled=True, stages={TOKEN: (PENDING,)}, tags={}),
    )


def test_a_replica_that_lags_behind_is_waited_for(rotation: SecretInRotation, primary: PostgresServer) -> None:
    with StandbyServer(primary) as standby:
        replica = Replica(standby, primary)
        replica.hold()
        rotation.create()
        rotation.set()
        pending = rotation.pending
        assert can_log_in(primary, pending.fields.username, password_of(pending))
        assert not can_log_in(standby, pending.fields.username, password_of(pending))
        assert run_test_secret(rotation, replica).outcome is Outcome.SUCCEEDED
        assert len(replica.pauses) == 1


def test_a_primary_that_refuses_is_not_waited_for(rotation: SecretInRotation, primary: PostgresServer) -> None:
    rotation.create()
    rotation.set()
    rotation.pending = rotation.pending.changed(password=new_password())
    with StandbyServer(primary) as standby:
        replica = Replica(standby, primary)
        rotation.superuser = rotation.superuser.changed(host="localhost")
        with refused(LoginRefusedError, password_of(rotation.pending)):
            run_test_secret(rotation, replica)
        assert replica.pauses == []
