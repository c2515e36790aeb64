"""Users of MongoDB: their mechanisms, databases and roles, on a real server."""

from typing import Any, cast

import pytest

from local.contract import Setup
from local.contract.rotating import SecretInRotation, document, log_in, new_name, new_password, password_of, refused
from local.contract.strategies import accepted
from local.targets.mongo import MongoTarget
from rotation.errors import LoginRefusedError, PrivilegeMissingError, TargetMismatchError
from rotation.models import SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser

SETUPS = [Setup("mongo", MongoTarget)]
MECHANISMS = (["SCRAM-SHA-1"], ["SCRAM-SHA-256"], ["SCRAM-SHA-1", "SCRAM-SHA-256"])


def created(target: MongoTarget, database: str = "admin", **more: Any) -> SecretDocument:
    """A secret whose user was made like this."""
    name, password = new_name(), new_password()
    target.server.administer(database, "createUser", name, pwd=password, **{"roles": [], **more})
    keys = target.keys if database == "admin" else {**target.keys, "dbname": database}
    return document(keys, engine="mongo", username=name, password=password, masterarn="arn:superuser")


def user_of(target: MongoTarget, secret: SecretDocument) -> dict[str, Any]:
    database = secret.fields.dbname or "admin"
    (user,) = target.server.administer(database, "usersInfo", secret.fields.username, showCredentials=True)["users"]
    return cast("dict[str, Any]", user)


def roles_of(target: MongoTarget, secret: SecretDocument) -> set[str]:
    return {role["role"] for role in user_of(target, secret)["roles"]}


@pytest.mark.parametrize("mechanisms", MECHANISMS, ids="+".join)
def test_owner_and_clone_keep_the_owners_mechanisms(
    target: MongoTarget, superuser: SecretDocument, mechanisms: list[str]
) -> None:
    rotation = SecretInRotation(AlternatingUsers(), created(target, mechanisms=mechanisms), superuser)
    for secret in (rotation.rotate(), rotation.rotate()):
        assert sorted(user_of(target, secret)["credentials"]) == mechanisms


def test_a_password_is_changed_by_whom_the_secret_says(target: MongoTarget, superuser: SecretDocument) -> None:
    """Without the right to change the own password a superuser is needed, and the message names the right."""
    rotation = SecretInRotation(SingleUser(), created(target), superuser)
    rotation.create()
    with refused(PrivilegeMissingError, password_of(rotation.pending)) as refusal:
        rotation.set()
    assert "changeOwnPassword" in refusal.message
    rotation.strategy = SingleUserBySuperuser()
    rotation.rotate()
    assert accepted(target, rotation.current)


def test_a_secret_names_the_database_of_its_user(target: MongoTarget, superuser: SecretDocument) -> None:
    privilege = {"resource": {"db": "shop", "collection": ""}, "actions": ["changeOwnPassword"]}
    role = new_name("role")
    target.server.administer("shop", "createRole", role, privileges=[privilege], roles=[])
    secret = created(target, "shop", roles=[role])
    rotated = SecretInRotation(SingleUser(), secret, superuser).rotate()
    with log_in(rotated) as session:
        session.check()
    with refused(LoginRefusedError) as refusal, log_in(rotated.changed(dbname=None)):
        pytest.fail("the login was accepted")
    assert "in the database admin" in refusal.message


def test_a_password_that_is_refused_in_another_database_is_not_told_to_be_anothers(
    target: MongoTarget, superuser: SecretDocument
) -> None:
    """The superuser does not see that the user belongs to another database: nobody's password is changed."""
    secret = created(target, "shop")
    rotation = SecretInRotation(AlternatingUsers(), secret, superuser)
    rotation.create()
    with refused(TargetMismatchError):
        rotation.set()


def test_what_the_owner_loses_the_clone_loses(
    target: MongoTarget, secret: SecretDocument, superuser: SecretDocument
) -> None:
    owner = secret.fields.username
    target.give_rights(owner)
    rotation = SecretInRotation(AlternatingUsers(), secret, superuser)
    rotation.rotate()
    target.server.administer("admin", "revokeRolesFromUser", owner, roles=[{"role": "readWrite", "db": "orders"}])
    rotation.rotate()
    clone = rotation.rotate()
    assert "readWrite" not in roles_of(target, clone)
    assert target.rights(clone.fields.username) == target.rights(owner)


def test_what_somebody_gave_to_the_clone_alone_is_taken_back(
    target: MongoTarget, secret: SecretDocument, superuser: SecretDocument
) -> None:
    rotation = SecretInRotation(AlternatingUsers(), secret, superuser)
    clone = rotation.rotate()
    target.server.administer("admin", "grantRolesToUser", clone.fields.username, roles=["root"])
    rotation.rotate()
    rotation.rotate()
    assert "root" not in roles_of(target, clone)


def test_the_clone_of_one_user_is_not_anothers(
    target: MongoTarget, secret: SecretDocument, superuser: SecretDocument
) -> None:
    clone = SecretInRotation(AlternatingUsers(), secret, superuser).rotate()
    victim = created(target)
    with refused(TargetMismatchError), log_in(superuser) as session:
        session.provide_clone(victim.fields.username, clone.fields.username)
    assert accepted(target, clone)


def test_a_user_that_is_marked_by_hand_becomes_the_clone(
    target: MongoTarget, secret: SecretDocument, superuser: SecretDocument
) -> None:
    """As the message about a stranger says it, for clones that other rotation functions have made."""
    owner = secret.fields.username
    target.create_user(f"{owner}_clone", new_password())
    rotation = SecretInRotation(AlternatingUsers(), secret, superuser)
    rotation.create()
    with refused(TargetMismatchError) as refusal:
        rotation.set()
    assert refusal.error is not None
    mark = f"alternate-of-{owner}"
    assert mark in refusal.error.next_action
    target.server.administer("admin", "createRole", mark, privileges=[], roles=[])
    target.server.administer("admin", "grantRolesToUser", f"{owner}_clone", roles=[mark])
    rotation.set()
    assert accepted(target, rotation.pending)
