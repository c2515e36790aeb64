"""Every SQLSTATE that is told apart, as a real server gives it, and all others accounted for."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from local.contract import peers
from local.contract.rotating import deadline_in, document, log_in, new_name, new_password, password_of, refused
from local.postgres import PostgresServer
from rotation.engines.postgres_errors import PASSWORD_STATES, STATEMENT_STATES
from rotation.errors import ConnectionLostError, StatementRejectedError, TargetBusyError, TargetReadOnlyError
from rotation.models import SecretDocument
from tests.contract.postgres.servers import (
    RuledServer,
    StandbyServer,
    administer,
    all_roles,
    create_role,
    keys_of,
    log_of,
    superuser_keys,
    wait_for,
)

KINDS = {state: kind for state, kind, _ in (*STATEMENT_STATES, *PASSWORD_STATES)}
BROUGHT_ABOUT: set[str] = set()
NOT_BROUGHT_ABOUT = {"08": "no server sends it to a session in progress; poolers do (PgBouncer: 08P01)"}

REJECTED: Mapping[str, str] = {
    "00": "success", "01": "warnings", "02": "warnings", "03": "no cursors are used",
    "09": "no triggers", "0A": "a server without SCRAM or roles", "0B": "BEGIN is sent once", "0F": "no large objects",
    "0L": "a circle of memberships, which a person has to untangle", "0P": "a role specification that is wrong",
    "0Z": "no handlers", "10": "no XML", "20": "no CASE", "21": "one column is asked for",
    "24": "no cursors", "26": "no prepared names", "27": "no triggers", "28": "only in logins, where it has no state",
    "2B": "nothing is dropped", "2D": "the transaction is the session's own", "2F": "no functions", "34": "no cursors",
    "38": "no functions", "39": "no functions", "3B": "no savepoints", "3D": "only in logins, where it has no state",
    "3F": "no schema is named", "44": "no views", "54": "limits that no role reaches",
    "58": "the server's disk or files: its log says more", "72": "no snapshots are imported",
    "F0": "the server's configuration file: its log says more", "HV": "no foreign data",
    "P0": "no functions", "XX": "the server's own defects: its log says more",
}  # fmt: skip
"""Classes of states of which none is told apart, and why StatementRejectedError says enough."""


def reaches[Test: Callable[..., None]](state: str) -> Callable[[Test], Test]:
    """Marks the test that brings a state about."""
    BROUGHT_ABOUT.add(state)
    return lambda test: test


@contextmanager
def while_waiting(server: PostgresServer, then: Callable[[int], object]) -> Iterator[None]:
    """Do something to the function's session as soon as it waits for a lock; `then` gets its process id."""

    def watch() -> None:
        found: list[int] = []
        with server.admin_connection() as admin:

            def is_waiting() -> bool:
                rows = admin.execute(
                    "SELECT pid FROM pg_stat_activity"
                    " WHERE application_name = 'secret-rotation' AND wait_event_type = 'Lock'"
                )
                found.extend(pid for (pid,) in rows)
                return bool(found)

            wait_for(is_waiting)
            then(found[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        watcher.join()


@contextmanager
def altering(server: PostgresServer, name: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Another session's transaction that has altered the role and not ended."""
    with server.admin_connection() as other:
        other.execute("BEGIN")
        other.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 9").format(sql.Identifier(name)))
        yield other


@reaches("25006")
def test_a_role_that_is_read_only_by_default(secret: SecretDocument, server: PostgresServer) -> None:
    administer(server, "ALTER ROLE {} SET default_transaction_read_only = on", secret.fields.username)
    with refused(KINDS["25006"]), log_in(secret) as session:
        session.set_password(secret.fields.username, SecretStr(new_password()))


def test_a_replica(primary: PostgresServer) -> None:
    with (
        StandbyServer(primary) as standby,
        refused(TargetReadOnlyError) as refusal,
        log_in(document(superuser_keys(standby))) as session,
    ):
        session.check()
        session.set_password("postgres", SecretStr(new_password()))
    assert "replica" in str(refusal.error)


@reaches("42501")
def test_a_missing_right(secret: SecretDocument) -> None:
    with refused(KINDS["42501"]), log_in(secret) as session:
        session.set_password("postgres", SecretStr(new_password()))


@reaches("55P03")
def test_a_lock_that_is_not_free_in_time(secret: SecretDocument, server: PostgresServer) -> None:
    with altering(server, secret.fields.username), refused(KINDS["55P03"]) as refusal, log_in(secret, 3.5) as session:
        session.set_password(secret.fields.username, SecretStr(new_password()))
    assert "55P03" in refusal.message


@reaches("57014")
def test_a_statement_that_somebody_cancels(secret: SecretDocument, server: PostgresServer) -> None:
    def cancel(pid: int) -> None:
        administer(server, f"SELECT pg_cancel_backend({pid})")

    with (
        altering(server, secret.fields.username),
        while_waiting(server, cancel),
        refused(KINDS["57014"]),
        log_in(secret) as session,
    ):
        session.set_password(secret.fields.username, SecretStr(new_password()))


def test_a_statement_that_takes_too_long_is_ended_by_the_server(secret: SecretDocument, server: PostgresServer) -> None:
    deadline = deadline_in(3.5)
    with deadline.enforced(), refused(KINDS["57014"]), log_in(secret, 3.5) as session:
        session._execute("check", "SELECT pg_sleep(600)")  # type: ignore[attr-defined]
    assert deadline.remaining() > 0
    assert "canceling statement due to statement timeout" in log_of(server)


@reaches("57P")
def test_a_session_that_the_server_ends(secret: SecretDocument, server: PostgresServer) -> None:
    def terminate(pid: int) -> None:
        administer(server, f"SELECT pg_terminate_backend({pid})")

    with (
        altering(server, secret.fields.username),
        while_waiting(server, terminate),
        refused(KINDS["57P"]),
        log_in(secret) as session,
    ):
        session.set_password(secret.fields.username, SecretStr(new_password()))


def test_a_server_that_dies() -> None:
    with (
        RuledServer(["host all all all scram-sha-256"]) as server,
        refused(ConnectionLostError),
        log_in(document(superuser_keys(server))) as session,
    ):
        server.stop()
        session.check()


@reaches("53")
def test_a_server_without_memory_for_locks() -> None:
    settings = {"max_connections": "6", "max_wal_senders": "0", "max_locks_per_transaction": "10"}
    with RuledServer(["host all all all scram-sha-256"], settings=settings) as server:
        password = new_password()
        create_role(server, "app", password)
        with (
            server.admin_connection() as hoarder,
            refused(KINDS["53"]),
            log_in(document(keys_of(server, username="app", password=password))) as session,
        ):
            with pytest.raises(psycopg.errors.OutOfMemory):
                hoarder.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 100000) n")
            session.set_password("app", SecretStr(new_password()))


@reaches("40")
def test_a_deadlock(secret: SecretDocument, superuser: SecretDocument, server: PostgresServer) -> None:
    mine, other = secret.fields.username, new_name()
    create_role(server, other, new_password())
    # Whoever looks first finds the deadlock and gives way; that is to be the function's session.
    administer(server, "ALTER ROLE postgres SET deadlock_timeout = '10ms'")
    try:
        with altering(server, other) as rival, refused(KINDS["40"]):
            rival.execute("SET deadlock_timeout = '1min'")
            with log_in(superuser) as session:
                session.set_password(mine, SecretStr(new_password()))
                blocked = threading.Thread(target=rival.execute, args=(f'ALTER ROLE "{mine}" CONNECTION LIMIT 9',))
                blocked.start()
                session.set_password(other, SecretStr(new_password()))
        blocked.join()
    finally:
        administer(server, "ALTER ROLE postgres RESET deadlock_timeout")


def test_two_sessions_that_alter_one_role(secret: SecretDocument, server: PostgresServer) -> None:
    with (
        altering(server, secret.fields.username) as rival,
        while_waiting(server, lambda _: rival.execute("COMMIT")),
        refused(TargetBusyError) as refusal,
        log_in(secret) as session,
    ):
        session.set_password(secret.fields.username, SecretStr(new_password()))
    assert "another session" in refusal.message


@reaches("23505")
def test_two_sessions_that_make_one_clone_at_the_same_time(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
) -> None:
    clone = new_name("clone")
    with server.admin_connection() as rival:
        rival.execute("BEGIN")
        rival.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(clone)))
        with (
            while_waiting(server, lambda _: rival.execute("COMMIT")),
            refused(KINDS["23505"]) as refusal,
            log_in(superuser) as session,
        ):
            session.provide_clone(secret.fields.username, clone)
    assert "23505" in refusal.message


