"""MongoDB and Amazon DocumentDB, by commands over one connection.

The secret's host is asked and nobody else: the cluster endpoint of DocumentDB, a primary, or a router. A secondary or reader
endpoint takes logins, and refuses changes with a reason of its own. As in AWS's functions, `dbname` is the database that the
user belongs to, `admin` unless given.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from socket import socket
from typing import TYPE_CHECKING, Any

from rotation.engines.invocation import Invocation
from rotation.engines.network import open_socket, unreachable
from rotation.engines.tls import ca_file, secured
from rotation.errors import StatementRejectedError
from rotation.models import Login
from rotation.protocols import EngineTraits, Session

if TYPE_CHECKING:
    from rotation.engines.mongo_wire import MongoConnection


class MongoEngine:
    """Logs in to MongoDB for one invocation."""

    # The limits are those of DocumentDB, whose secrets say `mongo` as well.
    # Source: https://docs.aws.amazon.com/documentdb/latest/developerguide/API_CreateDBCluster.html
    traits = EngineTraits(
        default_port=27017,
        max_username_bytes=63,
        min_password_length=8,
        max_password_length=100,
        excluded_characters='/"@',
    )

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Log in; every command takes effect at once, so nothing is left to do at the end."""
        # The driver is imported with the first login: createSecret does without it.
        from rotation.engines.mongo_session import MongoSession
        from rotation.engines.mongo_wire import MongoConnection

        database = login.dbname or "admin"
        with closing(self._connect(login)) as connection:
            wire = MongoConnection(connection, self._invocation)
            with self._invocation.call("authenticate"):
                self._authenticate(wire, login, database)
            yield MongoSession(wire, login.username, database, self._invocation)

    def _connect(self, login: Login) -> socket:
        authorities = ca_file(self._invocation.settings) if login.tls else ""
        connection = open_socket(self._invocation, login)
        return secured(connection, login, authorities) if login.tls else connection

    def _authenticate(self, wire: "MongoConnection", login: Login, database: str) -> None:
        from rotation.engines.mongo_errors import login_error
        from rotation.engines.mongo_scram import Scram, strongest
        from rotation.engines.mongo_wire import CLIENT, NotMongoError, greeting

        def send(command: Mapping[str, Any]) -> Mapping[str, Any]:
            try:
                answer = wire.answer(database, command)
            except OSError as error:
                raise unreachable(error, login) from None
            except NotMongoError:
                raise StatementRejectedError(f"{login.host} does not speak MongoDB's protocol") from None
            if not answer.get("ok"):
                raise login_error(answer, login, database)
            return answer

        server = send({**greeting(login.username, database), "client": CLIENT})
        Scram(strongest(server.get("saslSupportedMechs", ())), login.username, login.password).log_in(send)
