"""What OpenLDAP's password policy, names and access rules come out as."""

import pytest
from pydantic import SecretStr

from local.contract import Setup
from local.contract.rotating import SecretInRotation, log_in, new_name, new_password, password_of, refused, refused_login
from local.contract.strategies import ONE_USER, accepted
from local.openldap import OpenLdapServer
from local.targets.ldap import OpenLdapTarget, dn_of
from rotation.errors import (
    PasswordRefusedError,
    PrivilegeMissingError,
    RoleLockedError,
    SecretMalformedError,
    TargetMismatchError,
)
from rotation.models import SecretDocument
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser

SETUPS = [Setup("ldap", OpenLdapTarget)]
TOO_WEAK = {
    "short": ({"pwdMinLength": "200"}, PasswordRefusedError, "too short"),
    "young": ({"pwdMinAge": "1000"}, PasswordRefusedError, "younger than the least age"),
    "not its own": ({"pwdAllowUserChange": "FALSE"}, PrivilegeMissingError, "may not change the own password"),
}


def set_own(secret: SecretDocument, password: str) -> None:
    with log_in(secret) as session:
        session.set_password(secret.fields.username, SecretStr(password))


@pytest.mark.parametrize("reason", TOO_WEAK)
def test_a_password_that_the_policy_refuses_is_told_with_the_reason(
    secret: SecretDocument, target: OpenLdapTarget, reason: str
) -> None:
    rules, kind, what = TOO_WEAK[reason]
    with target.policies(**rules), refused(kind) as refusal:
        set_own(secret, new_password())
    assert what in refusal.message
    assert accepted(target, secret)


def test_one_of_the_last_passwords_is_refused(secret: SecretDocument, target: OpenLdapTarget) -> None:
    with target.policies(pwdInHistory="3"):
        later = secret.changed(password=new_password())
        set_own(secret, password_of(later))
        with refused(PasswordRefusedError, password_of(secret)) as refusal:
            set_own(later, password_of(secret))
    assert "one of the last" in refusal.message


def test_a_policy_that_asks_for_the_old_password_gets_it(secret: SecretDocument, target: OpenLdapTarget) -> None:
    new = new_password()
    with target.policies(pwdSafeModify="TRUE"):
        set_own(secret, new)
    assert target.refusal(secret.fields.username, new) is None


def test_a_password_that_has_to_be_changed_is_of_no_use_until_it_is(
    secret: SecretDocument, superuser: SecretDocument, target: OpenLdapTarget
) -> None:
    target.change(dn_of(secret.fields.username), pwdReset="TRUE")
    with target.policies(pwdMustChange="TRUE"):
        with refused(RoleLockedError) as refusal, log_in(secret) as session:
            session.check()
        assert "before a change of password" in refusal.message
        assert accepted(target, SecretInRotation(SingleUser(), secret, superuser).rotate())


def test_an_expired_password_is_told_from_a_wrong_one(secret: SecretDocument, target: OpenLdapTarget) -> None:
    target.change(dn_of(secret.fields.username), pwdEndTime="20200101000000Z")
    refused_login(RoleLockedError, secret)


@pytest.mark.parametrize("strategy", ONE_USER, ids=lambda strategy: strategy.name.value)
def test_a_user_name_may_be_the_whole_distinguished_name(
    secret: SecretDocument, superuser: SecretDocument, target: OpenLdapTarget, strategy: Strategy
) -> None:
    name = secret.fields.username
    whole = secret.changed(username=dn_of(name), user_dn_template=None)
    administrator = superuser.changed(username=target.server.superuser, user_dn_template=None)
    rotation = SecretInRotation(strategy, whole, administrator)
    for _ in range(2):
        assert target.refusal(name, password_of(rotation.rotate())) is None


def test_the_superuser_changes_the_account_that_logged_in_and_not_one_of_the_same_name(
    secret: SecretDocument, superuser: SecretDocument, target: OpenLdapTarget
) -> None:
    """The superuser's template would lead from the name to the victim."""
    victim = secret.fields.username
    node = f"ou={new_name('elsewhere')},{OpenLdapServer.suffix}"
    namesake, password = f"uid={victim},{node}", new_password()
    with target.administrator() as connection:
        connection.add(node, "organizationalUnit")  # type: ignore[no-untyped-call]
        connection.add(namesake, ["account", "simpleSecurityObject"], {"userPassword": password})  # type: ignore[no-untyped-call]
    thief = secret.changed(password=password, user_dn_template=f"uid={{username}},{node}")
    rotation = SecretInRotation(SingleUserBySuperuser(), thief, superuser)
    rotation.rotate()
    assert accepted(target, secret)
    assert target.refusal(victim, password_of(rotation.current)) is not None


@pytest.mark.parametrize("template", ["uid=app,ou=people", "{username}{username}", "", 7])
def test_a_template_that_is_none_is_named(secret: SecretDocument, template: str | int) -> None:
    refusal = refused_login(SecretMalformedError, secret.changed(user_dn_template=template))
    assert "user_dn_template" in refusal.message


@pytest.mark.parametrize("name", ["app", "app=1", "uid=app,"])
def test_a_name_that_is_no_distinguished_name_is_told_so(secret: SecretDocument, name: str) -> None:
    refused_login(SecretMalformedError, secret.changed(username=name, user_dn_template=None))


def test_an_account_that_is_gone_is_no_account_to_change(superuser: SecretDocument) -> None:
    with refused(TargetMismatchError), log_in(superuser) as session:
        session.set_password(new_name("ghost"), SecretStr(new_password()))
