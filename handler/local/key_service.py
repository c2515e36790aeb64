"""A small service whose API keys are made over HTTP, as many services have them: `python -m local.key_service PLAN`.

It keeps digests of keys in a file, and writes each request with its body, but no header, to its standard output. Whoever
knows a key acts for the account that the key belongs to. The administrator makes accounts, acts for each of them, and sets
how the service behaves.
"""

import base64
import binascii
import hashlib
import json
import secrets
import ssl
import sys
import threading
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, override

from local.loopback_server import LoopbackConnection


@dataclass
class Plan:
    """How a service is started: where it listens, and where its data are.

    Attributes:
        administrator: Digest of the administrator's key.
        state: File of the keys.
        tls: Files of certificate and private key.
    """

    host: str
    port: int
    administrator: str
    state: str
    tls: tuple[str, str] | None = None


@dataclass
class Key:
    """One key, without its value."""

    account: str
    digest: str
    label: str = ""
    is_barred: bool = False
    refusals_left: int = 0
    """How often a machine is asked that has not heard of the key yet."""


@dataclass
class Behaviour:
    """What the administrator may change.

    Attributes:
        limit: Most keys of an account.
        is_locked_down: Whether only the administrator makes, names and ends keys.
        lag: How often a new key is refused before it has reached all machines.
        is_idempotent: Whether a request with an Idempotency-Key that was answered before gets the same answer.
        answer: A status and a body for every request but the administrator's.
    """

    limit: int = 3
    is_locked_down: bool = False
    lag: int = 0
    is_idempotent: bool = True
    answer: tuple[int, str] | None = None


