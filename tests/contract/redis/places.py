"""Servers and who is on them."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from local.contract.peers import LOOPBACK
from local.contract.rotating import document, new_name, new_password
from local.redis import RedisServer
from rotation.models import SecretDocument


@dataclass
class Place:
    """A server, and who is on it."""

    server: RedisServer

    def tell(self, *command: str) -> Any:
        with self.server.client() as client:
            return client.execute_command(*command)

    def superuser(self) -> SecretDocument:
        return self.secret_of(self.server.superuser, self.server.superuser_password)

    def new_user(self, *rules: str, name: str | None = None) -> SecretDocument:
        name, password = name or new_name(), new_password()
        self.tell("ACL", "SETUSER", name, "on", f"#{sha256(password.encode()).hexdigest()}", *rules)
        return self.secret_of(name, password)

    def secret_of(self, name: str, password: str) -> SecretDocument:
        return secret_at(self.server.port, name, password)

    def opens(self, secret: SecretDocument) -> bool:
        user = self.tell("ACL", "GETUSER", secret.fields.username)
        digest = sha256(secret.fields.password.get_secret_value().encode()).hexdigest()
        return user is not None and digest in user["passwords"]


def secret_at(port: int, name: str, password: str) -> SecretDocument:
    place = {"engine": "valkey", "host": LOOPBACK, "port": port, "ssl": False}
    return document(place, username=name, password=password)


Start = Callable[..., Place]
