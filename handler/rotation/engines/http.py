"""API keys and tokens of any service that makes them over HTTP, as the secret's key `http` declares.

Every request has a connection of its own, and the key goes where the declaration puts it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr, ValidationError

from rotation.engines.http_declaration import Declaration, Request
from rotation.engines.http_exchange import Expected, exchange
from rotation.engines.invocation import Invocation
from rotation.engines.session import LoneSession
from rotation.errors import (
    ConfigurationInvalidError,
    LoginRefusedError,
    SecretMalformedError,
    StatementRejectedError,
)
from rotation.models import Login
from rotation.protocols import EngineTraits, Session
from rotation.settings import Settings, describe_validation

_NOTHING: Expected = {}


class HttpEngine:
    """Proves keys for one invocation."""

    # A new key may take a while to reach all machines of a service. The lengths are what a request's header takes.
    traits = EngineTraits(
        default_port=443,
        max_username_bytes=1024,
        max_password_length=4096,
        has_clones=False,
        issues_credentials=True,
        settles_within_seconds=10.0,
    )

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        """Let the service check the key."""
        session = HttpSession(self._invocation, login, declaration_of(login, self._invocation.settings))
        session.prove()
        yield session


class HttpSession(LoneSession):
    """A key that the service accepts. A second check might meet a machine that does not know the key yet."""

    def __init__(self, invocation: Invocation, login: Login, declared: Declaration) -> None:
        self._invocation = invocation
        self._login = login
        self._declared = declared

    def prove(self) -> None:
        """Ask the service whether it accepts the key."""
        check, login = self._declared.check, self._login
        refusal = LoginRefusedError(f"{login.host} refuses the key of {login.username}")
        self._ask("check", check, dict.fromkeys(check.refused, refusal))

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        raise StatementRejectedError("the service makes the keys itself")

    def issue(self, rotation_id: str) -> Mapping[str, str]:
        create = self._declared.create
        answer = self._ask("create", create, rotation_id=rotation_id)
        key = _text_at(answer, create.answer.password)
        name = self._login.username if create.answer.username is None else _text_at(answer, create.answer.username)
        if key is None or name is None or key == self._login.password.get_secret_value():
            if key is None and name is not None and name != self._login.username:
                self._revoke(name, "")  # nobody will ever know it
            raise StatementRejectedError(
                f"{self._login.host} answered create without a new key, or not where it was declared to be",
                remedy="Compare http.create.answer in the secret with the service's documentation.",
            )
        return {"username": name, "password": key}

    def revoke(self, login: Login) -> None:
        self._revoke(login.username, login.password.get_secret_value())

    def revoke_strays(self, rotation_id: str) -> None:
        """Find them by the rotation's id in their label, where the declaration has `list`."""
        if (listing := self._declared.list) is None:
            return
        answer = self._ask("list", listing, rotation_id=rotation_id)
        keys = _at(answer, listing.answer.keys)
        if not isinstance(keys, list):
            raise StatementRejectedError(
                f"{self._login.host} answered list without a list of keys where it was declared to be",
                remedy="Compare http.list.answer in the secret with the service's documentation.",
            )
        for key in keys:
            name, label = _text_at(key, listing.answer.username), _text_at(key, listing.answer.label)
            if name and label and rotation_id in label and name != self._login.username:
                self._revoke(name, "")

    def _revoke(self, name: str, key: str) -> None:
        revoke = self._declared.revoke
        gone = dict.fromkeys(revoke.gone)
        self._ask("revoke", revoke, gone, revoked_username=name, revoked_password=key)

    def _ask(self, name: str, request: Request, expected: Expected = _NOTHING, **values: str) -> Any:
        return exchange(self._invocation, self._login, name, request, values=values, expected=expected)


def declaration_of(login: Login, settings: Settings) -> Declaration:
    """What the secret declares, or what the stack does under the name that the secret gives.

    Raises:
        SecretMalformedError: names what is wrong in the secret, never a value.
        ConfigurationInvalidError: the same for the stack.
    """
    declared = login.document.get("http")
    try:
        if not isinstance(declared, str):
            return Declaration.model_validate(declared)
        if declared not in settings.http_targets:
            known = ", ".join(settings.http_targets) or "none"
            raise SecretMalformedError(f"the key http names no target of the parameter HttpTargets, which has {known}")
        return Declaration.model_validate(settings.http_targets[declared])
    except ValidationError as error:
        what = describe_validation(error)
    if isinstance(declared, str):
        raise ConfigurationInvalidError(f"HTTP_TARGETS: {declared}: {what}")
    raise SecretMalformedError(f"the key http is wrong: {what}")


def _at(document: Any, pointer: str) -> Any:
    """What a JSON pointer leads to; None if it leads nowhere."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        match document:
            case dict():
                document = document.get(name)
            case list() if name.isascii() and name.isdecimal() and int(name) < len(document):
                document = document[int(name)]
            case _:
                return None
    return document


def _text_at(document: Any, pointer: str) -> str | None:
    """The same for a name or a key: a text that is not empty, or a whole number as one."""
    found = _at(document, pointer)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and found else None
