"""What every engine does when it sets a password."""

import pytest
from pydantic import SecretStr

from rotation.errors import ConnectionLostError, PrivilegeMissingError, TargetBusyError
from rotation.models import SecretDocument
from tests.contract.rotating import deadline_in, log_in, new_name, new_password, password_of, refused
from tests.contract.stages import Stage


def test_the_new_password_is_accepted_and_the_old_one_is_not(secret: SecretDocument, stage: Stage) -> None:
    user, new = secret.fields.username, new_password()
    with log_in(secret) as session:
        session.set_password(user, SecretStr(new))
    assert stage.accepts(user, new)
    assert not stage.accepts(user, password_of(secret))


def test_it_can_be_repeated(secret: SecretDocument, stage: Stage) -> None:
    user, new = secret.fields.username, new_password()
    with log_in(secret) as session:
        session.set_password(user, SecretStr(new))
        session.set_password(user, SecretStr(new))
    with log_in(secret.changed(password=new)) as session:
        session.set_password(user, SecretStr(new))
    assert stage.accepts(user, new)


@pytest.mark.parametrize(
    "new", ["ü-пароль-密码-🔑-longer", "quote'double\"back\\slash;--", "%s %(x)s {} $1", " ", "x" * 256]
)
def test_any_text_may_be_a_password(secret: SecretDocument, stage: Stage, new: str) -> None:
    with log_in(secret) as session:
        session.set_password(secret.fields.username, SecretStr(new))
    assert stage.accepts(secret.fields.username, new)
    with log_in(secret.changed(password=new)) as session:
        session.check()


def test_the_server_never_hears_the_clear_password(secret: SecretDocument, superuser: SecretDocument, stage: Stage) -> None:
    user, own, other = secret.fields.username, new_password(), new_password()
    with log_in(secret) as session:
        session.set_password(user, SecretStr(own))
    with log_in(superuser) as session:
        session.set_password(user, SecretStr(other))
    log = stage.log()
    assert user in log
    assert not [text for text in (own, other, password_of(superuser)) if text in log]


def test_open_sessions_survive(secret: SecretDocument, stage: Stage) -> None:
    with stage.session(secret) as use:
        with log_in(secret) as session:
            session.set_password(secret.fields.username, SecretStr(new_password()))
        use()


def test_nothing_has_changed_when_the_session_fails_afterwards(secret: SecretDocument, stage: Stage) -> None:
    user, new = secret.fields.username, new_password()
    with refused(ConnectionLostError, new), log_in(secret) as session:
        session.set_password(user, SecretStr(new))
        stage.end_sessions(user)
        session.check()
    assert stage.accepts(user, password_of(secret))
    assert not stage.accepts(user, new)


def test_nothing_has_changed_when_the_caller_fails_afterwards(secret: SecretDocument, stage: Stage) -> None:
    user, new = secret.fields.username, new_password()

    def fail() -> None:
        with log_in(secret) as session:
            session.set_password(user, SecretStr(new))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert stage.accepts(user, password_of(secret))


def test_nobody_sets_the_password_of_another_user(secret: SecretDocument, stage: Stage) -> None:
    other, password, new = new_name("other"), new_password(), new_password()
    stage.create_user(other, password)
    with refused(PrivilegeMissingError, new), log_in(secret) as session:
        session.set_password(other, SecretStr(new))
    assert stage.accepts(other, password)


def test_a_superuser_sets_the_password_of_any_user(secret: SecretDocument, superuser: SecretDocument, stage: Stage) -> None:
    new = new_password()
    with log_in(superuser) as session:
        session.set_password(secret.fields.username, SecretStr(new))
    assert stage.accepts(secret.fields.username, new)


def test_a_lock_that_is_not_free_in_time_is_named_before_the_time_is_up(secret: SecretDocument, stage: Stage) -> None:
    user, new = secret.fields.username, new_password()
    deadline = deadline_in(3.5)
    with stage.lock(user), deadline.enforced(), refused(TargetBusyError, new), log_in(secret, 3.5) as session:
        session.set_password(user, SecretStr(new))
    assert deadline.remaining() > 0
    assert stage.accepts(user, password_of(secret))
