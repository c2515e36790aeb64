"""What Redshift's engine does to users, on PostgreSQL in Redshift's place."""

import pytest
from pydantic import SecretStr

from local.certificate_authority import CertificateAuthority
from local.contract import Setup, peers
from local.contract.rotating import (
    SecretInRotation,
    document,
    log_in,
    new_name,
    new_password,
    refused,
    refused_login,
)
from local.contract.strategies import accepted
from local.targets.redshift import RedshiftTarget
from rotation.errors import AuthenticationUnsafeError, DatabaseMissingError, TargetMismatchError
from rotation.models import SecretDocument
from rotation.strategies.alternating_users import AlternatingUsers

WITH_TLS = Setup("redshift", RedshiftTarget, with_tls=True)
SETUPS = [Setup("redshift", RedshiftTarget)]


@pytest.fixture
def alternating(secret: SecretDocument, superuser: SecretDocument) -> SecretInRotation:
    return SecretInRotation(AlternatingUsers(), secret, superuser)


def stored(target: RedshiftTarget, name: str) -> str:
    ((verifier,),) = target._administer("SELECT passwd FROM pg_shadow WHERE usename = '" + name + "'")
    return str(verifier)


def test_the_database_is_dev_unless_the_secret_names_one(secret: SecretDocument) -> None:
    failure = refused_login(DatabaseMissingError, secret.changed(dbname=None))
    assert "dev" in failure.message


def test_the_server_is_told_the_digest_that_redshift_documents(target: RedshiftTarget, superuser: SecretDocument) -> None:
    target.create_user("user1", new_password())
    with log_in(superuser) as session:
        session.set_password("user1", SecretStr("ez"))
    assert stored(target, "user1") == "md5153c434b4b77c89e6b94f12c5393af5b"
    assert "PASSWORD 'md5153c434b4b77c89e6b94f12c5393af5b'" in target.log()


def test_a_password_that_redshift_keeps_as_sha256_is_no_wrong_one(secret: SecretDocument) -> None:
    with peers.answering(peers.ask_for_a_redshift_digest) as port:
        failure = refused_login(AuthenticationUnsafeError, secret.changed(port=port))
    assert "in a form that libpq does not know" in failure.message


def test_redshift_has_no_parameter_for_locks(target: RedshiftTarget, secret: SecretDocument) -> None:
    before = target.log()
    with log_in(secret) as session:
        session.check()
    said = target.log().removeprefix(before)
    assert "SET LOCAL statement_timeout" in said
    assert "lock_timeout" not in said


def test_what_the_owner_loses_the_clone_loses(target: RedshiftTarget, alternating: SecretInRotation) -> None:
    owner = alternating.current.fields.username
    target.give_rights(owner)
    clone = alternating.rotate().fields.username
    _, ((group,),), ((schema, table, *_), *_) = target.rights(owner)
    target._administer("ALTER GROUP {} DROP USER {}", group, owner)
    target._administer("REVOKE ALL ON {}.{} FROM {}", schema, table, owner)
    target._administer("REVOKE ALL ON SCHEMA {} FROM {}", schema, owner)
    target._administer("REVOKE CREATE ON DATABASE postgres FROM {}", owner)
    target._administer("ALTER USER {} NOCREATEDB CONNECTION LIMIT 3 VALID UNTIL 'infinity'", owner)
    target._administer("ALTER USER {} RESET search_path", owner)
    alternating.rotate()
    alternating.rotate()
    assert target.rights(clone) == target.rights(owner)
    may = f"has_schema_privilege('{clone}', '{schema}', 'usage'), has_database_privilege('{clone}', 'postgres', 'create')"
    assert target._administer(f"SELECT {may}") == [(False, False)]


def test_what_somebody_gave_to_the_clone_alone_is_taken_back(target: RedshiftTarget, alternating: SecretInRotation) -> None:
    clone = alternating.rotate().fields.username
    target.give_rights(clone)
    target._administer("ALTER USER {} CONNECTION LIMIT -1", clone)  # PostgreSQL does not know Redshift's UNLIMITED
    alternating.rotate()
    alternating.rotate()
    assert target.rights(clone) == target.rights(alternating.previous.fields.username if alternating.previous else "")


def test_what_the_clone_made_stays_its_own(target: RedshiftTarget, alternating: SecretInRotation) -> None:
    owner = alternating.current.fields.username
    target._administer("GRANT CREATE ON SCHEMA public TO {}", owner)
    alternating.rotate()
    table = new_name("made")
    with target._application(alternating.current) as connection:
        connection.execute(f"CREATE TABLE public.{table} (id int)")
    alternating.rotate()
    clone = alternating.rotate()
    may = f"has_table_privilege('{clone.fields.username}', 'public.{table}', 'select')"
    assert target._administer(f"SELECT {may}") == [(True,)]


def test_the_clone_of_one_user_is_not_anothers(
    target: RedshiftTarget, alternating: SecretInRotation, superuser: SecretDocument
) -> None:
    clone = alternating.rotate()
    victim = new_name("victim")
    target.create_user(victim, new_password())
    with refused(TargetMismatchError), log_in(superuser) as session:
        session.provide_clone(victim, clone.fields.username)
    assert accepted(target, clone)


def test_a_user_that_is_marked_by_hand_becomes_the_clone(target: RedshiftTarget, alternating: SecretInRotation) -> None:
    """As the message about a stranger says it, for clones that other rotation functions have made."""
    owner = alternating.current.fields.username
    target.create_user(f"{owner}_clone", new_password())
    alternating.create()
    with refused(TargetMismatchError) as failure:
        alternating.set()
    assert failure.error is not None
    assert f"alternate_of_{owner}" in failure.error.next_action
    target._administer("CREATE GROUP {} USER {}", f"alternate_of_{owner}", f"{owner}_clone")
    alternating.set()
    assert accepted(target, alternating.pending)


class TestAuthorities:
    setups = (WITH_TLS,)

    def test_the_authorities_are_the_operating_systems(
        self, target: RedshiftTarget, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        name, password = new_name(), new_password()
        target.create_user(name, password)
        with log_in(document(target.keys, engine="redshift", username=name, password=password)) as session:
            session.check()
