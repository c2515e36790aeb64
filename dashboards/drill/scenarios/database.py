"""The database refuses the login, or the change."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from dashboards.drill.scenarios.lock_waits import held_up
from dashboards.drill.scenarios.spoiling import Obstacle, obstacle, spoilt
from dashboards.drill.stage import Stage
from dashboards.drill.victim import Victim
from local.postgres import PostgresServer

_FOR_ALL = "host all all 127.0.0.1/32 scram-sha-256"


def _altered(change: str, back: str) -> Obstacle:
    """The victim's role is altered, in the words that follow ALTER ROLE and its name."""

    @contextmanager
    def differently(_stage: Stage, victim: Victim) -> Iterator[None]:
        victim.alter(change)
        yield
        victim.alter(back)

    return differently


@contextmanager
def _other_password(_stage: Stage, victim: Victim) -> Iterator[None]:
    victim.set_password("changed by hand")
    yield
    victim.set_password(victim.password)


def _executed(change: str | None, back: str) -> Obstacle:
    """The administrator changes something, and changes it back."""

    @contextmanager
    def differently(stage: Stage, _victim: Victim) -> Iterator[None]:
        with stage.postgres.admin_connection() as connection:
            if change:
                connection.execute(sql.SQL(change))
            yield
            connection.execute(sql.SQL(back))

    return differently


def _access_rule(method: str) -> Obstacle:
    """A line of pg_hba.conf for the victim's user comes before the one for all."""

    @contextmanager
    def put_first(stage: Stage, victim: Victim) -> Iterator[None]:
        _write_access_rules(stage.postgres, f"host all {victim.user} 127.0.0.1/32 {method}", _FOR_ALL)
        yield
        _write_access_rules(stage.postgres, _FOR_ALL)

    return put_first


def _write_access_rules(postgres: PostgresServer, *lines: str) -> None:
    """Have the server itself write the file, and wait until it goes by it: it reads it some time after it is told to."""
    with postgres.admin_connection() as connection:
        path, before = _row(connection.execute("SELECT current_setting('hba_file'), pg_conf_load_time()").fetchone())
        rows = sql.SQL(", ").join(sql.SQL("({})").format(sql.Literal(line)) for line in lines)
        connection.execute(sql.SQL("COPY (VALUES {}) TO {}").format(rows, sql.Literal(path)))
        connection.execute("SELECT pg_reload_conf()")
    while True:
        with postgres.admin_connection() as connection:
            if _row(connection.execute("SELECT pg_conf_load_time()").fetchone())[0] > before:
                return


@contextmanager
def _restored(stage: Stage, victim: Victim) -> Iterator[None]:
    """The database goes back to the password before, after setSecret."""
    before = victim.password
    stage.before_step["testSecret"] = lambda: victim.set_password(before)
    yield


@contextmanager
def _shutting_down(stage: Stage, _victim: Victim) -> Iterator[None]:
    """An orderly shutdown waits for sessions to end, and lets nobody else in."""
    with stage.postgres.admin_connection() as session:
        found = session.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)").fetchone()
        os.kill(int(_row(found)[0]), signal.SIGTERM)
        yield
    stage.postgres.stop()
    stage.postgres.start()


@contextmanager
def _password_policy(stage: Stage, victim: Victim) -> Iterator[None]:
    """PostgreSQL's own policy module refuses the user's name as password, and that is what somebody has put."""
    victim.alter("SET session_preload_libraries = 'passwordcheck'")

    def put_user_name() -> None:
        with stage.aws.secrets_manager() as service:
            token = service.version_under_way(victim.arn)
        value = {**victim.document, "password": victim.user}
        victim.store(value, ClientRequestToken=token, VersionStages=["AWSPENDING"])

    stage.before_step["createSecret"] = put_user_name
    yield
    victim.alter("RESET session_preload_libraries")


@contextmanager
def _parameter_gone(stage: Stage) -> Iterator[None]:
    """An alternate gets the user's defaults; a library has meanwhile claimed the name of one of them for itself."""
    victim = stage.victim(masterarn=stage.secret("superuser-with-library", stage.superuser_document))
    victim.alter("SET auto_explain.level = 'high'")
    with stage.postgres.admin_connection() as connection:
        connection.execute("ALTER ROLE postgres SET session_preload_libraries = 'auto_explain'")
        victim.rotate()
        yield
        connection.execute("ALTER ROLE postgres RESET session_preload_libraries")
    victim.alter("RESET auto_explain.level")
    victim.recover()
    victim.forget()


@contextmanager
def _cancelled(stage: Stage) -> Iterator[None]:
    victim = stage.victim()
    with held_up(stage, victim) as waiting:
        waiting.administrator.execute("SELECT pg_cancel_backend(%s)", [waiting.process_id])
    yield
    victim.recover()
    victim.forget()


def _row(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:
        raise ValueError("the query gave no row")
    return row


DATABASE = (
    spoilt("password-wrong", "Somebody has changed the password", obstacle(_other_password), "credential_unknown", "login"),
    spoilt(
        "restored",
        "The database is restored between setSecret and testSecret",
        obstacle(_restored),
        "login_refused",
        "login",
    ),
    spoilt("role-locked", "The role may not log in", obstacle(_altered("NOLOGIN", "LOGIN")), "role_locked", "login"),
    spoilt("host-refused", "pg_hba.conf rejects the user", obstacle(_access_rule("reject")), "host_refused", "login"),
    spoilt(
        "database-missing",
        "The database does not exist",
        obstacle(_executed(None, "CREATE DATABASE ledger"), dbname="ledger"),
        "database_missing",
        "login",
    ),
    spoilt(
        "password-not-asked-for",
        "pg_hba.conf trusts the user without a password",
        obstacle(_access_rule("trust")),
        "authentication_unsafe",
        "tls",
    ),
    spoilt(
        "too-many-connections",
        "The role has used up its connections",
        obstacle(_altered("CONNECTION LIMIT 0", "CONNECTION LIMIT -1")),
        "target_saturated",
        "database",
    ),
    spoilt("shutting-down", "The server is shutting down", obstacle(_shutting_down), "target_not_ready", "database"),
    spoilt(
        "read-only",
        "The role's sessions are read-only",
        obstacle(_altered("SET default_transaction_read_only = on", "RESET default_transaction_read_only")),
        "target_read_only",
        "database",
    ),
    spoilt(
        "no-right-to-connect",
        "The right to connect is revoked",
        obstacle(
            _executed("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", "GRANT CONNECT ON DATABASE postgres TO PUBLIC")
        ),
        "privilege_missing",
        "database",
    ),
    spoilt(
        "password-policy", "A password policy refuses the value", obstacle(_password_policy), "password_refused", "database"
    ),
    spoilt(
        "statement-cancelled",
        "An administrator cancels setSecret, which waits for a lock",
        _cancelled,
        "target_busy",
        "database",
    ),
    spoilt(
        "parameter-gone",
        "A default of the user names a parameter that does not exist any more",
        _parameter_gone,
        "statement_rejected",
        "database",
    ),
)