@reaches("42710")
def test_two_sessions_that_make_one_clone_one_after_the_other(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
) -> None:
    clone = new_name("clone")
    plan = {"cue": b"CREATE ROLE", "before": lambda: create_role(server, clone, new_password())}
    with (
        peers.wiretap(server.port, **plan) as tap,
        refused(KINDS["42710"]),
        log_in(superuser.changed(port=tap.port)) as session,
    ):
        session.provide_clone(secret.fields.username, clone)


@reaches("22023")
def test_a_password_policy(secret: SecretDocument, server: PostgresServer) -> None:
    user = secret.fields.username
    administer(server, "ALTER ROLE {} SET session_preload_libraries = 'passwordcheck'", user)
    with refused(KINDS["22023"]), log_in(secret) as session:
        session.set_password(user, SecretStr(user))


def test_the_state_of_a_password_policy_means_nothing_of_the_kind_elsewhere(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer
) -> None:
    owner = secret.fields.username
    with server.admin_connection() as admin:
        # As after an upgrade that took a value away.
        admin.execute(
            "INSERT INTO pg_db_role_setting"
            " SELECT 0, oid, '{client_min_messages=shouted}' FROM pg_authid WHERE rolname = %s",
            [owner],
        )
    with refused(StatementRejectedError) as refusal, log_in(superuser) as session:
        session.provide_clone(owner, owner + "_clone")
    assert "22023" in refusal.message


