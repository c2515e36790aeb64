"""SecantusDB, a re-implementation of MongoDB that checks passwords: MongoDB itself cannot be had from a package registry.

Where it is known to differ, as far as rotation is concerned: it logs connections but no command; it keeps neither custom
data nor address limits of users, and does not list the users of all databases; whoever may change the own password may
change any; and it does not undo SCRAM's escapes of `,` and `=` in user names.
"""

import os
import secrets
import sys
from typing import Any, ClassVar

from pymongo import MongoClient

from local.server_account import ServerAccount
from local.server_process import ServerProcess, TlsFiles


class SecantusServer(ServerProcess):
    """SecantusDB with access control, and with the failures that MongoDB's own tests cause (`configureFailPoint`)."""

    title: ClassVar[str] = "SecantusDB"
    ready = "secantus listening on"
    superuser = "root"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__()
        # It is a package of this interpreter's, which another account may be unable to reach; and it runs as root.
        self._account = ServerAccount(os.geteuid(), os.getegid(), is_switched=False)
        self.superuser_password = secrets.token_urlsafe(24)
        self._tls = tls
        self._options: list[str] = []

    def client(self, username: str, password: str) -> MongoClient[dict[str, Any]]:
        """MongoDB's own client, which must be closed."""
        # To verify the certificate is the engine's part; it may be a wrong one on purpose.
        tls: dict[str, Any] = {"tls": True, "tlsAllowInvalidCertificates": True} if self._tls else {}
        return MongoClient(
            self.host,
            self.port,
            username=username,
            password=password,
            directConnection=True,
            serverSelectionTimeoutMS=10_000,
            **tls,
        )

    def administer(self, database: str, command: str, value: object, **more: Any) -> dict[str, Any]:
        """Run a command as the superuser."""
        with self.client(self.superuser, self.superuser_password) as client:
            return client[database].command(command, value, **more)

    def _initialise(self) -> None:
        """Make the superuser, for which the server has to run once without access control."""
        self.start()
        with MongoClient[dict[str, Any]](self.host, self.port, directConnection=True) as client:
            client.admin.command("createUser", self.superuser, pwd=self.superuser_password, roles=["root"])
        self.stop()
        self._options = ["--auth"]
        if self._tls is not None:
            certificate, key = (
                self._copy(self._tls.certificate, "server.crt"),
                self._copy(self._tls.private_key, "server.key"),
            )
            self._options += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "secantus", "--host", self.host, "--port", str(self.port), "--standalone"),
            *("--storage-path", str(self._folder / "data"), "--log-level", "DEBUG", "--enable-test-commands"),
            *self._options,
        ]
