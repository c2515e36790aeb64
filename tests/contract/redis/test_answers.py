"""Every answer of the server, in the words of the tree: real servers first, a stub for what none can be brought to say."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import pytest
import redis as driver

from local.contract import peers
from local.contract.rotating import SecretInRotation, fitting_password, log_in, new_password, refused, refused_login
from local.server_process import free_port
from rotation.engines.redis import RedisEngine
from rotation.engines.redis_errors import CODES
from rotation.errors import (
    AuthenticationUnsafeError,
    LoginRefusedError,
    StatementRejectedError,
    TargetBusyError,
    TargetError,
    TargetMismatchError,
    TargetNotReadyError,
    TargetReadOnlyError,
    TargetSaturatedError,
)
from rotation.strategies.alternating_users import AlternatingUsers
from tests.contract.redis.places import Place, Start, secret_at


def test_a_user_who_takes_any_password_is_refused(place: Place) -> None:
    """Its right password proves as little as a wrong one."""
    secret = place.new_user("nopass")
    refusal = refused_login(AuthenticationUnsafeError, secret)
    assert "nopass" in refusal.message


def test_the_login_is_as_it_was_after_the_trial_with_a_wrong_password(place: Place) -> None:
    secret = place.new_user()
    with log_in(place.superuser()) as session:
        session.set_password(secret.fields.username, fitting_password(RedisEngine.traits))
    assert not place.opens(secret)


def test_an_owner_who_takes_any_password_gets_no_clone(place: Place) -> None:
    owner = place.new_user().fields.username
    place.tell("ACL", "SETUSER", owner, "nopass")
    with refused(AuthenticationUnsafeError), log_in(place.superuser()) as session:
        session.provide_clone(owner, f"{owner}_clone")
    assert f"{owner}_clone" not in place.tell("ACL", "USERS")


def test_a_user_with_the_same_rights_is_a_stranger_until_an_administrator_says_otherwise(place: Place) -> None:
    rotation = SecretInRotation(AlternatingUsers(), place.new_user("~*", "+@read"), place.superuser())
    name = rotation.current.fields.username
    twin = place.new_user("~*", "+@read", name=f"{name}_clone")
    rotation.create()
    with refused(TargetMismatchError) as refusal:
        rotation.set()
    assert place.opens(twin)
    command = str(refusal.error).partition("ACL SETUSER ")[2].partition("'; else")[0]
    user, _, rule = command.partition(" '")
    place.tell("ACL", "SETUSER", user, rule)
    assert rotation.set() == "AWSCURRENT"
    rotation.test_and_finish()


def test_a_clone_that_is_in_use_keeps_its_sessions_and_passwords_when_rights_change(place: Place) -> None:
    rotation = SecretInRotation(AlternatingUsers(), place.new_user("~*", "+@read", "+ping"), place.superuser())
    owner = rotation.current.fields.username
    clone = rotation.rotate()
    with place.server.client(
        clone.fields.username, clone.fields.password.get_secret_value(), single_connection_client=True
    ) as session:
        place.tell("ACL", "SETUSER", owner, "-get")
        rotation.rotate()
        session.ping()
        with pytest.raises(driver.exceptions.NoPermissionError):
            session.get("key")
    assert place.opens(clone)


def test_a_user_without_the_right_to_ping_can_be_tested(place: Place) -> None:
    with log_in(place.new_user("+get")) as session:
        session.check()


def test_a_user_who_is_off_is_a_refused_login(place: Place) -> None:
    secret = place.new_user("off")
    refused_login(LoginRefusedError, secret)


def test_a_server_without_a_connection_to_spare(start: Start) -> None:
    place = start(settings={"maxclients": "1"})
    with place.server.client(single_connection_client=True) as client:
        client.ping()
        refused_login(TargetSaturatedError, place.superuser())


def test_a_server_that_is_busy_with_a_script(start: Start) -> None:
    place = start(settings={"lua-time-limit": "1"})
    with place.server.client(socket_timeout=30) as client, log_in(place.superuser()) as session:

        def keep_busy() -> None:
            with suppress(driver.RedisError):
                client.eval("while true do end", 0)

        script = Thread(target=keep_busy)
        script.start()
        try:
            place.server.log_up_to("Slow script detected")
            with refused(TargetBusyError):
                session.check()
        finally:
            place.tell("SCRIPT", "KILL")
            script.join()


def test_a_replica_that_has_lost_its_primary_and_one_that_may_not_be_changed(start: Start) -> None:
    place = start(settings={"replica-serve-stale-data": "no"})
    secret = place.superuser()
    with peers.closed_port() as port:
        place.tell("REPLICAOF", "127.0.0.1", str(port))
        with refused(TargetNotReadyError), log_in(secret) as session:
            session.check()
        for change in CHANGES:
            with refused(TargetReadOnlyError), log_in(secret) as session:
                change(session)


def test_a_node_of_a_cluster_is_not_changed(start: Start) -> None:
    place = start(settings={"cluster-enabled": "yes", "cluster-port": str(free_port("127.0.0.1"))})
    for change in CHANGES:
        with refused(StatementRejectedError) as refusal, log_in(place.superuser()) as session:
            change(session)
        assert "cluster" in refusal.message


CHANGES: tuple[Callable[..., None], ...] = (
    lambda session: session.set_password("default", fitting_password(RedisEngine.traits)),
    lambda session: session.provide_clone("default", "default_clone"),
)


@pytest.mark.parametrize("code", [*CODES, "ERR max number of clients reached", "ERR", "UNHEARDOF"])
def test_what_a_stub_answers_to_a_login(code: str) -> None:
    password = new_password()
    expected: type[TargetError] = CODES[code][0] if code in CODES else StatementRejectedError
    if "clients" in code:
        expected = TargetSaturatedError

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(f"-{code} quoting {password}\r\n".encode())

    with peers.answering(answer) as port:
        refused_login(expected, secret_at(port, "app", password))
