"""Caches whose users are changed through the fake API: Valkey checks the passwords."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from local.contract.rotating import clients
from local.server_process import TlsFiles
from local.targets.redis import ValkeyTarget
from tests.contract.cache_users.fake_api import FakeApi, FakeUser


class FakeElastiCacheTarget(ValkeyTarget):
    """`keys` lead to the user that was created last."""

    service: ClassVar[str] = "elasticache"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(tls)
        self.api = FakeApi(self.service, self.server)
        self._last = ""

    def __enter__(self) -> Self:
        super().__enter__()
        self.title = "Fake API, " + self.title
        clients[self.service] = self.api
        self._resources.callback(clients.pop, self.service)
        return self

    @property
    def keys(self) -> Mapping[str, Any]:
        return {**super().keys, "user_arn": self.api.arn(self._last)}

    def create_user(self, name: str, password: str) -> None:
        self._last = self._key(name)
        user = FakeUser(self._last, name, passwords=[password])
        self.api.users[user.key] = user
        self.api.settle(user)
        self._set_user(user.name, "+ping", "+get", "~*")

    def _key(self, name: str) -> str:
        return f"id-{name}"


class FakeMemoryDbTarget(FakeElastiCacheTarget):
    """Users have no id but their name."""

    service = "memorydb"

    def _key(self, name: str) -> str:
        return name
