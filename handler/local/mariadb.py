"""A real MariaDB server that checks passwords, for as long as a `with` block lasts: Debian's `mariadb-server`."""

import hashlib
import secrets
import subprocess
from typing import Any

import pymysql

from local.server_process import ServerError, ServerProcess, TlsFiles, program

_INSTALL = "apt-get install -y mariadb-server (and stop the service that it starts)"

_NOT_DURABLE = ("--innodb-flush-method=nosync", "--skip-innodb-doublewrite", "--sync-frm=0", "--innodb-log-file-size=4M")
_LOGS = ("statements.log", "slow.log", "errors.log")


class MariaDbServer(ServerProcess):
    """MariaDB that logs every statement, with durability switched off."""

    title = "MariaDB"
    ready = "ready for connections"
    superuser = "root"

    def __init__(self, *, tls: TlsFiles | None = None, options: tuple[str, ...] = ()) -> None:
        """Plan a server; `options` are those of its command line, such as `--read-only`."""
        super().__init__()
        self.superuser_password = secrets.token_urlsafe(24)
        self._tls = tls
        self._options = options
        self._is_secured = False
        self._program = program("mariadbd", install=_INSTALL)
        self._installer = program("mariadb-install-db", install=_INSTALL)

    def admin_connection(self) -> "pymysql.Connection[Any]":
        """Connect as the superuser, with autocommit."""
        return self._connect(self.superuser_password)

    def log(self) -> str:
        """All that the server has written; every statement is in it before it is executed."""
        files = (self._folder / name for name in _LOGS)
        return "\n".join([*self.log_lines, *(file.read_text(errors="replace") for file in files if file.exists())])

    def _initialise(self) -> None:
        done = subprocess.run(  # noqa: S603 - the operating system's program
            [
                *(str(self._installer), "--no-defaults", f"--datadir={self._folder / 'data'}"),
                *("--auth-root-authentication-method=normal", "--skip-name-resolve", "--skip-test-db", *_NOT_DURABLE),
                f"--tmpdir={self._folder}",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            **self._account.process_options,
        )
        if done.returncode != 0:
            raise ServerError(f"MariaDB could not be initialised: {done.stderr.strip()}")
        for name, source in self._tls_files().items():
            self._copy(source, name)

    def start(self) -> None:
        super().start()
        if not self._is_secured:
            self._secure()
            self._is_secured = True

    def _secure(self) -> None:
        """Give the one superuser that remains its password, as a verifier: the log holds every statement."""
        with self._connect("") as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> '127.0.0.1'")
            cursor.execute("FLUSH PRIVILEGES")
            cursor.execute("SET PASSWORD = %s", (stored_password(self.superuser_password),))

    def _connect(self, password: str) -> "pymysql.Connection[Any]":
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.superuser,
            password=password,
            charset="utf8mb4",
            ssl_disabled=True,
            autocommit=True,
        )

    def _command(self) -> list[str]:
        data = self._folder / "data"
        command = [
            *(str(self._program), "--no-defaults", f"--datadir={data}", f"--socket={self._folder / 'socket'}"),
            *(f"--port={self.port}", f"--bind-address={self.host}", "--skip-name-resolve", "--plugin-maturity=unknown"),
            f"--tmpdir={self._folder}",
            *_NOT_DURABLE,
            *("--general-log", f"--general-log-file={self._folder / _LOGS[0]}"),
            *("--slow-query-log", f"--slow-query-log-file={self._folder / _LOGS[1]}", "--long-query-time=0"),
            *("--plugin-load-add=sql_errlog", f"--sql-error-log-filename={self._folder / _LOGS[2]}", "--log-warnings=9"),
            *self._options,
        ]
        return [*command, *(f"--ssl-{name.removesuffix('.pem')}={self._folder / name}" for name in self._tls_files())]

    def _tls_files(self) -> dict[str, Any]:
        if self._tls is None:
            return {}
        return {"cert.pem": self._tls.certificate, "key.pem": self._tls.private_key, "ca.pem": self._tls.authority}


def stored_password(password: str) -> str:
    """What the server stores of a password, and takes in its place."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()
