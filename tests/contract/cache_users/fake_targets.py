"""Caches whose users are changed through the fake API: Valkey checks the passwords."""

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, ClassVar, Self

from local.contract.rotating import clients
from local.server_process import TlsFiles
from local.targets.redis import ValkeyTarget
from tests.contract.cache_users.fake_api import FakeApi, FakeUser


class FakeElastiCacheTarget(ValkeyTarget):
    """`keys` lead to the user that was created last."""

    title = "Fake ElastiCache"
    service: ClassVar[str] = "elasticache"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(tls)
        self.api = FakeApi(self.service, self.server)
        self._last = ""
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        self._resources.enter_context(self.server)
        clients[self.service] = self.api
        self._resources.callback(clients.pop, self.service)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

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

    title = "Fake MemoryDB"
    service = "memorydb"

    def _key(self, name: str) -> str:
        return name
