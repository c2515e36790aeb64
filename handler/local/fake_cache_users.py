"""Fakes of the APIs for users of ElastiCache and MemoryDB: moto's cannot modify the former, and are too kind to the latter.

Requests and answers have AWS's wire formats, by its own models of the APIs. Passwords are held to the documented rules, and
a user that is being changed takes no further change. What is fake: a change takes as many looks at the user as it is told
to, and reaches the caches when the user turns active.

Sources: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyUser.html,
https://docs.aws.amazon.com/memorydb/latest/APIReference/API_UpdateUser.html
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, override

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

Service = Literal["elasticache", "memorydb"]
SERVICES: tuple[Service, ...] = ("elasticache", "memorydb")
_ACTIVE, _MODIFYING = "active", "modifying"
_MOST_PASSWORDS = 2
_PASSWORD = re.compile(r'[^,"/@\s]{16,128}')


@dataclass
class FakeUser:
    """A user of the service.

    Attributes:
        key: What the API knows it by: with ElastiCache an id that may differ from the name.
        looks_left: How many times it is still seen as modifying.
    """

    key: str
    name: str
    passwords: list[str]
    authentication: str = "password"
    status: str = _ACTIVE
    looks_left: int = 0


class FakeApiError(ServiceException):
    """An error by its name in AWS's model, which also knows its code and status on the wire."""


def nowhere(_user: FakeUser) -> None:
    """Where there is no cache."""


class FakeCacheUsers(BaseBackend):
    """The users of one service.

    Attributes:
        slowness: How many looks a change takes.
        bring: Makes the caches accept a user's passwords, and no other.
        asked: Operations and their parameters, in order.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.users: dict[str, FakeUser] = {}
        self.slowness = 0
        self.bring: Callable[[FakeUser], None] = nowhere
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def arn(self, key: str) -> str:
        raise NotImplementedError

    def create(self, key: str, name: str, password: str) -> FakeUser:
        """A user that is active at once."""
        user = self.users[key] = FakeUser(key, name, [password])
        self.bring(user)
        return user

    def seen(self, key: str) -> dict[str, Any]:
        """The user as it is shown; a change that has taken long enough has then come to its end."""
        user = self._user(key)
        shown = self.shown(user)
        if user.status == _MODIFYING:
            user.looks_left -= 1
            if user.looks_left <= 0:
                self._settle(user)
        return shown

    def change(self, key: str, passwords: Sequence[str]) -> dict[str, Any]:
        """Replace all passwords."""
        user = self._user(key)
        if user.status != _ACTIVE:
            raise FakeApiError("InvalidUserStateFault", f"User {key} is not active")
        # Errors of AWS may quote what they complain of.
        if not 0 < len(passwords) <= _MOST_PASSWORDS or len(set(passwords)) != len(passwords):
            raise FakeApiError("InvalidParameterCombinationException", f"Not one or two passwords: {passwords}")
        if not all(_PASSWORD.fullmatch(password) and password.isprintable() for password in passwords):
            raise FakeApiError("InvalidParameterValueException", f"Passwords against the rules: {passwords}")
        user.passwords, user.authentication = list(passwords), "password"
        user.status, user.looks_left = _MODIFYING, self.slowness
        if not self.slowness:
            self._settle(user)
        return self.shown(user)

    def shown(self, user: FakeUser) -> dict[str, Any]:
        authentication = {"Type": user.authentication, "PasswordCount": len(user.passwords)}
        return {"Status": user.status, "Authentication": authentication, "ARN": self.arn(user.key)}

    def _settle(self, user: FakeUser) -> None:
        user.status = _ACTIVE
        self.bring(user)

    def _user(self, key: str) -> FakeUser:
        if key not in self.users:
            raise FakeApiError("UserNotFoundFault", f"User {key} not found")
        return self.users[key]


class FakeElastiCacheUsers(FakeCacheUsers):
    """Those of ElastiCache."""

    @override
    def arn(self, key: str) -> str:
        return f"arn:{self.partition}:elasticache:{self.region_name}:{self.account_id}:user:{key}"

    @override
    def shown(self, user: FakeUser) -> dict[str, Any]:
        return {"UserId": user.key, "UserName": user.name, "Engine": "valkey", **super().shown(user)}


class FakeMemoryDbUsers(FakeCacheUsers):
    """Those of MemoryDB, which have no id but their name."""

    @override
    def arn(self, key: str) -> str:
        return f"arn:{self.partition}:memorydb:{self.region_name}:{self.account_id}:user/{key}"

    @override
    def shown(self, user: FakeUser) -> dict[str, Any]:
        return {"Name": user.name, **super().shown(user)}


fake_cache_users: dict[Service, BackendDict[Any]] = {
    "elasticache": BackendDict(FakeElastiCacheUsers, "elasticache"),
    "memorydb": BackendDict(FakeMemoryDbUsers, "memorydb"),
}
"""By service, account and region."""


class _FakeResponse(BaseResponse):
    """Reads requests and words answers by AWS's own model of the API, as moto does."""

    service: ClassVar[Service]

    def __init__(self) -> None:
        super().__init__(self.service)
        self.automated_parameter_parsing = True

    @property
    def _users(self) -> FakeCacheUsers:
        users: FakeCacheUsers = fake_cache_users[self.service][self.current_account][self.region]
        return users

    def _asked(self, operation: str, *known: str) -> list[Any]:
        """The parameters, of which these are all that the fake knows."""
        if set(self.params) != set(known):
            raise NotImplementedError(operation)
        self._users.asked.append((operation, self.params))
        return [self.params[name] for name in known]


class FakeElastiCacheResponse(_FakeResponse):
    """The HTTP side of ElastiCache."""

    service = "elasticache"

    def describe_users(self) -> ActionResult:
        (key,) = self._asked("DescribeUsers", "UserId")
        return ActionResult({"Users": [self._users.seen(key)]})

    def modify_user(self) -> ActionResult:
        key, passwords = self._asked("ModifyUser", "UserId", "Passwords")
        return ActionResult(self._users.change(key, passwords))


class FakeMemoryDbResponse(_FakeResponse):
    """The HTTP side of MemoryDB."""

    service = "memorydb"

    def describe_users(self) -> ActionResult:
        (key,) = self._asked("DescribeUsers", "UserName")
        return ActionResult({"Users": [self._users.seen(key)]})

    def update_user(self) -> ActionResult:
        key, mode = self._asked("UpdateUser", "UserName", "AuthenticationMode")
        if mode["Type"] != "password":
            raise NotImplementedError(mode["Type"])
        return ActionResult({"User": self._users.change(key, mode["Passwords"])})
