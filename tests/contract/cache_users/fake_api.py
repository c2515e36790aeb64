"""A fake of the APIs for users of ElastiCache and MemoryDB, in front of a real Valkey that checks the passwords.

Requests and answers are held to AWS's own model of the API, and passwords to the documented rules. What is fake: a change
takes as many looks at the user as it is told to, and reaches the one cache when the user turns active.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from local.redis import RedisServer

ACCOUNT = "123456789012"
REGION = "eu-central-1"
_MOST_PASSWORDS = 2
_PASSWORD = re.compile(r'[^,"/@\s]{16,128}')


@dataclass
class FakeUser:
    """A user of the service; an id that differs from the name is possible with ElastiCache."""

    key: str
    name: str
    authentication: str = "password"
    status: str = "active"
    passwords: list[str] = field(default_factory=list)
    looks_left: int = 0


class FakeApi:
    """One service's client, as far as rotations use it.

    Attributes:
        slowness: How many looks a change takes.
        calls: Operations and their parameters, in order.
    """

    def __init__(self, service: str, cache: RedisServer) -> None:
        self.service = service
        self.users: dict[str, FakeUser] = {}
        self.slowness = 0
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.denied = False
        self._cache = cache
        self._model = botocore.session.get_session().get_service_model(service)
        self._suffix = "" if service == "elasticache" else "Fault"

    def arn(self, key: str) -> str:
        separator = ":" if self.service == "elasticache" else "/"
        return f"arn:aws:{self.service}:{REGION}:{ACCOUNT}:user{separator}{key}"

    def describe_users(self, **parameters: Any) -> dict[str, Any]:
        return self._answer("DescribeUsers", parameters, lambda: {"Users": [self._looked_at(parameters)]})

    def modify_user(self, **parameters: Any) -> dict[str, Any]:
        assert self.service == "elasticache"
        return self._answer("ModifyUser", parameters, lambda: self._changed(parameters, parameters["Passwords"]))

    def update_user(self, **parameters: Any) -> dict[str, Any]:
        assert self.service == "memorydb"
        mode = parameters["AuthenticationMode"]
        assert mode["Type"] == "password"
        return self._answer("UpdateUser", parameters, lambda: {"User": self._changed(parameters, mode["Passwords"])})

    def settle(self, user: FakeUser) -> None:
        """Bring a change to the cache."""
        user.status = "active"
        hashes = [f"#{sha256(password.encode()).hexdigest()}" for password in user.passwords]
        with self._cache.client() as admin:
            admin.execute_command("ACL", "SETUSER", user.name, "on", "resetpass", *hashes)

    def _looked_at(self, parameters: dict[str, Any]) -> dict[str, Any]:
        user = self._user(parameters, "DescribeUsers")
        shown = self._shown(user)
        if user.status == "modifying":
            user.looks_left -= 1
            if user.looks_left <= 0:
                self.settle(user)
        return shown

    def _changed(self, parameters: dict[str, Any], passwords: list[str]) -> dict[str, Any]:
        user = self._user(parameters, "ModifyUser")
        if user.status != "active":
            raise self._error(f"InvalidUserState{self._suffix}", "ModifyUser")
        if len(passwords) > _MOST_PASSWORDS or len(set(passwords)) != len(passwords):
            raise self._error("InvalidParameterCombination", "ModifyUser")
        if not all(_PASSWORD.fullmatch(password) and password.isprintable() for password in passwords):
            raise self._error("InvalidParameterValue", "ModifyUser", *passwords)
        user.passwords, user.authentication = list(passwords), "password"
        if self.slowness:
            user.status, user.looks_left = "modifying", self.slowness
        else:
            self.settle(user)
        return self._shown(user)

    def _user(self, parameters: dict[str, Any], operation: str) -> FakeUser:
        key = parameters["UserId" if self.service == "elasticache" else "UserName"]
        if key not in self.users:
            raise self._error(f"UserNotFound{self._suffix}", operation)
        return self.users[key]

    def _shown(self, user: FakeUser) -> dict[str, Any]:
        authentication = {"Type": user.authentication, "PasswordCount": len(user.passwords)}
        name = {"UserId": user.key, "UserName": user.name} if self.service == "elasticache" else {"Name": user.name}
        return {**name, "Status": user.status, "Authentication": authentication, "ARN": self.arn(user.key)}

    def _answer(self, operation: str, parameters: dict[str, Any], answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.calls.append((operation, parameters))
        shapes = self._model.operation_model(operation)
        assert shapes.input_shape is not None
        assert shapes.output_shape is not None
        assert not ParamValidator().validate(parameters, shapes.input_shape).has_errors()
        if self.denied:
            raise self._error("AccessDenied", operation)
        given = answer()
        report = ParamValidator().validate(given, shapes.output_shape)
        assert not report.has_errors(), report.generate_report()
        return given

    def _error(self, code: str, operation: str, *quoted: str) -> ClientError:
        """AWS's errors may quote what they complain of."""
        return ClientError({"Error": {"Code": code, "Message": f"{operation} refuses {quoted}"}}, operation)
