"""Every phrase by which a failed login is recognised, as a real server or network gives it."""

from pathlib import Path
from typing import Any

import pytest

from local.contract.rotating import document, new_name, new_password, refused_login
from local.postgres import PostgresServer
from rotation.engines.postgres_errors import LOGIN_PHRASES
from rotation.errors import DatabaseMissingError, HostRefusedError, LoginRefusedError, StatementRejectedError
from rotation.models import SecretDocument
from tests.contract.postgres.authorities import Authority
from tests.contract.postgres.servers import RuledServer, administer, create_role, log_of, superuser_keys, wait_for_log
from tests.contract.postgres.situations import NOT_BROUGHT_ABOUT, SAID_BETTER, SCRAM_FOR_ALL, SITUATIONS


def test_every_phrase_is_brought_about_or_has_a_reason_why_not() -> None:
    phrases = [phrase for phrase, _, _ in LOGIN_PHRASES]
    assert len(set(phrases)) == len(phrases)
    assert set(phrases) == {*SITUATIONS, *NOT_BROUGHT_ABOUT}


@pytest.mark.parametrize("phrase", SITUATIONS)
def test_the_phrase_leads_to_its_class_and_words(phrase: str, request: pytest.FixtureRequest) -> None:
    kind, what = next((kind, what) for known, kind, what in LOGIN_PHRASES if known == phrase)
    authority: Authority = request.getfixturevalue("authority")
    with SITUATIONS[phrase](request) as secret:
        fields = secret.fields
        refusal = refused_login(kind, secret, ca_bundle=str(authority.file))
        words = what.format(user=fields.username, port=fields.port, database=fields.dbname)
        assert SAID_BETTER.get(phrase, f"{fields.host} {words}") in refusal.message


@pytest.mark.parametrize(
    "text",
    [
        "too many clients",
        "no encryption",
        "SSL",
        "is not permitted to log in",
        'a" is not permitted to log in',
        "Ident authentication failed",
    ],
)
def test_a_phrase_in_a_name_misleads_nobody(keys: dict[str, Any], server: PostgresServer, text: str) -> None:
    name, password = f"{text} {new_name()}", new_password()
    create_role(server, name, password)
    secret = document(keys, username=name, password=password)
    refused_login(LoginRefusedError, secret.changed(password=new_password()))
    refusal = refused_login(DatabaseMissingError, secret.changed(dbname=text))
    assert text in refusal.message


def test_a_missing_rule_is_no_matter_of_tls_where_the_server_has_none(secret: SecretDocument) -> None:
    refusal = refused_login(HostRefusedError, secret.changed(username="unlisted"))
    assert "pg_hba.conf" in refusal.message


def test_unknown_words_are_not_taken_for_a_wrong_password(keys: dict[str, Any], server: PostgresServer) -> None:
    database = new_name("db")
    administer(server, "CREATE DATABASE {}", database)
    administer(
        server,
        "CREATE FUNCTION keep_out() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;"
        "CREATE EVENT TRIGGER keep_out ON login EXECUTE FUNCTION keep_out()",
        dbname=database,
    )
    refused_login(StatementRejectedError, document(keys, dbname=database))


def test_a_wrong_password_is_known_in_the_language_of_the_server(
    debian_bin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    with RuledServer(SCRAM_FOR_ALL, bin_dir=debian_bin_dir) as server:
        administer(server, "ALTER SYSTEM SET lc_messages = 'C.UTF-8'")
        administer(server, "SELECT pg_reload_conf()")
        wait_for_log(server, "lc_messages")
        secret = document(superuser_keys(server))
        refused_login(LoginRefusedError, secret.changed(password=new_password()))
        assert "fehlgeschlagen" in log_of(server)
