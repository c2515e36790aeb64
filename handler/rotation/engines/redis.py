"""Redis (from version 6 on) and Valkey, with redis-py 8.

A user holds any number of passwords, so clients with the old one are never cut off. Things to know:

- Who may set the own password may set everybody's, and give itself every right: Redis knows no smaller right for it. So
  `single-user` is for the user `default` and other superusers; application users are best rotated by a superuser.
- AUTH and HELLO send the clear password, as the protocol knows nothing else: without TLS only if the secret says
  `"ssl": false`. What sets a password sends its SHA-256 alone.
- Users are each server's own. Neither replicas nor the nodes of a cluster learn of a change: a replica and a node of a
  cluster are refused, replicas of a primary have to be given their users by other means.
- The password of replicas for their primary (masterauth) is none of a user's: do not rotate the user that they log in as.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from rotation.engines.invocation import Invocation
from rotation.engines.network import SHARE, open_socket, seconds_to_answer
from rotation.engines.tls import SYSTEM, ca_file, secured
from rotation.errors import ConnectTimeoutError, TlsFailedError
from rotation.models import Login
from rotation.protocols import EngineTraits, Session

_MOST_HANDSHAKE_SECONDS = 5.0
_LEAST_SECONDS_TO_EXPLAIN, _MOST_SECONDS_TO_EXPLAIN = 0.2, 2.0
_GREETING = b"PING\r\n"


class RedisEngine:
    """Logs in to Redis for one invocation."""

    # Neither has a limit in Redis, which hashes passwords and keeps names as they are; these are what clients can bear.
    traits = EngineTraits(default_port=6379, max_username_bytes=255, max_password_length=512, keeps_old_password=True)

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Log in; what is done through the session takes effect at once."""
        # The driver is imported with the first login: createSecret does without it.
        from rotation.engines.redis_session import RedisSession

        authorities = ca_file(self._invocation.settings, SYSTEM) if login.tls else None
        connection = open_socket(self._invocation, login)
        if authorities is not None:
            connection = self._secured(connection, login, authorities)
        with connection:
            yield RedisSession.begin(connection, login, self._invocation)

    def _secured(self, connection: socket.socket, login: Login, authorities: str) -> socket.socket:
        """The connection with TLS. A server that knows none waits for more of what it takes for a command, for ever."""
        address = connection.getpeername()[:2]
        connection.settimeout(min(_MOST_HANDSHAKE_SECONDS, seconds_to_answer(self._invocation)))
        with self._invocation.call("tls"):
            try:
                secure = secured(connection, login, authorities)
            except ConnectTimeoutError:
                if not self._answers_without_tls(address):
                    raise
                what = f"{login.host} speaks no TLS on port {login.port}"
                raise TlsFailedError(
                    what, remedy="Give port the server's tls-port; only a secret with ssl: false is used without TLS."
                ) from None
        secure.settimeout(seconds_to_answer(self._invocation))
        return secure

    def _answers_without_tls(self, address: tuple[str, int]) -> bool:
        """Whether the server answers a greeting that names nobody."""
        seconds = min(_MOST_SECONDS_TO_EXPLAIN, SHARE * self._invocation.deadline.remaining())
        try:
            with socket.create_connection(address, max(_LEAST_SECONDS_TO_EXPLAIN, seconds)) as connection:
                connection.sendall(_GREETING)
                return connection.recv(1) in {b"+", b"-"}
        except OSError:
            return False
