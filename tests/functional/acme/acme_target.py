"""Acme, for the contract suite: what a team brings for its own target."""

import json
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from local.server_account import ServerAccount
from local.server_process import ServerProcess, TlsFiles
from local.targets.served import ServedTarget
from rotation.errors import RoleLockedError, RotationError
from rotation.models import SecretDocument

PROGRAM = Path(__file__).with_name("acme_server.py")


class AcmeServer(ServerProcess):
    title = "Acme"
    ready = "acme is ready"

    def __init__(self) -> None:
        super().__init__()
        self._account = ServerAccount(os.geteuid(), os.getegid(), is_switched=False)
        self.superuser_password = secrets.token_urlsafe(24)

    def _initialise(self) -> None:
        (self._folder / "superuser").write_text(self.superuser_password)

    def _command(self) -> list[str]:
        return [sys.executable, str(PROGRAM), str(self.port), str(self._folder / "superuser")]


class AcmeTarget(ServedTarget[AcmeServer]):
    title = "Acme"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "bars the user"
    unbarring: ClassVar[str] = "lets it in again"
    barred_as: ClassVar[type[RotationError]] = RoleLockedError

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(AcmeServer(), tls)

    @property
    def superuser(self) -> tuple[str, str]:
        return "root", self.server.superuser_password

    def create_user(self, name: str, password: str) -> None:
        self._administer(do="create", user=name, new=password)

    def users(self) -> set[str]:
        return set(json.loads(self._administer(do="users")))

    def refusal(self, name: str, password: str) -> str | None:
        with self._connection() as ask:
            answer = ask(do="log_in", user=name, password=password)
        return None if answer == "done" else answer

    def bar(self, name: str) -> None:
        self._administer(do="bar", user=name, yes=True)

    def unbar(self, name: str) -> None:
        self._administer(do="bar", user=name, yes=False)

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        with self._connection() as ask:

            def use() -> None:
                assert ask(do="hello") == "done"

            ask(do="log_in", user=secret.fields.username, password=secret.fields.password.get_secret_value())
            yield use

    def log(self) -> str:
        mark = f"mark-{secrets.token_hex(8)}"
        with self._connection() as ask:
            ask(do=mark)
        return self.server.log_up_to(mark)

    @contextmanager
    def _connection(self) -> Iterator[Callable[..., str]]:
        with (
            socket.create_connection((self.server.host, self.server.port), 5) as connection,
            connection.makefile("rw") as stream,
        ):

            def ask(**request: Any) -> str:
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                return stream.readline().strip()

            yield ask

    def _administer(self, **request: Any) -> str:
        with self._connection() as ask:
            ask(do="log_in", user="root", password=self.server.superuser_password)
            return ask(**request)
