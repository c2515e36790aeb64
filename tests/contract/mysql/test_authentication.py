"""No authentication that would give the password away, on a STUB that asks for each."""

from collections.abc import Iterator

import pytest

from local.contract import peers
from local.contract.rotating import document, log_in, password_of, refused_login
from rotation.engines.mysql_verifiers import CACHING_SHA2, NATIVE
from rotation.errors import AuthenticationUnsafeError, TlsFailedError
from rotation.models import SecretDocument
from tests.contract.mysql.stub_mysql8 import StubMySql8

UNSAFE = ["mysql_clear_password", "mysql_old_password", "dialog", "client_ed25519"]


@pytest.fixture
def plain() -> Iterator[StubMySql8]:
    """Without TLS."""
    with StubMySql8() as running:
        yield running


def secret_on(stub: StubMySql8, plugin: str) -> SecretDocument:
    account = stub.add("app", "%", "a rather long secret")
    account.plugin = plugin
    return document(stub.keys, engine="mysql", username="app", password="a rather long secret")


@pytest.mark.parametrize("plugin", UNSAFE)
def test_what_reveals_the_password_is_refused_even_through_tls(stub: StubMySql8, bundle: str, plugin: str) -> None:
    refusal = refused_login(AuthenticationUnsafeError, secret_on(stub, plugin), ca_bundle=bundle)
    assert plugin in refusal.message


@pytest.mark.parametrize("plugin", [*UNSAFE, "sha256_password", CACHING_SHA2])
@pytest.mark.parametrize("default", [NATIVE, CACHING_SHA2, "sha256_password"])
def test_without_tls_no_password_leaves(plain: StubMySql8, plugin: str, default: str) -> None:
    """However the server begins: by the user's own plugin, or by another that it then switches from."""
    secret = secret_on(plain, plugin)
    plain.plugin = default
    with peers.wiretap(plain.keys["port"]) as tap:
        refusal = refused_login(AuthenticationUnsafeError, secret.changed(port=tap.port))
    assert plugin in refusal.message
    assert tap.sent
    assert password_of(secret).encode() not in tap.everything_sent


@pytest.mark.parametrize("default", [NATIVE, CACHING_SHA2])
@pytest.mark.parametrize("plugin", [NATIVE, CACHING_SHA2])
def test_through_tls_either_way_of_storing_is_fine(stub: StubMySql8, bundle: str, plugin: str, default: str) -> None:
    secret = secret_on(stub, CACHING_SHA2)
    stub.accounts["app", "%"] = stub.add("app", "%", password_of(secret), plugin)
    stub.plugin = default
    for _ in range(2):  # the first time the password is asked for, the second time its digest is in the cache
        with log_in(secret, ca_bundle=bundle) as session:
            session.check()


def test_a_challenge_is_fine_without_tls(plain: StubMySql8) -> None:
    secret = secret_on(plain, NATIVE)
    with peers.wiretap(plain.keys["port"]) as tap, log_in(secret.changed(port=tap.port)) as session:
        session.check()
    assert password_of(secret).encode() not in tap.everything_sent


def test_a_server_that_takes_tls_back_is_not_told_even_the_user(plain: StubMySql8, bundle: str) -> None:
    secret = secret_on(plain, NATIVE)
    with peers.wiretap(plain.keys["port"]) as tap:
        refused_login(TlsFailedError, secret.changed(port=tap.port, ssl=None), ca_bundle=bundle)
    assert tap.everything_sent == b""
