"""Valkey 9 (PyPI's, without TLS) and Redis 7 (Debian's, with TLS if it has a certificate); both log all they can."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from secrets import token_hex
from typing import Any, ClassVar

import redis
from redis.exceptions import AuthenticationError

from local.redis import RedisServer, debian_redis
from local.server_process import TlsFiles
from local.targets.served import ServedTarget
from rotation.errors import LoginRefusedError, RotationError
from rotation.models import SecretDocument

_REFUSED = "WRONGPASS"
_RIGHTS = (
    *(
        "~app:*",
        "%R~shared:*",
        "resetchannels",
        "&news:*",
        "+@read",
        "+@write",
        "-@dangerous",
        "+publish",
        "+ping",
        "+config|get",
    ),
    "(~queue:* +lpush +rpop)",
)


class ValkeyTarget(ServedTarget[RedisServer]):
    """Users may change themselves, and with that everybody: Redis knows no smaller right."""

    title = "Valkey"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "somebody switches the user off"
    unbarring: ClassVar[str] = "the user is switched on again"
    barred_as: ClassVar[type[RotationError]] = LoginRefusedError

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(self._planned(tls), tls)

    def _planned(self, tls: TlsFiles | None) -> RedisServer:
        return RedisServer(tls=tls)

    def _prepare(self) -> None:
        facts = self._administer("INFO", "server")
        self.title = f"{type(self).title} {facts.get('valkey_version', facts['redis_version'])}"

    @property
    def superuser(self) -> tuple[str, str]:
        return self.server.superuser, self.server.superuser_password

    def create_user(self, name: str, password: str) -> None:
        own = ("+acl|setuser", "+acl|save", "+config|rewrite", "+multi", "+exec")
        self._set_user(name, "on", f"#{sha256(password.encode()).hexdigest()}", "~app:*", "+@read", "+ping", *own)

    def set_passwords(self, name: str, *passwords: str) -> None:
        """Let these passwords open the user, who is made if there is none, and no other."""
        self._set_user(name, "on", "resetpass", *(f"#{sha256(password.encode()).hexdigest()}" for password in passwords))

    def restrict(self, name: str) -> None:
        """Take away what only superusers should have."""
        self._set_user(name, "-@admin")

    def users(self) -> set[str]:
        return set(self._administer("ACL", "USERS"))

    def refusal(self, name: str, password: str) -> str | None:
        with self.server.client(name, password) as client:
            try:
                client.ping()
            except redis.exceptions.NoPermissionError:
                return None
            except AuthenticationError as error:
                if error.status_code != _REFUSED:
                    raise
                return _REFUSED
        return None

    def bar(self, name: str) -> None:
        self._set_user(name, "off")

    def unbar(self, name: str) -> None:
        self._set_user(name, "on")

    def give_rights(self, name: str) -> None:
        self._set_user(name, *_RIGHTS, "-@scripting")

    def rights(self, name: str) -> object:
        """All but passwords, and selectors that allow nothing."""
        user = self._administer("ACL", "GETUSER", name)
        selectors = [selector for selector in user["selectors"] if selector["commands"] != "-@all"]
        flags = set(user["flags"]) - {"sanitize-payload"}  # the default, which Redis shows of some users only
        return [flags, user["commands"], user["keys"], user["channels"], user.get("databases"), selectors]

    def use_rights(self, secret: SecretDocument) -> None:
        with self._application(secret) as client:
            client.set("app:1", "1")
            client.get("shared:1")
            client.publish("news:today", "1")
            client.lpush("queue:1", "1")
            client.rpop("queue:1")

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        with self._application(secret, single_connection_client=True) as client:
            yield client.ping

    def end_sessions(self, name: str) -> None:
        self._administer("CLIENT", "KILL", "USER", name)

    def log(self) -> str:
        """The log, every command with its arguments, and what was refused."""
        mark = f"mark-{token_hex(8)}"
        self._administer("DEBUG", "LOG", mark)
        commands = [self._administer("SLOWLOG", "GET", "-1"), self._administer("ACL", "LOG", "10000")]
        return self.server.log_up_to(mark) + "\n" + "\n".join(map(str, commands))

    def _application(self, secret: SecretDocument, **options: Any) -> redis.Redis:
        return self.server.client(secret.fields.username, secret.fields.password.get_secret_value(), **options)

    def _set_user(self, name: str, *rules: str) -> None:
        self._administer("ACL", "SETUSER", name, *rules)

    def _administer(self, *command: str) -> Any:
        with self.server.client() as client:
            return client.execute_command(*command)


class RedisTarget(ValkeyTarget):
    """The same of Redis."""

    title = "Redis"

    def _planned(self, tls: TlsFiles | None) -> RedisServer:
        return RedisServer(debian_redis(), tls=tls)
