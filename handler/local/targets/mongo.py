"""SecantusDB, which re-implements MongoDB; with a certificate it takes no connection without TLS."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from secrets import token_hex, token_urlsafe
from typing import Any, ClassVar

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from local.secantus import SecantusServer
from local.server_process import TlsFiles
from local.targets.served import ServedTarget
from rotation.errors import LoginRefusedError, RotationError
from rotation.models import SecretDocument

_MAY_CHANGE_OWN_PASSWORD = "changes-own-password"  # noqa: S105 - a role
_READS = "reads-"
_REFUSED = 18


class MongoTarget(ServedTarget[SecantusServer]):
    """Users may change their own password, which is a right like any other in MongoDB."""

    title = "SecantusDB"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "somebody gives the database user another password"
    unbarring: ClassVar[str] = "the user gets its password back"
    barred_as: ClassVar[type[RotationError]] = LoginRefusedError

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(SecantusServer(tls), tls)
        self._passwords: dict[str, str] = {}

    def _prepare(self) -> None:
        self.title = f"SecantusDB {version('secantusdb')}, a re-implementation of MongoDB"
        privilege = {"resource": {"db": "admin", "collection": ""}, "actions": ["changeOwnPassword"]}
        self.server.administer("admin", "createRole", _MAY_CHANGE_OWN_PASSWORD, privileges=[privilege], roles=[])

    @property
    def superuser(self) -> tuple[str, str]:
        return self.server.superuser, self.server.superuser_password

    def create_user(self, name: str, password: str) -> None:
        self.server.administer("admin", "createUser", name, pwd=password, roles=[_MAY_CHANGE_OWN_PASSWORD])
        self._passwords[name] = password

    def users(self) -> set[str]:
        # Its usersInfo ends after a hundred.
        with self.server.client(*self.superuser) as client:
            return {user["user"] for user in client.admin["system.users"].find()}

    def refusal(self, name: str, password: str) -> str | None:
        try:
            with self.server.client(name, password) as client:
                client.admin.command("connectionStatus")
        except OperationFailure as error:
            if error.code != _REFUSED:
                raise
            return "Authentication failed"
        return None

    def bar(self, name: str) -> None:
        """MongoDB has no lock on users; this is what administrators do in its place."""
        self.server.administer("admin", "updateUser", name, pwd=token_urlsafe(24))

    def unbar(self, name: str) -> None:
        self.server.administer("admin", "updateUser", name, pwd=self._passwords[name])

    def give_rights(self, name: str) -> None:
        database = f"archive_{token_hex(4)}"
        privilege = {"resource": {"db": database, "collection": ""}, "actions": ["find"]}
        self.server.administer("admin", "createRole", _READS + database, privileges=[privilege], roles=[])
        roles = [_READS + database, {"role": "readWrite", "db": "orders"}]
        self.server.administer("admin", "grantRolesToUser", name, roles=roles)

    def rights(self, name: str) -> object:
        (user,) = self.server.administer("admin", "usersInfo", name, showCredentials=True)["users"]
        roles = sorted((role["db"], role["role"]) for role in user["roles"])
        return [role for role in roles if not role[1].startswith("alternate-of-")], user["credentials"].keys()

    def use_rights(self, secret: SecretDocument) -> None:
        with self._application(secret) as client:
            client.orders.tasks.insert_one({"done": False})
            for role in client.admin.command("connectionStatus")["authInfo"]["authenticatedUserRoles"]:
                if role["role"].startswith(_READS):
                    client[role["role"].removeprefix(_READS)].tasks.find_one()

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        with self._application(secret) as client:
            client.admin.command("connectionStatus")
            yield lambda: client.admin.command("connectionStatus")

    def end_sessions(self, name: str) -> None:
        """All of them, since this server ends no single one."""
        self.server.stop()
        self.server.start()

    def log(self) -> str:
        with socket.create_connection((self.server.host, self.server.port)) as mark:
            address = str(mark.getsockname())
        return self.server.log_up_to(address)

    def _application(self, secret: SecretDocument) -> MongoClient[dict[str, Any]]:
        return self.server.client(secret.fields.username, secret.fields.password.get_secret_value())
