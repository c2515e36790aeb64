"""How each phrase by which a failed login is recognised comes about, on a real server or network."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

import psycopg
import pytest

from local.contract import peers
from local.contract.rotating import document, new_name, new_password
from local.postgres import PostgresServer
from rotation.models import SecretDocument
from tests.contract.postgres import fake_server
from tests.contract.postgres.authorities import Authority
from tests.contract.postgres.servers import (
    DEBIAN_BIN_DIR,
    RuledServer,
    StandbyServer,
    administer,
    application,
    create_role,
    keys_of,
    superuser_keys,
    wait_for,
    wait_for_log,
)

SCRAM_FOR_ALL = ("host all all all scram-sha-256",)
Situation = Callable[[pytest.FixtureRequest], AbstractContextManager[SecretDocument]]
SITUATIONS: dict[str, Situation] = {}
"""By phrase: brings it about and gives a secret whose login meets it."""

NOT_BROUGHT_ABOUT: Mapping[str, str] = {
    "No route to host": "a router's answer; loopback has none. The text is the C library's for EHOSTUNREACH.",
    "system is not yet accepting connections": (
        "a standby before it is consistent, for moments; the same line of the server says it as "
        "'is not accepting connections', which is brought about."
    ),
}

SAID_BETTER: Mapping[str, str] = {"does not match host name": "IP address mismatch"}
"""Where a look at the server's certificate says more than the phrase."""


def situation(phrase: str) -> Callable[[Callable[[pytest.FixtureRequest], Iterator[SecretDocument]]], Situation]:
    def register(function: Callable[[pytest.FixtureRequest], Iterator[SecretDocument]]) -> Situation:
        SITUATIONS[phrase] = contextmanager(function)
        return SITUATIONS[phrase]

    return register


def secret_and_server(request: pytest.FixtureRequest) -> tuple[SecretDocument, PostgresServer]:
    return request.getfixturevalue("secret"), request.getfixturevalue("server")


