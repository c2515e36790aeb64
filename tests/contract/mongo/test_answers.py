"""What MongoDB and DocumentDB may answer: by failures that the server is told to have, and by a stub where it has none."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from local.contract import Setup, peers
from local.contract.rotating import document, log_in, new_name, password_of, refused, refused_login
from local.targets.mongo import MongoTarget
from rotation.engines.mongo_errors import CODES, LOGIN_CODES, PASSWORD_CODES
from rotation.engines.mongo_wire import NotMongoError
from rotation.errors import (
    AuthenticationUnsafeError,
    ConnectionLostError,
    LoginRefusedError,
    StatementRejectedError,
    TargetBusyError,
    TargetError,
    TargetMismatchError,
    TargetReadOnlyError,
)
from rotation.models import SecretDocument
from tests.contract.mongo.stub_connection import StubConnection, refusal

SETUPS = [Setup("mongo", MongoTarget)]
DUPLICATE_KEY = 11000
"""The failure that cannot be ordered."""
PASSWORD = SecretStr("hunter2-and-more")


@contextmanager
def failing(target: MongoTarget, *commands: str, **how: Any) -> Iterator[None]:
    """Let these commands fail, as MongoDB's own tests do it."""
    plan = {"failCommands": commands, **how}
    with target.server.client(*target.superuser) as client:  # one that has logged in before that may fail
        client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=plan)
        try:
            yield
        finally:
            client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.mark.parametrize("code", sorted(CODES.keys() - {DUPLICATE_KEY}))
def test_a_refused_command_is_told_by_its_code(target: MongoTarget, secret: SecretDocument, code: int) -> None:
    kind, meaning = CODES[code]
    with (
        log_in(secret) as session,
        failing(target, "connectionStatus", errorCode=code),
        refused(kind, password_of(secret)) as failure,
    ):
        session.check()
    assert f"connectionStatus failed with code {code}: {meaning}" in failure.message


def test_a_collision_is_told_by_its_code() -> None:
    with refused(TargetBusyError):
        StubConnection(connectionStatus=refusal(DUPLICATE_KEY)).session().check()


@pytest.mark.parametrize("code", LOGIN_CODES)
def test_a_refused_login_is_told_by_its_code(target: MongoTarget, secret: SecretDocument, code: int) -> None:
    with failing(target, "saslStart", errorCode=code):
        failure = refused_login(LOGIN_CODES[code][0], secret)
    assert secret.fields.username in failure.message


def test_only_one_code_of_a_login_counts_as_a_wrong_password() -> None:
    meanings = {**CODES, **PASSWORD_CODES, **LOGIN_CODES}
    assert [code for code, (kind, _) in meanings.items() if kind is LoginRefusedError] == [18]


@pytest.mark.parametrize("code", [13, 91, 10107, 4711])
def test_a_login_that_fails_for_another_reason_is_no_wrong_password(
    target: MongoTarget, secret: SecretDocument, code: int
) -> None:
    kind = CODES[code][0] if code in CODES else StatementRejectedError
    with failing(target, "saslContinue", errorCode=code):
        refused_login(kind, secret)


def test_a_member_that_is_not_the_primary_takes_logins_and_no_changes(target: MongoTarget, secret: SecretDocument) -> None:
    with (
        failing(target, "updateUser", errorCode=10107),
        refused(TargetReadOnlyError, password_of(secret)),
        log_in(secret) as session,
    ):
        session.check()
        session.set_password(secret.fields.username, PASSWORD)


def test_a_connection_that_breaks_during_a_command(target: MongoTarget, secret: SecretDocument) -> None:
    with (
        failing(target, "updateUser", closeConnection=True),
        refused(ConnectionLostError, password_of(secret)),
        log_in(secret) as session,
    ):
        session.set_password(secret.fields.username, PASSWORD)


def test_something_that_is_no_mongodb_is_told_so(secret: SecretDocument) -> None:
    def speak_http(connection: Any) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with peers.answering(speak_http) as port:
        failure = refused_login(StatementRejectedError, secret.changed(port=port))
    assert "does not speak MongoDB's protocol" in failure.message


