"""The key service (`local/key_service.py`) in a process of its own, for as long as a `with` block lasts."""

import http.client
import json
import os
import secrets
import ssl
import sys
from dataclasses import asdict
from typing import Any

from local.key_service import Behaviour, Plan, digest
from local.server_account import ServerAccount
from local.server_process import ServerProcess, TlsFiles

_PATIENCE_SECONDS = 10.0


class KeyServer(ServerProcess):
    """Makes keys, and checks, lists and ends them."""

    title = "key service"
    ready = "listening"

    def __init__(self, *, tls: TlsFiles | None = None) -> None:
        super().__init__()
        # It is this project's own program, in folders that other accounts may not be able to enter.
        self._account = ServerAccount(os.geteuid(), os.getegid(), is_switched=False)
        self.administrator_key = secrets.token_urlsafe(24)
        self._tls = tls

    def administer(self, path: str, **body: Any) -> Any:
        """Ask as the administrator."""
        status, answer = self.request("POST", f"/admin/{path}", f"Bearer {self.administrator_key}", body)
        assert status == http.HTTPStatus.OK  # noqa: S101 - the administrator is asked what it may be
        return answer

    def behave(self, behaviour: Behaviour) -> None:
        self.administer("behaviour", **asdict(behaviour))

    def request(self, method: str, path: str, authorization: str, body: Any = None) -> tuple[int, Any]:
        """Ask as anybody; certificates are not looked at, since this leads to no other server."""
        client = http.client.HTTPConnection(self.host, self.port, timeout=_PATIENCE_SECONDS)
        if self._tls is not None:
            client = http.client.HTTPSConnection(
                self.host,
                self.port,
                timeout=_PATIENCE_SECONDS,
                context=ssl._create_unverified_context(),  # noqa: S323, SLF001 - the certificate may be wrong on purpose
            )
        try:
            content = None if body is None else json.dumps(body)
            client.request(method, path, content, {"Authorization": authorization})
            answer = client.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            client.close()

    def _initialise(self) -> None:
        tls = (str(self._tls.certificate), str(self._tls.private_key)) if self._tls else None
        plan = Plan(self.host, self.port, digest(self.administrator_key), str(self._folder / "keys.json"), tls)
        (self._folder / "plan.json").write_text(json.dumps(asdict(plan)))

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "local.key_service", str(self._folder / "plan.json")]
