"""The core's ports in memory: a target that checks passwords, the secret that is rotated, and its superusers."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from rotation.errors import (
    AwsRejectedError,
    LoginRefusedError,
    RotationError,
    SuperuserUnusableError,
)
from rotation.models import CURRENT, PENDING, PREVIOUS, Login, SecretDescription, SecretDocument, SecretVersion
from rotation.protocols import CredentialLimitError, EngineTraits, Session

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/db-AbCdEf"
OLD_VERSION, TOKEN, OLDER_VERSION = "1" * 32, "2" * 32, "0" * 32
HOST, REPLICA_HOST = "db.example", "replica.example"
CREATED_AT_MS = 1_000_000


@dataclass
class FakeServer:
    """A database server: who may log in, and what was tried.

    `lagging` is how many logins with the right password a replica still refuses.
    """

    passwords: dict[str, str]
    refuse_change: RotationError | None = None
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    """Host, user, and whether the server accepted."""
    changes: list[tuple[str, str]] = field(default_factory=list)
    """Who changed whose password."""
    clones: list[tuple[str, str]] = field(default_factory=list)
    checks: int = 0
    lagging: int = 0
    keeps: bool = False
    """Whether it holds the old password beside the new one, if it is told to."""
    kept: dict[str, str] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)
    """Rotation ids for which it made a key."""
    is_idempotent: bool = False
    """Whether a repeated request for a key gets the same one."""
    revoked: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)
    """Rotation ids whose strays were asked for."""
    slow: int = 0
    """How many logins with a key that it made are refused before it knows it."""
    most_keys: int | None = None
    """How many keys it holds, if it says so."""

    def accepts(self, login: Login) -> bool:
        """Tell whether host, user and password are right, and note the attempt."""
        password = login.password.get_secret_value()
        accepted = password in {self.passwords.get(login.username), self.kept.get(login.username)}
        if accepted and login.host == REPLICA_HOST and self.lagging > 0:
            self.lagging -= 1
            accepted = False
        if accepted and password.startswith("issued") and self.slow > 0:
            self.slow -= 1
            accepted = False
        self.logins.append((login.host, login.username, accepted))
        return accepted


class FakeSession:
    """One login; its changes take effect when the block ends."""

    def __init__(self, server: FakeServer, user: str) -> None:
        self._server = server
        self._user = user
        self.pending: dict[str, str] = {}

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        if self._server.refuse_change is not None:
            raise self._server.refuse_change
        self.pending[username] = password.get_secret_value()
        self._server.kept.pop(username, None)
        if keep is not None and self._server.keeps:
            self._server.kept[username] = keep.get_secret_value()
        self._server.changes.append((self._user, username))

    def provide_clone(self, owner: str, clone: str) -> None:
        self._server.clones.append((owner, clone))

    def check(self) -> None:
        self._server.checks += 1


class FakeIssuer(FakeSession):
    """A login at a server that makes keys itself."""

    @property
    def most_credentials(self) -> int | None:
        return self._server.most_keys

    def call_on(self, superuser: Callable[[], Login]) -> None:
        """There is nothing that it needs one for."""

    def issue(self, rotation_id: str) -> Mapping[str, str]:
        if not (self._server.is_idempotent and rotation_id in self._server.issued):
            if len(self._server.passwords) == self._server.most_keys:
                raise CredentialLimitError("there are too many")
            self._server.issued.append(rotation_id)
        number = len(self._server.issued)
        self._server.passwords[f"key-{number}"] = f"issued-{number}"
        return {"username": f"key-{number}", "password": f"issued-{number}"}

    def revoke(self, login: Login) -> None:
        self._server.passwords.pop(login.username, None)
        self._server.revoked.append(login.username)

    def revoke_strays(self, rotation_id: str) -> None:
        self._server.swept.append(rotation_id)


class FakeEngine:
    """Logs in to the fake server."""

    def __init__(self, server: FakeServer, **traits: Any) -> None:
        self._server = server
        self.traits = EngineTraits(default_port=5432, max_username_bytes=63, max_password_length=256, **traits)

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        if not self._server.accepts(login):
            raise LoginRefusedError(f"{login.host} refused user {login.username}")
        kind = FakeIssuer if self.traits.issues_credentials else FakeSession
        session = kind(self._server, login.username)
        yield session
        if session.pending:
            self._server.passwords |= session.pending


class FakeStore:
    """One secret with Secrets Manager's rules for labels and values.

    `before` is called with the name of each operation just before it happens: for races.
    """

    def __init__(self, current: Mapping[str, Any], token: str = TOKEN) -> None:
        self.token = token
        self.rotation_enabled = True
        self.tags: dict[str, str] = {}
        self.stages: dict[str, tuple[str, ...]] = {OLD_VERSION: (CURRENT,), token: (PENDING,)}
        self.values: dict[str, SecretVersion] = {}
        self.hold(OLD_VERSION, current)
        self.operations: list[str] = []
        self.before: Callable[[str], None] = lambda _operation: None

    def hold(self, version: str, content: Mapping[str, Any]) -> None:
        """Give a version a value, as somebody else would."""
        self.values[version] = SecretVersion(version, CREATED_AT_MS, document(content))

    def holder(self, stage: str) -> str | None:
        return next((version for version, stages in self.stages.items() if stage in stages), None)

    def describe(self) -> SecretDescription:
        self._note("describe")
        return SecretDescription(ARN, self.rotation_enabled, dict(self.stages), self.tags)

    def version(self, stage: str) -> SecretVersion | None:
        self._note(f"version {stage}")
        holder = self.holder(stage)
        return self.values.get(holder) if holder else None

    def unlabelled(self) -> Iterator[SecretVersion]:
        self._note("unlabelled")
        return (value for version, value in reversed(self.values.items()) if not self.stages.get(version))

    def put_pending(self, document: SecretDocument) -> bool:
        self._note("put_pending")
        if self.token in self.values:
            return self.values[self.token].document.to_json() == document.to_json()
        self.values[self.token] = SecretVersion(self.token, CREATED_AT_MS, document)
        return True

    def move_current(self, from_version: str | None) -> None:
        self._note("move_current")
        if from_version != self.holder(CURRENT):
            raise AwsRejectedError("secretsmanager update_secret_version_stage answered InvalidParameterException")
        self.relabel({self.token: (CURRENT, PENDING), OLD_VERSION: (PREVIOUS,)})

    def relabel(self, stages: dict[str, tuple[str, ...]]) -> None:
        """Move labels, as somebody else would."""
        self.stages = {**self.stages, **stages}

    def _note(self, operation: str) -> None:
        self.before(operation)
        self.operations.append(operation)


class FakeSuperusers:
    """A superuser at the primary, unless there is none."""

    def __init__(self, password: str | None) -> None:
        self._password = password
        self.asked = 0

    def login_for(self, document: SecretDocument) -> Login:
        self.asked += 1
        if self._password is None:
            raise SuperuserUnusableError("there is none")
        return Login(
            host=HOST,
            port=5432,
            dbname=None,
            username="root",
            password=SecretStr(self._password),
            tls=True,
            tls_server_name=None,
        )


def document(content: Mapping[str, Any]) -> SecretDocument:
    """Read keys as a secret's document."""
    return SecretDocument.parse(json.dumps(dict(content)), "test's")