@pytest.mark.parametrize("code", [None, 4711])
def test_an_unknown_refusal_names_its_code_and_quotes_nothing(code: int | None) -> None:
    with refused(StatementRejectedError, "hunter2") as failure:
        StubConnection(connectionStatus=refusal(code)).session().check()
    assert (f"code {code}" if code else "without a code") in failure.message


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), NotMongoError()])
def test_an_answer_that_does_not_come(error: Exception) -> None:
    with refused(ConnectionLostError):
        StubConnection(connectionStatus=error).session().check()


def test_a_change_that_the_replicas_do_not_confirm_is_reported() -> None:
    answer = {"ok": 1.0, "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}
    with refused(TargetBusyError):
        StubConnection(updateUser=answer).session("app").set_password("app", PASSWORD)


def test_a_password_that_the_server_does_not_take() -> None:
    with refused(PASSWORD_CODES[2][0], "hunter2"):
        StubConnection(updateUser=refusal(2)).session("app").set_password("app", PASSWORD)
    with refused(StatementRejectedError):
        StubConnection(connectionStatus=refusal(2)).session("app").check()


def users(*found: Mapping[str, Any], detailed: bool = True, everywhere: bool = True) -> Any:
    """A server with these users, which may not know how to tell their details or to look into all databases."""

    def answer(command: Mapping[str, Any]) -> Mapping[str, Any]:
        which = command["usersInfo"]
        if which == {"forAllDBs": True}:
            return {"ok": 1.0, "users": list(found)} if everywhere else refusal(9)
        if isinstance(which, Mapping):
            named = [user for user in found if (user["user"], user["db"]) == (which["user"], which["db"])]
            return {"ok": 1.0, "users": named} if detailed else refusal(40415)
        return {"ok": 1.0, "users": [user for user in found if (user["user"], user["db"]) == (which, "admin")]}

    return answer


def user(name: str = "app", db: str = "admin", **more: Any) -> dict[str, Any]:
    return {"user": name, "db": db, "roles": [{"role": "read", "db": "shop"}], **more}


def test_a_superuser_finds_the_user_in_its_database() -> None:
    server = StubConnection(usersInfo=users(user(db="shop"), user("other")))
    server.session().set_password("app", PASSWORD)
    ((database, command),) = server.commands("updateUser")
    assert (database, command["updateUser"]) == ("shop", "app")


def test_of_two_users_with_one_name_neither_is_changed() -> None:
    server = StubConnection(usersInfo=users(user(), user(db="shop")))
    with refused(TargetMismatchError) as failure:
        server.session().set_password("app", PASSWORD)
    assert "admin, shop" in failure.message
    with refused(TargetMismatchError):
        server.session().provide_clone("app", "app_clone")
    assert not server.commands("updateUser")
    assert not server.commands("createUser")


def test_a_user_of_the_clones_name_in_another_database_is_a_stranger() -> None:
    marked = user("app_clone", "shop", roles=[{"role": "alternate-of-app", "db": "admin"}])
    for stranger in (user("app_clone", "shop"), marked):
        server = StubConnection(usersInfo=users(user(), stranger))
        with refused(TargetMismatchError):
            server.session().provide_clone("app", "app_clone")
        assert not server.commands("createUser")
        assert not server.commands("updateUser")


def test_a_user_who_is_not_there_is_not_changed() -> None:
    server = StubConnection(usersInfo=users())
    with refused(StatementRejectedError, "hunter2"):
        server.session().set_password("app", PASSWORD)
    assert not server.commands("updateUser")


def test_a_server_that_knows_less_about_users_is_enough() -> None:
    """DocumentDB need not know the forms of `usersInfo` that MongoDB has."""
    server = StubConnection(usersInfo=users(user(), detailed=False, everywhere=False))
    server.session().provide_clone("app", "app_clone")
    ((database, command),) = server.commands("createUser")
    assert (database, command["createUser"]) == ("admin", "app_clone")
    assert {"customData", "authenticationRestrictions", "mechanisms"}.isdisjoint(command)


def test_the_clone_gets_data_and_limits_of_its_owner() -> None:
    limits = [{"clientSource": ["10.0.0.0/8"]}]
    server = StubConnection(
        usersInfo=users(user(customData={"team": "shop"}, authenticationRestrictions=limits)),
        isMaster={"ok": 1.0, "saslSupportedMechs": ["SCRAM-SHA-256", "PLAIN"]},
    )
    server.session().provide_clone("app", "app_clone")
    ((_, command),) = server.commands("createUser")
    assert command["customData"] == {"team": "shop"}
    assert command["authenticationRestrictions"] == limits
    assert command["mechanisms"] == ["SCRAM-SHA-256"]
    assert command["roles"] == [{"role": "alternate-of-app", "db": "admin"}, {"role": "read", "db": "shop"}]


def clone(**more: Any) -> dict[str, Any]:
    marked = [{"role": "read", "db": "shop"}, {"role": "alternate-of-app", "db": "admin"}]
    return {**user("app_clone"), "roles": marked, **more}


def test_what_differs_is_made_equal_and_nothing_else() -> None:
    limits = [{"clientSource": ["10.0.0.0/8"]}]
    server = StubConnection(usersInfo=users(user(customData={"team": "shop"}), clone(authenticationRestrictions=limits)))
    server.session().provide_clone("app", "app_clone")
    ((_, command),) = server.commands("updateUser")
    assert command == {"updateUser": "app_clone", "customData": {"team": "shop"}, "authenticationRestrictions": []}


def test_an_equal_clone_is_left_as_it_is() -> None:
    server = StubConnection(usersInfo=users(user(), clone()))
    server.session().provide_clone("app", "app_clone")
    assert not {"updateUser", "createUser", "createRole"} & {next(iter(command)) for _, command in server.asked}


def test_the_clone_gets_the_mechanisms_of_its_owner_with_its_next_password() -> None:
    def mechanisms(command: Mapping[str, Any]) -> Mapping[str, Any]:
        of_owner = command["saslSupportedMechs"] == "admin.app"
        return {"ok": 1.0, "saslSupportedMechs": ["SCRAM-SHA-256"] if of_owner else ["SCRAM-SHA-1"]}

    server = StubConnection(usersInfo=users(user(), clone()), isMaster=mechanisms)
    session = server.session()
    session.provide_clone("app", "app_clone")
    assert not server.commands("updateUser")
    session.set_password("app_clone", PASSWORD)
    ((_, command),) = server.commands("updateUser")
    assert command["mechanisms"] == ["SCRAM-SHA-256"]


def test_a_mark_that_is_there_already_is_used() -> None:
    server = StubConnection(usersInfo=users(user()), createRole=refusal(51002))
    server.session().provide_clone("app", "app_clone")
    assert server.commands("createUser")
    server = StubConnection(usersInfo=users(user()), createRole=refusal(13))
    with pytest.raises(TargetError):
        server.session().provide_clone("app", "app_clone")
    assert not server.commands("createUser")


def test_a_new_clone_has_a_password_of_its_own_that_nobody_knows() -> None:
    made = set()
    for _ in range(2):
        server = StubConnection(usersInfo=users(user()))
        server.session().provide_clone("app", "app_clone")
        ((_, command),) = server.commands("createUser")
        made.add(command["pwd"])
    assert len(made) == 2
    assert all(len(password) >= 32 for password in made)


def test_a_server_that_offers_no_scram_is_not_told_a_password(target: MongoTarget) -> None:
    """The mechanism of a user who logs in by certificate."""
    name = new_name("CN=x")
    target.server.administer("admin", "createUser", name, roles=[], mechanisms=["MONGODB-X509"])
    keys = {**target.keys, "engine": "mongo", "username": name, "password": PASSWORD.get_secret_value()}
    refused_login(AuthenticationUnsafeError, document(keys))
