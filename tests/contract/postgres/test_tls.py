"""TLS on PostgreSQL 15: verified in full, or refused with its own words, and plaintext only when the secret says so."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.contract import peers
from local.contract.peers import Wiretap
from local.contract.rotating import document, log_in, new_password, refused_login
from local.postgres import PostgresServer
from local.server_process import TlsFiles
from rotation.engines.tls import RDS_BUNDLE
from rotation.errors import ConfigurationInvalidError, DnsFailedError, TlsFailedError
from rotation.models import SecretDocument
from tests.contract.postgres.authorities import Authority
from tests.contract.postgres.servers import RuledServer, create_role, keys_of, log_of

# The superuser looks at the server without TLS; the application's user is told to its face when it comes without.
RULES = ("host all postgres all scram-sha-256", "hostssl all all all scram-sha-256", "hostnossl all all all reject")
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
PASSWORD = new_password()
UNKNOWN_AUTHORITY = "self-signed certificate in certificate chain"
NOW = (-1, 30)
"""Days of validity, counted from today."""

Start = Callable[[TlsFiles | None], PostgresServer]


@pytest.fixture(scope="module")
def start(debian_bin_dir: Path) -> Iterator[Start]:
    """Starts a server with these TLS files once."""
    running: dict[TlsFiles | None, PostgresServer] = {}
    with ExitStack() as servers:

        def started(tls: TlsFiles | None) -> PostgresServer:
            if tls not in running:
                running[tls] = servers.enter_context(RuledServer(RULES, bin_dir=debian_bin_dir, tls=tls))
                create_role(running[tls], "app", PASSWORD)
            return running[tls]

        yield started


@pytest.fixture(scope="module")
def server(start: Start, authority: Authority) -> PostgresServer:
    return start(certificate(authority, "localhost"))


_CERTIFICATES: dict[tuple[str, tuple[int, int]], TlsFiles] = {}


def certificate(authority: Authority, name: str, valid_days: tuple[int, int] = NOW) -> TlsFiles:
    """One certificate of each kind, so that one server serves all tests with it."""
    if (name, valid_days) not in _CERTIFICATES:
        _CERTIFICATES[name, valid_days] = authority.server(name, "127.0.0.1", valid_days=valid_days)
    return _CERTIFICATES[name, valid_days]


def secret_for(server: PostgresServer, **more: Any) -> SecretDocument:
    return document({**keys_of(server, username="app", password=PASSWORD), "host": "localhost", "ssl": True, **more})


def assert_never_plaintext(tap: Wiretap) -> None:
    """All that left the process was the wish for TLS and, where it was granted, TLS records."""
    assert tap.sent
    for heard in tap.sent:
        assert heard.startswith(SSL_REQUEST)
        assert bytes(heard[len(SSL_REQUEST) :][:1]) in (b"", b"\x16")
    assert b"app" not in tap.everything_sent.replace(b"application", b"")


def used_tls(server: PostgresServer) -> bool:
    return any("connection authorized: user=app" in line and "SSL enabled" in line for line in server.log_lines)


class TestRight:
    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_the_right_name_and_authority_open_a_session_over_tls(
        self, server: PostgresServer, authority: Authority, host: str
    ) -> None:
        with log_in(secret_for(server, host=host), ca_bundle=str(authority.file)) as session:
            session.check()
        log_of(server)
        assert used_tls(server)

    @pytest.mark.parametrize("said", [{"ssl": True}, {"ssl": "true"}, {"ssl": None}, {}])
    def test_tls_is_used_unless_the_secret_says_otherwise(
        self, server: PostgresServer, authority: Authority, said: dict[str, Any]
    ) -> None:
        keys = keys_of(server, username="app", password=PASSWORD)
        del keys["ssl"]
        with (
            peers.wiretap(server.port) as tap,
            log_in(document({**keys, **said}, port=tap.port), ca_bundle=str(authority.file)) as session,
        ):
            session.check()
        assert_never_plaintext(tap)

    def test_the_authorities_of_the_system(
        self, server: PostgresServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused_login(TlsFailedError, secret_for(server), ca_bundle="system")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        with log_in(secret_for(server), ca_bundle="system") as session:
            session.check()


class TestWrong:
    @pytest.mark.parametrize(
        ("name", "valid_days", "words"),
        [
            ("db.example.test", NOW, "not valid for 'localhost'"),
            ("localhost", (-30, -1), "certificate has expired"),
            ("localhost", (1, 30), "certificate is not yet valid"),
        ],
        ids=["wrong name", "expired", "not yet valid"],
    )
    def test_a_certificate_that_does_not_hold_is_refused_in_its_own_words(
        self, start: Start, authority: Authority, name: str, valid_days: tuple[int, int], words: str
    ) -> None:
        server = start(certificate(authority, name, valid_days))
        assert words in self._refusal(server, authority)

    def test_a_certificate_cannot_speak_for_the_server(self, start: Start, authority: Authority) -> None:
        server = start(certificate(authority, "too many clients"))
        assert "not valid for 'localhost'" in self._refusal(server, authority)

    @pytest.mark.parametrize("name", ["localhost", "db.example.test"])
    def test_an_authority_that_is_not_in_the_bundle_is_named_as_the_cause(
        self, start: Start, authority: Authority, tmp_path: Path, name: str
    ) -> None:
        server = start(certificate(authority, name))
        assert UNKNOWN_AUTHORITY in self._refusal(server, Authority(tmp_path, "Another Authority"))

    @staticmethod
    def _refusal(server: PostgresServer, trusted: Authority) -> str:
        with peers.wiretap(server.port) as tap:
            refusal = refused_login(TlsFailedError, secret_for(server, port=tap.port), ca_bundle=str(trusted.file))
        assert_never_plaintext(tap)
        assert "no encryption" not in log_of(server)
        return refusal.message

    def test_a_server_without_tls_gets_nothing_but_the_question(self, start: Start, authority: Authority) -> None:
        server = start(None)
        with peers.wiretap(server.port) as tap:
            refusal = refused_login(TlsFailedError, secret_for(server, port=tap.port), ca_bundle=str(authority.file))
        assert "does not offer TLS" in refusal.message
        assert set(map(bytes, tap.sent)) == {SSL_REQUEST}
        assert "no encryption" not in log_of(server)

    def test_a_secret_without_tls_for_a_server_that_wants_it(self, server: PostgresServer) -> None:
        refusal = refused_login(TlsFailedError, secret_for(server, ssl=False))
        assert '"ssl": false' in refusal.message

    def test_a_ca_bundle_that_is_not_there(self, server: PostgresServer, tmp_path: Path) -> None:
        refusal = refused_login(ConfigurationInvalidError, secret_for(server), ca_bundle=str(tmp_path / "none.pem"))
        assert "TLS_CA_BUNDLE" in refusal.message


class TestServerName:
    """The host is an alias, and the certificate names another."""

    @pytest.fixture
    def aliased(self, start: Start, authority: Authority) -> PostgresServer:
        return start(certificate(authority, "db.example.test"))

    def test_the_certificate_is_held_against_the_name_in_the_secret(
        self, aliased: PostgresServer, authority: Authority
    ) -> None:
        secret = secret_for(aliased, tls_server_name="db.example.test")
        with log_in(secret, ca_bundle=str(authority.file)) as session:
            session.check()

    @pytest.mark.parametrize("name", ["other.example.test", "example.test", "localhost"])
    def test_any_other_name_is_refused(self, aliased: PostgresServer, authority: Authority, name: str) -> None:
        secret = secret_for(aliased, tls_server_name=name)
        refusal = refused_login(TlsFailedError, secret, ca_bundle=str(authority.file))
        assert name in refusal.message

    def test_the_host_is_what_dns_is_asked_for(self, aliased: PostgresServer, authority: Authority) -> None:
        asked: list[str] = []

        def resolver(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            return [(2, 1, 6, "", ("127.0.0.1", port))]

        secret = secret_for(aliased, host="alias.example.test", tls_server_name="db.example.test")
        with log_in(secret, ca_bundle=str(authority.file), resolver=resolver) as session:
            session.check()
        assert asked == ["alias.example.test"]

    def test_an_unknown_host_is_a_matter_of_dns(self, aliased: PostgresServer, authority: Authority) -> None:
        secret = secret_for(aliased, host="nowhere.invalid", tls_server_name="db.example.test")
        refused_login(DnsFailedError, secret, ca_bundle=str(authority.file))


class TestBundle:
    def test_amazons_bundle_is_read_and_trusts_amazon_alone(self, server: PostgresServer) -> None:
        refusal = refused_login(TlsFailedError, secret_for(server))
        assert UNKNOWN_AUTHORITY in refusal.message

    def test_amazons_bundle_holds_authorities_and_nothing_else(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=RDS_BUNDLE)
        assert len(context.get_ca_certs()) == Path(RDS_BUNDLE).read_text().count("BEGIN CERTIFICATE") > 50


def test_a_password_is_set_over_tls(server: PostgresServer, authority: Authority) -> None:
    create_role(server, "rotated", PASSWORD)
    secret = secret_for(server, username="rotated")
    new = new_password()
    with log_in(secret, ca_bundle=str(authority.file)) as session:
        session.set_password("rotated", secret.changed(password=new).fields.password)
    with log_in(secret.changed(password=new), ca_bundle=str(authority.file)) as session:
        session.check()
