"""Whom to trust, and TLS for drivers that take a context or a socket. Verification is whole, or the secret says no TLS."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rotation.engines.invocation import Invocation
from rotation.engines.network import open_socket, unreachable
from rotation.errors import ConfigurationInvalidError, ConnectionLostError, TargetError, TlsFailedError
from rotation.models import Login
from rotation.settings import Settings

RDS_BUNDLE = str(Path(__file__).parent.parent / "certificates" / "rds-global-bundle.pem")
SYSTEM = "system"
"""The operating system's authorities."""


def ca_file(settings: Settings, default: str = RDS_BUNDLE) -> str:
    """The file of authorities to trust: the stack's, or else the engine's default.

    `system` is looked up here, because drivers that bring their own TLS know no operating system's place for it.

    Raises:
        ConfigurationInvalidError: there is no such file.
    """
    chosen = settings.tls_ca_bundle or default
    path = ssl.get_default_verify_paths().cafile if chosen == SYSTEM else chosen
    if path is None or not Path(path).is_file():
        raise ConfigurationInvalidError("TLS_CA_BUNDLE: there is no such file")
    return path


def context(authorities: str) -> ssl.SSLContext:
    """Chain, name and validity are verified, TLS 1.2 is the least.

    Python asks since 3.13 for more than libpq and other languages do (a key identifier in every certificate), which old
    private authorities do not meet.
    """
    made = ssl.create_default_context(cafile=authorities)
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


def server_name(login: Login) -> str:
    """The name that has to be in the server's certificate."""
    return login.tls_server_name or login.host


def secured(connection: socket.socket, login: Login, authorities: str) -> ssl.SSLSocket:
    """The connection after a TLS handshake, for protocols that begin with one.

    Raises:
        TlsFailedError: says why.
        TargetUnreachableError: the connection broke.
    """
    try:
        return context(authorities).wrap_socket(connection, server_hostname=server_name(login))
    except OSError as error:
        connection.close()
        raise handshake_error(error, login) from None


@contextmanager
def connected(invocation: Invocation, login: Login, default: str = SYSTEM) -> Iterator[socket.socket]:
    """A connection to the target for the length of a block: TCP, and TLS unless the secret says no.

    Args:
        invocation: Bounds each wait.
        login: Names host and port.
        default: Whom to trust if the stack does not say.
    """
    authorities = ca_file(invocation.settings, default) if login.tls else None
    connection = open_socket(invocation, login)
    if authorities is not None:
        with invocation.call("tls"):
            connection = secured(connection, login, authorities)
    with connection:
        yield connection


def handshake_error(error: OSError, login: Login) -> TargetError:
    """The tree's error for a failed handshake: a refused certificate with the reason, or a broken connection."""
    match error:
        case ssl.SSLCertVerificationError():
            return certificate_refused(error, login)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return ConnectionLostError(f"{login.host} hung up during the TLS handshake")
        case ssl.SSLError():
            return TlsFailedError(f"{login.host} failed in the TLS handshake")
        case _:
            return unreachable(error, login)


def certificate_refused(error: ssl.SSLCertVerificationError, login: Login) -> TlsFailedError:
    """The same for a certificate, with the verifier's reason."""
    return TlsFailedError(f"the certificate of {login.host} is refused: {error.verify_message.rstrip('.')}")
