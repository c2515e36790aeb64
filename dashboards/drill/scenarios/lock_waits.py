"""setSecret, held up by another session's lock: the way to meet it in the middle of its work."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from dashboards.drill.stage import Stage
from dashboards.drill.victim import DrillError, Victim
from local.secrets_manager_rotation import RotationReport

_LOCK = "SELECT FROM pg_authid WHERE rolname = %s FOR UPDATE"
_WAITING = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'"

type Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Waiting:
    """A rotation whose setSecret waits: the session in its way, an administrator's session, and its own process id."""

    holder: Connection
    administrator: Connection
    process_id: int
    rotation: Future[RotationReport]


@contextmanager
def held_up(stage: Stage, victim: Victim) -> Iterator[Waiting]:
    """Rotate while an open transaction holds a lock on the role; leaving the block waits for the rotation's end."""
    with (
        ThreadPoolExecutor(1) as executor,
        stage.postgres.admin_connection() as holder,
        stage.postgres.admin_connection() as administrator,
    ):
        holder.execute("BEGIN")
        holder.execute(_LOCK, [victim.user])
        rotation = executor.submit(victim.rotate)
        yield Waiting(holder, administrator, _process_waiting(administrator, victim, rotation), rotation)
        rotation.result()


def _process_waiting(administrator: Connection, victim: Victim, rotation: Future[RotationReport]) -> int:
    while (row := administrator.execute(_WAITING, [victim.user]).fetchone()) is None:
        if rotation.done():
            raise DrillError(f"setSecret did not wait for the lock: {rotation.result().failure}")
    return int(row[0])