@dataclass
class Keys:
    """All keys, by their names."""

    file: Path
    behaviour: Behaviour = field(default_factory=Behaviour)
    by_name: dict[str, Key] = field(default_factory=dict)
    answered: dict[str, dict[str, str]] = field(default_factory=dict)
    """Answers by Idempotency-Key."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def load(self) -> None:
        if self.file.exists():
            self.by_name = {name: Key(**key) for name, key in json.loads(self.file.read_text()).items()}

    def save(self) -> None:
        self.file.write_text(json.dumps({name: asdict(key) for name, key in self.by_name.items()}))

    def owner(self, name: str | None, key: str) -> str | None:
        """The name of a key that is valid; where none is given, any may be meant."""
        for known, candidate in self.by_name.items():
            if name in {None, known} and candidate.digest == digest(key):
                if candidate.refusals_left:
                    candidate.refusals_left -= 1
                    return None
                return known
        return None

    def of_account(self, account: str) -> dict[str, Key]:
        return {name: key for name, key in self.by_name.items() if key.account == account}

    def make(self, account: str, label: str) -> dict[str, str] | None:
        """A new key; None where there are too many."""
        if len(self.of_account(account)) >= self.behaviour.limit:
            return None
        name, key = f"key_{secrets.token_hex(6)}", f"sk_{secrets.token_urlsafe(24)}"
        self.by_name[name] = Key(account, digest(key), label, refusals_left=self.behaviour.lag)
        self.save()
        return {"id": name, "key": key, "label": label}

    def end(self, name: str) -> None:
        del self.by_name[name]
        self.save()


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


class Service(ThreadingHTTPServer):
    """Serves until its process ends."""

    daemon_threads = True

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.keys = Keys(Path(plan.state))
        self.keys.load()
        self._context: ssl.SSLContext | None = None
        if plan.tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*plan.tls)
        super().__init__((plan.host, plan.port), Connection)

    @override
    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self._context is not None:
            # The handshake is left to the connection's thread.
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that went away or spoke no TLS."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Connection(LoopbackConnection):
    """The service's API."""

    server: Service

    @override
    def do_GET(self) -> None:
        self._answer()

    @override
    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:  # noqa: N802 - http.server's name
        self._answer()

    def _answer(self) -> None:
        body = self.body()
        is_administration = self.path.startswith("/admin/")
        sys.stdout.write(f"{self.requestline} {'' if is_administration else body.decode(errors='replace')}\n")
        sys.stdout.flush()
        with self.server.keys.lock:
            given = json.loads(body) if body else {}
            status, answer = self._administered(given) if is_administration else self._served(given)
        content = answer if isinstance(answer, str) else json.dumps(answer) if answer is not None else ""
        location = {"Location": "/elsewhere"} if status // 100 == 3 else {}  # noqa: PLR2004 - a redirect
        self.reply(HTTPStatus(status), {"Content-Type": "application/json", **location}, content.encode())

    def _served(self, given: dict[str, Any]) -> tuple[int, Any]:
        keys = self.server.keys
        if keys.behaviour.answer is not None:
            return keys.behaviour.answer
        version, *place = self.path.strip("/").split("/")
        if place[:1] == ["accounts"] and self._is_administrator():
            return self._done(place[1], place[2:], given)
        name = keys.owner(*self._credential())
        if name is None:
            return HTTPStatus.UNAUTHORIZED, {"error": "the key is not valid"}
        if keys.by_name[name].is_barred or (keys.behaviour.is_locked_down and place != ["me"]):
            return HTTPStatus.FORBIDDEN, {"error": "the key may not do that"}
        if (self.command, version, *place) == ("GET", "v1", "me"):
            return HTTPStatus.OK, {"id": name}
        return self._done(keys.by_name[name].account, place, given)

    def _done(self, account: str, place: list[str], given: dict[str, Any]) -> tuple[int, Any]:
        keys = self.server.keys
        own = keys.of_account(account)
        match self.command, place:
            case "GET", ["keys"]:
                answer: Any = {"keys": [{"id": each, "label": key.label} for each, key in own.items()]}
            case "POST", ["keys"]:
                return self._made(account, given.get("label", ""))
            case "DELETE", ["keys", ended] if ended in own:
                keys.end(ended)
                return HTTPStatus.NO_CONTENT, None
            case "POST", ["revocations"] if (ended := keys.owner(None, given["key"]) or "") in own:
                keys.end(ended)
                answer = {}
            case _:
                return HTTPStatus.NOT_FOUND, {"error": "there is none such"}
        return HTTPStatus.OK, answer

    def _made(self, account: str, label: str) -> tuple[int, Any]:
        keys = self.server.keys
        repeated = self.headers.get("Idempotency-Key", "") if keys.behaviour.is_idempotent else ""
        if repeated in keys.answered:
            return HTTPStatus.CREATED, keys.answered[repeated]
        if (made := keys.make(account, label)) is None:
            return HTTPStatus.CONFLICT, {"error": "there are too many keys"}
        if repeated:
            keys.answered[repeated] = made
        return HTTPStatus.CREATED, made

    def _administered(self, given: dict[str, Any]) -> tuple[int, Any]:
        keys = self.server.keys
        if not self._is_administrator():
            return HTTPStatus.UNAUTHORIZED, None
        match self.path.strip("/").split("/")[1:]:
            case ["keys"] if self.command == "POST":
                keys.by_name[given["name"]] = Key(given["name"], digest(given["key"]))
                keys.save()
            case ["bars"]:
                keys.by_name[given["name"]].is_barred = given["is_barred"]
                keys.save()
            case ["behaviour"]:
                keys.behaviour = Behaviour(**given)
        return HTTPStatus.OK, {"names": list(keys.by_name)}

    def _is_administrator(self) -> bool:
        return digest(self._credential()[1]) == self.server.plan.administrator

    def _credential(self) -> tuple[str | None, str]:
        """Name and key, or the key alone."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None, value
        try:
            name, _, key = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None, ""
        return name, key


def main() -> None:
    """Serve until the process is ended; the argument is the file with the plan."""
    service = Service(Plan(**json.loads(Path(sys.argv[1]).read_text())))
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    service.serve_forever()


if __name__ == "__main__":
    main()
