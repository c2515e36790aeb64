"""Why TLS failed: what libpq does not say.

libpq reports an expired certificate and an unknown authority in the same words, and a server that wants TLS in the words
for a missing pg_hba.conf rule. So after such a failure the server is asked once more, as far as the TLS handshake: no user
name and no credential leaves the process.
"""

import socket
import ssl
import struct

from rotation.engines.tls import certificate_refused, context, server_name
from rotation.errors import HostRefusedError, TargetError, TlsFailedError
from rotation.models import Login

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""Source: https://www.postgresql.org/docs/current/protocol-message-formats.html"""


def explained(failure: TlsFailedError, login: Login, address: str, authorities: str, seconds: float) -> TargetError:
    """The failure with its cause, or as it is if the cause does not show."""
    try:
        with socket.create_connection((address, login.port), seconds) as connection:
            connection.sendall(_SSL_REQUEST)
            offers_tls = connection.recv(1) == b"S"
            if not login.tls:
                return failure if offers_tls else _without_rule(login)
            if offers_tls:
                context(authorities).wrap_socket(connection, server_hostname=server_name(login)).close()
    except ssl.SSLCertVerificationError as error:
        return certificate_refused(error, login)
    except OSError:
        pass
    return failure


def _without_rule(login: Login) -> HostRefusedError:
    return HostRefusedError(f"{login.host} has no pg_hba.conf entry for user {login.username} from here")
