"""The key service, which writes every request with its body into its log."""

import base64
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, ClassVar

from local.key_server import KeyServer
from local.key_service import Behaviour
from local.server_process import TlsFiles
from local.targets.served import ServedTarget
from rotation.errors import PrivilegeMissingError, RotationError

_BASIC = {"Authorization": "Basic {basic}"}
DECLARATION: Mapping[str, Any] = {
    "create": {
        "method": "POST",
        "path": "/v1/keys",
        "headers": {**_BASIC, "Idempotency-Key": "{rotation_id}"},
        "body": {"label": "rotation {rotation_id}"},
        "answer": {"username": "/id", "password": "/key"},
    },
    "check": {"method": "GET", "path": "/v1/me", "headers": _BASIC},
    "revoke": {"method": "DELETE", "path": "/v1/keys/{revoked_username}", "headers": _BASIC},
    "list": {
        "method": "GET",
        "path": "/v1/keys",
        "headers": _BASIC,
        "answer": {"keys": "/keys", "username": "/id", "label": "/label"},
    },
}
_REFUSED, _DONE = 401, 200


def administered(account: str) -> dict[str, Any]:
    """The declaration of a service where only the superuser makes, names and ends the keys of an account."""
    by_superuser = {"Authorization": "Bearer {superuser_password}"}
    return {
        name: request
        if name == "check"
        else {
            **request,
            "path": request["path"].replace("/v1", f"/v1/accounts/{account}"),
            "headers": {**request["headers"], **by_superuser},
        }
        for name, request in DECLARATION.items()
    }


class HttpTarget(ServedTarget[KeyServer]):
    """A user is a key with its name."""

    title = "key service over HTTP"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "somebody bars the key"
    unbarring: ClassVar[str] = "the key is let in again"
    barred_as: ClassVar[type[RotationError]] = PrivilegeMissingError

    def __init__(self, tls: TlsFiles | None = None) -> None:
        super().__init__(KeyServer(tls=tls), tls)

    @property
    def keys(self) -> Mapping[str, Any]:
        return {**super().keys, "http": DECLARATION}

    @property
    def superuser(self) -> tuple[str, str]:
        return "administrator", self.server.administrator_key

    def create_user(self, name: str, password: str) -> None:
        self.server.administer("keys", name=name, key=password)

    def users(self) -> set[str]:
        return set(self.server.administer("names")["names"])

    def refusal(self, name: str, password: str) -> str | None:
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        status, answer = self.server.request("GET", "/v1/me", f"Basic {basic}")
        if status not in {_DONE, _REFUSED}:
            raise PermissionError(f"the key service answered {status}")
        return answer["error"] if status == _REFUSED else None

    def bar(self, name: str) -> None:
        self.server.administer("bars", name=name, is_barred=True)

    def unbar(self, name: str) -> None:
        self.server.administer("bars", name=name, is_barred=False)

    def behave(self, **behaviour: Any) -> None:
        """Let the service behave so; what is not named is as usual."""
        self.server.behave(Behaviour(**behaviour))

    def log(self) -> str:
        if not self.server.is_running:
            return "\n".join(self.server.log_lines)
        mark = f"mark-{token_hex(8)}"
        self.server.request("GET", f"/{mark}", "")
        return self.server.log_up_to(mark)
