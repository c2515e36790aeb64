"""What is the same for every target that is a directory, spoken to by LDAP."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import CERT_NONE
from typing import ClassVar

from ldap3 import BASE, MODIFY_REPLACE, NONE, SYNC, Connection, Server, Tls
from ldap3.core.results import RESULT_INVALID_CREDENTIALS

from local.server_process import ServerProcess
from local.targets.served import ServedTarget
from rotation.errors import RoleLockedError, RotationError
from rotation.models import SecretDocument

_ANY = "(objectClass=*)"


class DirectoryTarget[Directory: ServerProcess](ServedTarget[Directory]):
    """Users are entries below one node.

    Attributes:
        users_node: That node's distinguished name.
        refusal_key: Where in the result of a refused login the server says why.
    """

    users_node: ClassVar[str]
    refusal_key: ClassVar[str] = "description"
    is_transactional: ClassVar[bool] = False
    barred_as: ClassVar[type[RotationError]] = RoleLockedError

    @abstractmethod
    def _login_of(self, name: str) -> str:
        """What a user logs in with."""

    @property
    @abstractmethod
    def _superuser_login(self) -> tuple[str, str]:
        """What the superuser logs in with, and its password."""

    def refusal(self, name: str, password: str) -> str | None:
        """What the server says against a login; None if it is accepted."""
        connection = self._connection(self._login_of(name), password)
        try:
            connection.bind()
            result = connection.result["result"]
            if result not in {0, RESULT_INVALID_CREDENTIALS}:
                raise ConnectionError(f"the login ended with {result}")
            return connection.result[self.refusal_key] if result else None
        finally:
            connection.unbind()

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        """A session of the secret's user; the function given uses it."""
        fields = secret.fields
        with self._session(self._login_of(fields.username), fields.password.get_secret_value()) as connection:
            yield lambda: done(connection.search(self.users_node, _ANY, BASE), connection)

    def end_sessions(self, name: str) -> None:
        """End all: directories throw nobody out singly."""
        self.server.stop()
        self.server.start()

    def change(self, dn: str, **attributes: str | bytes | None) -> None:
        """Set attributes of an entry, or remove them."""
        with self.administrator() as connection:
            changes = {name: [(MODIFY_REPLACE, [] if value is None else [value])] for name, value in attributes.items()}
            done(connection.modify(dn, changes), connection)  # type: ignore[no-untyped-call]

    @contextmanager
    def changed(self, dn: str, **attributes: str) -> Iterator[None]:
        """Attributes of an entry for a while."""
        with self.administrator() as connection:
            done(connection.search(dn, _ANY, BASE, attributes=list(attributes)), connection)
            entry = next(iter(connection.response or ()))
            before = {name: values[0] for name, values in entry["attributes"].items() if values}
        self.change(dn, **attributes)
        try:
            yield
        finally:
            self.change(dn, **{name: before.get(name) for name in attributes})

    @contextmanager
    def administrator(self) -> Iterator[Connection]:
        """A session of the superuser."""
        with self._session(*self._superuser_login) as connection:
            yield connection

    @contextmanager
    def _session(self, login: str, password: str) -> Iterator[Connection]:
        connection = self._connection(login, password)
        done(connection.bind(), connection)
        yield connection
        connection.unbind()

    def _connection(self, login: str, password: str) -> Connection:
        # The certificate is not looked at: there is one that has expired among those that are served.
        tls = Tls(validate=CERT_NONE) if self._tls else None
        server = Server(self.server.host, self.server.port, use_ssl=tls is not None, tls=tls, get_info=NONE)
        connection = Connection(server, login, client_strategy=SYNC, check_names=False, receive_timeout=5)
        connection.password = password.encode()  # ldap3 would change a str as RFC 4013 says
        return connection


def done(accepted: object, connection: Connection) -> None:
    """Make sure that the server did what it was asked for.

    Raises:
        PermissionError: it did not; says why in the server's words.
    """
    if not accepted:
        raise PermissionError(str(connection.result))
