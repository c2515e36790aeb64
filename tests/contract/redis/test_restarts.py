"""A password that was set is there after a restart, or it was not set."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from redis.exceptions import AuthenticationError

from local.contract import peers
from local.contract.rotating import (
    SecretInRotation,
    fitting_password,
    log_in,
    new_password,
    password_of,
    refused,
)
from local.redis import RedisServer, UserStore
from rotation.engines.redis import RedisEngine
from rotation.errors import ConnectionLostError, PrivilegeMissingError, StatementRejectedError
from rotation.models import SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from tests.contract.redis.places import Place, Start


@contextmanager
def unwritable(server: RedisServer) -> Iterator[None]:
    """The folder of the server's users takes no new file."""
    folder = server.users_file.parent
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)


def logs_in(secret: SecretDocument) -> None:
    with log_in(secret) as session:
        session.check()


@pytest.mark.parametrize("users_in", [UserStore.ACL_FILE, UserStore.CONFIGURATION])
@pytest.mark.parametrize("way", [SingleUserBySuperuser(), AlternatingUsers()], ids=lambda each: each.name.value)
def test_both_credentials_survive_a_restart(start: Start, users_in: UserStore, way: Strategy) -> None:
    place = start(users_in=users_in)
    rotation = SecretInRotation(way, place.new_user("~*", "+@read"), place.superuser())
    rotation.rotate()
    old = rotation.current
    rotation.rotate()
    place.server.stop()
    place.server.start()
    logs_in(old)
    logs_in(rotation.current)
    rotation.rotate()  # and clones are still known to be such
    logs_in(rotation.current)


def test_the_user_default_of_requirepass_rotates_itself_and_survives_a_restart(start: Start) -> None:
    place = start(users_in=UserStore.CONFIGURATION)
    place.tell("CONFIG", "SET", "requirepass", first := new_password())
    place.server.superuser_password = first
    rotation = SecretInRotation(SingleUser(), place.superuser(), place.superuser())
    for _ in range(2):
        rotation.rotate()
    place.server.stop()
    place.server.start()
    logs_in(rotation.current)
    with pytest.raises(AuthenticationError), place.server.client() as client:
        client.ping()


def test_nothing_is_changed_on_a_server_that_could_not_remember_it(start: Start) -> None:
    place = start(users_in=UserStore.MEMORY)
    secret, new = place.new_user(), fitting_password(RedisEngine.traits)
    with refused(StatementRejectedError, new.get_secret_value()) as refusal, log_in(place.superuser()) as session:
        session.set_password(secret.fields.username, new, keep=secret.fields.password)
    assert "aclfile" in str(refusal.error)
    assert place.opens(secret)
    assert not place.opens(secret.changed(password=new.get_secret_value()))


@pytest.mark.parametrize("name", ["o'brien", 'the"app"'])
def test_a_name_that_would_break_the_configuration_is_not_written_into_it(start: Start, name: str) -> None:
    place = start(users_in=UserStore.CONFIGURATION)
    secret = place.new_user(name=name)
    before = place.server.users_file.read_text()
    with refused(StatementRejectedError), log_in(place.superuser()) as session:
        session.set_password(name, fitting_password(RedisEngine.traits), keep=secret.fields.password)
    assert place.server.users_file.read_text() == before
    assert place.opens(secret)


@pytest.mark.parametrize("missing", ["-acl|save", "-acl|setuser", "-multi"])
def test_a_missing_right_leaves_everything_as_it_was(place: Place, missing: str) -> None:
    secret = place.new_user("+acl|setuser", "+acl|save", "+multi", "+exec", missing)
    new = fitting_password(RedisEngine.traits)
    with refused(PrivilegeMissingError, new.get_secret_value()), log_in(secret) as session:
        session.set_password(secret.fields.username, new, keep=secret.fields.password)
    assert place.opens(secret)
    assert not place.opens(secret.changed(password=new.get_secret_value()))


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_changed(place: Place) -> None:
    secret, new = place.new_user(), fitting_password(RedisEngine.traits)
    with unwritable(place.server), refused(StatementRejectedError), log_in(place.superuser()) as session:
        session.set_password(secret.fields.username, new, keep=secret.fields.password)
    assert place.opens(secret)
    assert not place.opens(secret.changed(password=new.get_secret_value()))


def test_what_cannot_be_stored_after_all_is_taken_back(place: Place) -> None:
    """The folder could be written a moment before."""
    secret, new, superuser = place.new_user(), fitting_password(RedisEngine.traits), place.superuser()
    with ExitStack() as full:

        def fill() -> None:
            full.enter_context(unwritable(place.server))

        with (
            peers.wiretap(place.server.port, cue=b"MULTI", before=fill) as tap,
            refused(StatementRejectedError),
            log_in(superuser.changed(port=tap.port)) as session,
        ):
            session.set_password(secret.fields.username, new, keep=secret.fields.password)
    assert place.opens(secret)
    assert not place.opens(secret.changed(password=new.get_secret_value()))


@pytest.mark.parametrize("cut", [b"MULTI", b"SETUSER"])
def test_a_connection_that_breaks_before_the_end_has_changed_nothing(place: Place, cut: bytes) -> None:
    secret, new, superuser = place.new_user(), fitting_password(RedisEngine.traits), place.superuser()
    with (
        peers.wiretap(place.server.port, cut=cut) as tap,
        refused(ConnectionLostError),
        log_in(superuser.changed(port=tap.port), 4.0) as session,
    ):
        session.set_password(secret.fields.username, new, keep=secret.fields.password)
    assert place.opens(secret)
    assert not place.opens(secret.changed(password=new.get_secret_value()))


def test_passwords_travel_as_hashes(place: Place) -> None:
    secret, new, superuser = place.new_user(), fitting_password(RedisEngine.traits), place.superuser()
    with peers.wiretap(place.server.port) as tap, log_in(superuser.changed(port=tap.port)) as session:
        session.set_password(secret.fields.username, new, keep=secret.fields.password)
    assert password_of(superuser).encode() in tap.everything_sent  # its own login, as ssl is false
    for text in (password_of(secret), new.get_secret_value()):
        assert text.encode() not in tap.everything_sent
