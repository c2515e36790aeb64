"""What every engine that speaks TLS accepts of a server, and what it does not."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from local.certificate_authority import CertificateAuthority
from local.contract import peers
from local.contract.fixtures import Setup, start_or_skip
from local.contract.logins import SHORT
from local.contract.rotating import PATIENCE, document, log_in, new_name, new_password, refused_login
from local.server_process import TlsFiles
from local.targets.target import Target
from rotation.errors import ConnectionLostError, TargetError, TlsFailedError
from rotation.models import SecretDocument


@contextmanager
def served(setup: Setup, certificate: TlsFiles) -> Iterator[SecretDocument]:
    """A secret on a server with this certificate, which the secret calls localhost."""
    with ExitStack() as stack:
        target: Target = start_or_skip(stack, lambda: setup.target(certificate))
        name, password = new_name(), new_password()
        target.create_user(name, password)
        keys = {**target.keys, "host": "localhost"}
        yield document(keys, engine=setup.engine, username=name, password=password)


class Tls:
    """Of setups with TLS."""

    without_tls: tuple[type[TargetError], ...] = (TlsFailedError, ConnectionLostError)
    """What becomes of TLS with a server that speaks none."""

    def test_a_certificate_of_a_trusted_authority_for_the_right_name_is_accepted(
        self, setup: Setup, authority: CertificateAuthority
    ) -> None:
        with served(setup, authority.issue("localhost")) as secret:
            with log_in(secret, ca_bundle=str(authority.certificate)) as session:
                session.check()
            self._refused(secret, authority.certificate, "127.0.0.1", TlsFailedError)

    def test_a_name_of_its_own_may_be_expected(self, setup: Setup, authority: CertificateAuthority) -> None:
        with (
            served(setup, authority.issue("db.example")) as secret,
            log_in(secret.changed(tls_server_name="db.example"), ca_bundle=str(authority.certificate)) as session,
        ):
            session.check()

    def test_an_unknown_authority_is_refused(self, setup: Setup, authority: CertificateAuthority, tmp_path: Path) -> None:
        stranger = CertificateAuthority(tmp_path, "Another Authority")
        with served(setup, authority.issue("localhost")) as secret:
            self._refused(secret, stranger.certificate, "localhost", TlsFailedError)

    def test_an_expired_certificate_is_refused_with_its_reason(self, setup: Setup, authority: CertificateAuthority) -> None:
        with served(setup, authority.issue("localhost", is_expired=True)) as secret:
            assert "expired" in self._refused(secret, authority.certificate, "localhost", TlsFailedError)

    def test_a_server_without_tls_never_hears_a_password(
        self, setup: Setup, authority: CertificateAuthority, started: Callable[[Setup], Target]
    ) -> None:
        """No fallback: the secret does not say `"ssl": false`."""
        plain = started(replace(setup, with_tls=False))
        name, password = new_name(), new_password()
        plain.create_user(name, password)
        with peers.wiretap(plain.keys["port"]) as tap:
            keys = {**plain.keys, "port": tap.port}
            keys.pop("ssl", None)
            secret = document(keys, engine=setup.engine, username=name, password=password)
            self._refused(secret, authority.certificate, plain.keys["host"], self.without_tls, SHORT)
        assert password.encode() not in tap.everything_sent

    def _refused(
        self,
        secret: SecretDocument,
        trusted: Path,
        host: str,
        kind: type[TargetError] | tuple[type[TargetError], ...],
        seconds: float = PATIENCE,
    ) -> str:
        return refused_login(kind, secret.changed(host=host), seconds, ca_bundle=str(trusted)).message
