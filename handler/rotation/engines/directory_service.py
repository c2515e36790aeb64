"""AWS Directory Service: where a directory's domain controllers are, and passwords by its API.

Source: https://docs.aws.amazon.com/directoryservice/latest/devguide/API_ResetUserPassword.html
"""

import socket
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from rotation.engines.invocation import Invocation
from rotation.errors import TargetNotReadyError


@dataclass(frozen=True)
class Directory:
    """A domain's DNS name, and the addresses of its controllers."""

    name: str
    addresses: list[str]

    def resolve(self, _host: str, port: int, **_: Any) -> list[Any]:
        """The addresses as `socket.getaddrinfo` would give them: a VPC's DNS may not know the domain."""
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (each, port)) for each in self.addresses]


class DirectoryService:
    """One directory."""

    def __init__(self, invocation: Invocation, directory_id: str) -> None:
        self._calls = invocation.aws("ds")
        self._id = directory_id

    def find(self) -> Directory:
        """The directory's name and addresses."""
        answer = self._calls("describe_directories", DirectoryIds=[self._id])
        description: dict[str, Any] = next(iter(answer["DirectoryDescriptions"]), {})
        if not description.get("DnsIpAddrs"):
            raise TargetNotReadyError(f"the directory {self._id} has no domain controllers")
        return Directory(description["Name"], description["DnsIpAddrs"])

    def reset_password(self, account_name: str, password: SecretStr) -> None:
        """Set the password of the user with this sAMAccountName."""
        self._calls(
            "reset_user_password",
            DirectoryId=self._id,
            UserName=account_name,
            NewPassword=password.get_secret_value(),
        )
