"""A fake of AWS Directory Service's API, of which moto's sets no passwords.

Requests and answers have AWS's wire format, by its own model of the API. What is fake: what becomes of a password is up to
whoever makes the directory.

Source: https://docs.aws.amazon.com/directoryservice/latest/devguide/API_ResetUserPassword.html
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse, EmptyResult


@dataclass(frozen=True)
class FakeDirectory:
    """A domain.

    Attributes:
        addresses: Of its controllers.
        reset: Sets the password of a user by its short name.
    """

    name: str
    addresses: Sequence[str]
    reset: Callable[[str, str], None]


class UnknownDirectoryError(ServiceException):
    """An error by its name in AWS's model."""

    code = "EntityDoesNotExistException"


class FakeDirectories(BaseBackend):
    """The directories of an account, by their ids."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.by_id: dict[str, FakeDirectory] = {}

    def known(self, directory_id: str) -> FakeDirectory:
        if directory_id not in self.by_id:
            raise UnknownDirectoryError(f"Directory {directory_id} does not exist.")
        return self.by_id[directory_id]


fake_directories: BackendDict[Any] = BackendDict(FakeDirectories, "ds")
"""By account and region."""


class FakeDirectoryResponse(BaseResponse):
    """The HTTP side."""

    def __init__(self) -> None:
        super().__init__("ds")
        self.automated_parameter_parsing = True

    @property
    def _directories(self) -> FakeDirectories:
        directories: FakeDirectories = fake_directories[self.current_account][self.region]
        return directories

    def describe_directories(self) -> ActionResult:
        known = {each: self._directories.known(each) for each in self.params["DirectoryIds"]}
        found = [{"DirectoryId": key, "Name": it.name, "DnsIpAddrs": list(it.addresses)} for key, it in known.items()]
        return ActionResult({"DirectoryDescriptions": found})

    def reset_user_password(self) -> ActionResult:
        directory = self._directories.known(self.params["DirectoryId"])
        directory.reset(self.params["UserName"], self.params["NewPassword"])
        return EmptyResult()