@situation("password authentication failed")
def wrong_password(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    yield secret_and_server(request)[0].changed(password=new_password())


@situation("is not permitted to log in")
def role_without_login(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    secret, server = secret_and_server(request)
    administer(server, "ALTER ROLE {} NOLOGIN", secret.fields.username)
    yield secret


@situation("too many connections for role")
def role_at_its_limit(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    secret, server = secret_and_server(request)
    administer(server, "ALTER ROLE {} CONNECTION LIMIT 1", secret.fields.username)
    with application(secret):
        yield secret


@situation("too many connections for database")
def database_at_its_limit(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    secret, server = secret_and_server(request)
    name = new_name("db")
    administer(server, "CREATE DATABASE {} CONNECTION LIMIT 0", name)
    yield secret.changed(dbname=name)


@contextmanager
def small_server() -> Iterator[tuple[PostgresServer, SecretDocument]]:
    settings = {
        "max_connections": "6",
        "superuser_reserved_connections": "2",
        "max_wal_senders": "0",
        "max_locks_per_transaction": "10",
    }
    with RuledServer(SCRAM_FOR_ALL, settings=settings) as server:
        password = new_password()
        create_role(server, "app", password)
        yield server, document(keys_of(server, username="app", password=password))


@situation("too many clients")
def server_at_its_limit(_: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with small_server() as (server, secret), ExitStack() as others:
        for _number in range(6):
            others.enter_context(server.admin_connection())
        yield secret


@situation("remaining connection slots")
def server_with_reserved_connections_left(_: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with small_server() as (_server, secret), ExitStack() as others:
        for _number in range(4):
            others.enter_context(application(secret))
        yield secret


@situation("out of shared memory")
def server_without_memory_for_locks(_: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with small_server() as (server, secret), server.admin_connection() as hoarder:
        with pytest.raises(psycopg.errors.OutOfMemory):
            hoarder.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 100000) n")
        yield secret


@situation('database "" does not exist')
def database_missing(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    yield secret_and_server(request)[0].changed(dbname=new_name("missing"))


@situation("not currently accepting connections")
def database_closed(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    secret, server = secret_and_server(request)
    name = new_name("db")
    administer(server, "CREATE DATABASE {} ALLOW_CONNECTIONS false", name)
    yield secret.changed(dbname=name)


@situation("permission denied for database")
def database_without_the_right_to_connect(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    secret, server = secret_and_server(request)
    name = new_name("db")
    administer(server, "CREATE DATABASE {}", name)
    administer(server, "REVOKE CONNECT ON DATABASE {} FROM PUBLIC", name)
    yield secret.changed(dbname=name)


@contextmanager
def tls_server(request: pytest.FixtureRequest, *rules: str) -> Iterator[tuple[PostgresServer, SecretDocument]]:
    request.getfixturevalue("debian_bin_dir")
    authority: Authority = request.getfixturevalue("authority")
    with RuledServer(rules, bin_dir=DEBIAN_BIN_DIR, tls=authority.server("localhost")) as server:
        # pg_hba.conf may not even let the superuser in, so the role is made by a server that has not read it yet.
        yield server, document(keys_of(server, host="localhost", username="app", password=new_password()))


@situation("no encryption")
def rule_for_tls_alone(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with tls_server(request, "hostssl all all all scram-sha-256") as (_, secret):
        yield secret


@situation("no pg_hba.conf entry")
def user_without_rule(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with tls_server(request, "host all somebody all scram-sha-256") as (_, secret):
        yield secret.changed(ssl="true")


@situation("pg_hba.conf rejects")
def user_with_rule_against(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with tls_server(request, "host all all all reject") as (_, secret):
        yield secret.changed(ssl="true")


@situation("valid client certificate")
def rule_that_wants_a_client_certificate(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with tls_server(request, "hostssl all all all scram-sha-256 clientcert=verify-ca") as (_, secret):
        yield secret.changed(ssl="true")


@situation("system is starting up")
def server_that_starts(_: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    # In recovery the server asks for write-ahead log by a command; as long as that runs, the server is starting.
    settings = {"restore_command": "touch asked; while [ ! -e go ]; do sleep 0.02; done; false"}
    with RuledServer(SCRAM_FOR_ALL, settings=settings) as server:
        server.stop()
        (server._data / "recovery.signal").touch()
        server._account.own(server._data / "recovery.signal")
        starting = threading.Thread(target=server.start)
        starting.start()
        try:
            wait_for((server._data / "asked").exists)
            yield document(superuser_keys(server))
        finally:
            (server._data / "go").touch()
            starting.join()


@situation("system is shutting down")
def server_that_shuts_down(_: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with RuledServer(SCRAM_FOR_ALL) as server, server.admin_connection():
        postmaster = server._process
        assert postmaster is not None
        postmaster.send_signal(signal.SIGTERM)  # waits for the session to end
        wait_for_log(server, "received smart shutdown request")
        yield document(superuser_keys(server))


@situation("system is in recovery mode")
def server_that_recovers_from_a_crash(_: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with RuledServer(SCRAM_FOR_ALL) as server, server.admin_connection() as victim, server.admin_connection() as survivor:
        # After a crash the server waits for all processes to end; this one cannot.
        os.kill(survivor.info.backend_pid, signal.SIGSTOP)
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        try:
            wait_for_log(server, "terminating any other active server processes")
            yield document(superuser_keys(server))
        finally:
            os.kill(survivor.info.backend_pid, signal.SIGCONT)
        wait_for(lambda: sum("ready to accept connections" in line for line in server.log_lines) > 1)


@situation("system is not accepting connections")
def standby_that_is_not_hot(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with StandbyServer(request.getfixturevalue("primary"), settings={"hot_standby": "off"}) as standby:
        yield document(superuser_keys(standby))


@situation("authentication method requirement")
def user_whose_password_is_not_checked(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    yield secret_and_server(request)[0].changed(username="trusted")


@situation("SASL authentication mechanisms")
def server_that_offers_only_unknown_mechanisms(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(fake_server.answering_first(fake_server.authentication(10, b"PLAIN\0\0"))) as port:
        yield secret_and_server(request)[0].changed(port=port)


@situation("over a non-SSL connection")
def server_that_wants_a_binding_to_tls_that_is_not_there(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(fake_server.answering_first(fake_server.authentication(10, b"SCRAM-SHA-256-PLUS\0\0"))) as port:
        yield secret_and_server(request)[0].changed(port=port)


@situation("incorrect server signature")
def server_that_does_not_know_the_password(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(fake_server.claiming_to_know_the_password()) as port:
        yield secret_and_server(request)[0].changed(port=port)


@situation("Ident authentication failed")
def user_who_is_identified_otherwise(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    yield secret_and_server(request)[0].changed(username="identified")


@situation("server does not support SSL")
def server_without_tls(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    yield secret_and_server(request)[0].changed(ssl="true")


@situation("does not match host name")
def certificate_for_another_name(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with tls_server(request, *SCRAM_FOR_ALL) as (server, secret):
        yield secret.changed(host=server.host, ssl="true")


@situation("root certificate file")
def unreadable_ca_bundle(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    authority: Authority = request.getfixturevalue("authority")
    content = authority.file.read_bytes()
    with tls_server(request, *SCRAM_FOR_ALL) as (_, secret):
        authority.file.write_text("no certificate")
        try:
            yield secret.changed(ssl="true")
        finally:
            authority.file.write_bytes(content)


@situation("SSL")
def peer_that_only_says_it_speaks_tls(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(peers.speak_garbage_after_accepting_tls) as port:
        yield secret_and_server(request)[0].changed(port=port, ssl="true")


@situation("Connection refused")
def closed_port(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.closed_port() as port:
        yield secret_and_server(request)[0].changed(port=port)


@situation("Network is unreachable")
def unreachable_network(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    # Loopback's broadcast address: no stream can go there, and nothing leaves the machine.
    yield secret_and_server(request)[0].changed(host="127.255.255.255")


@situation("closed the connection")
def peer_that_hangs_up(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(peers.hang_up) as port:
        yield secret_and_server(request)[0].changed(port=port)


@situation("SSL SYSCALL error")
def peer_that_resets_in_the_tls_handshake(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(peers.reset_after_accepting_tls) as port:
        yield secret_and_server(request)[0].changed(port=port, ssl="true")


@situation("unexpected eof")
def peer_that_hangs_up_in_the_tls_handshake(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(peers.hang_up_after_accepting_tls) as port:
        yield secret_and_server(request)[0].changed(port=port, ssl="true")


@situation("unknown authentication type")
def peer_that_asks_as_only_redshift_does(request: pytest.FixtureRequest) -> Iterator[SecretDocument]:
    with peers.answering(peers.ask_for_a_redshift_digest) as port:
        yield secret_and_server(request)[0].changed(port=port)