def test_a_role_that_vanishes(superuser: SecretDocument) -> None:
    with refused(StatementRejectedError) as refusal, log_in(superuser) as session:
        session.set_password(new_name("gone"), SecretStr(new_password()))
    assert "42704" in refusal.message


@pytest.mark.parametrize("cue", [b"CREATE ROLE", b"GRANT", b'SET "role"', b"PASSWORD", b"COMMIT"])
def test_a_session_that_breaks_at_any_statement_leaves_nothing_behind(
    secret: SecretDocument, superuser: SecretDocument, server: PostgresServer, cue: bytes
) -> None:
    owner, new = secret.fields.username, new_password()
    before = all_roles(server)

    def end_session() -> None:
        administer(
            server, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'secret-rotation'"
        )

    with (
        peers.wiretap(server.port, cue=cue, before=end_session) as tap,
        refused(ConnectionLostError, new),
        log_in(superuser.changed(port=tap.port)) as session,
    ):
        session.provide_clone(owner, owner + "_clone")
        session.set_password(owner + "_clone", SecretStr(new))
    assert cue in tap.everything_sent
    assert all_roles(server) == before


def test_every_state_is_brought_about_or_has_a_reason_why_not() -> None:
    assert set(KINDS) == BROUGHT_ABOUT | set(NOT_BROUGHT_ABOUT)


def test_every_state_that_postgresql_knows_is_accounted_for() -> None:
    known = {
        error.sqlstate
        for error in vars(psycopg.errors).values()
        if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
    }
    assert len(known) > 200
    told_apart = {state[:2] for state in KINDS}
    assert not told_apart & set(REJECTED)
    assert {state[:2] for state in known} - told_apart == set(REJECTED) & {state[:2] for state in known}
    for prefix in KINDS:
        assert any(state.startswith(prefix) for state in known)


def test_passwords_are_not_shown_by_a_rejected_statement(secret: SecretDocument, superuser: SecretDocument) -> None:
    new = new_password()
    with refused(StatementRejectedError, new, password_of(secret)), log_in(superuser) as session:
        session.set_password("no such role", SecretStr(new))
