"""A stub of AWS Directory Service's API in front of a real domain controller.

The client is botocore's own, which checks parameters against AWS's model and makes errors of answers; what the service
itself does with a password is this stub's guess. It has not been run against AWS.
"""

import json
from types import SimpleNamespace
from typing import Any

import boto3

from local.contract.rotating import new_record
from local.samba import SambaServer
from local.targets.activedirectory import SambaTarget, dn_of
from rotation.aws import AwsCalls

DIRECTORY_ID = "d-0123456789"


class StubDirectoryService:
    """Knows one directory, whose only domain controller is the target.

    Attributes:
        refusal: The error code with which it answers the next reset.
    """

    def __init__(self, target: SambaTarget) -> None:
        self._target = target
        self.refusal: str | None = None
        self.asked: list[str] = []
        session = boto3.session.Session("id", "key", region_name="eu-central-1")
        self._client = session.client("ds")
        answer: Any = self._answer  # may answer, whatever its type says
        self._client.meta.events.register("before-call.ds", answer)

    def calls(self, service: str) -> AwsCalls:
        """Takes the place of the clients of an invocation."""
        assert service == "ds"
        return AwsCalls(service, self._client, new_record())

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        asked = json.loads(params["body"])
        self.asked.append(model.name)
        if model.name == "DescribeDirectories":
            known = asked["DirectoryIds"] == [DIRECTORY_ID]
            found = [{"Name": SambaServer.domain, "DnsIpAddrs": [self._target.server.host]}] if known else []
            return SimpleNamespace(status_code=200), {"DirectoryDescriptions": found}
        assert model.name == "ResetUserPassword"
        assert asked["DirectoryId"] == DIRECTORY_ID
        if self.refusal is not None:
            return SimpleNamespace(status_code=400), {"Error": {"Code": self.refusal, "Message": asked["NewPassword"]}}
        password = f'"{asked["NewPassword"]}"'.encode("utf-16-le")
        self._target.change(dn_of(asked["UserName"]), unicodePwd=password)
        return SimpleNamespace(status_code=200), {}
