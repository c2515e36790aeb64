"""Caches whose users are changed through the fakes of AWS's APIs: Valkey checks the passwords."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from local.aws import AwsStage
from local.contract.rotating import clients
from local.fake_cache_users import Service
from local.server_process import TlsFiles
from local.targets.redis import ValkeyTarget


class FakeElastiCacheTarget(ValkeyTarget):
    """`keys` lead to the user that was created last.

    Attributes:
        stage: The AWS account whose users they are.
    """

    service: ClassVar[Service] = "elasticache"
    account_id: ClassVar[str] = "200000000011"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(tls)
        self.stage = AwsStage(account_id=self.account_id)
        self._last = ""

    def __enter__(self) -> Self:
        super().__enter__()
        self._resources.enter_context(self.stage)
        self.title = "Fake API, " + self.title
        with self.stage.cache_users(self.service) as self.api:
            self.api.bring = lambda user: self.set_passwords(user.name, *user.passwords)
        clients[self.service] = self.stage.client(self.service)
        self._resources.callback(clients.pop, self.service)
        return self

    @property
    def keys(self) -> Mapping[str, Any]:
        return {**super().keys, "user_arn": self.api.arn(self._last)}

    def create_user(self, name: str, password: str) -> None:
        self._last = self._key(name)
        self.api.create(self._last, name, password)
        self._set_user(name, "+ping", "+get", "~*")

    def _key(self, name: str) -> str:
        return f"id-{name}"


class FakeMemoryDbTarget(FakeElastiCacheTarget):
    """Users have no id but their name."""

    service = "memorydb"
    account_id = "200000000012"

    def _key(self, name: str) -> str:
        return name
