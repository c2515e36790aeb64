"""API keys and tokens of any service that makes them over HTTP, as the secret's key `http` declares.

Every request has a connection of its own, and the key goes where the declaration puts it. A superuser's key goes only to
the host of its own secret, in requests that the stack declares, and ends only keys that the secret proves to hold.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import SecretStr, ValidationError

from rotation.engines.http_declaration import Declaration, Request
from rotation.engines.http_exchange import Expected, exchange
from rotation.engines.invocation import Invocation
from rotation.engines.session import LoneSession
from rotation.errors import (
    ConfigurationInvalidError,
    LoginRefusedError,
    PrivilegeMissingError,
    SecretMalformedError,
    StatementRejectedError,
    SuperuserUnusableError,
)
from rotation.models import Login
from rotation.protocols import CredentialLimitError, EngineTraits, Session
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
        self._superuser: Callable[[], Login] = _nobody

    @property
    def most_credentials(self) -> int | None:
        return self._declared.most_keys

    def call_on(self, superuser: Callable[[], Login]) -> None:
        self._superuser = cache(superuser)

    def prove(self) -> None:
        """Ask the service whether it accepts the key."""
        check, login = self._declared.check, self._login
        refusal = LoginRefusedError(f"{login.host} refuses the key of {login.username}")
        self._ask("check", check, dict.fromkeys(check.refused, refusal))

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        raise StatementRejectedError("the service makes the keys itself")

    def issue(self, rotation_id: str) -> Mapping[str, str]:
        create = self._declared.create
        answer = self._ask("create", create, self._refusals_of_a_further_key(), rotation_id=rotation_id)
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
        if not self._is_own(login) and (not self._declared.revoke.needs_superuser or self._holds(login)):
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

    def _is_own(self, login: Login) -> bool:
        revoke, own = self._declared.revoke, self._login
        return (revoke.uses("revoked_username") and login.username == own.username) or (
            revoke.uses("revoked_password") and login.password == own.password
        )

    def _holds(self, login: Login) -> bool:
        """Whether the service accepts the key, or somebody has barred it already."""
        try:
            HttpSession(self._invocation, login, self._declared).prove()
        except (LoginRefusedError, PrivilegeMissingError):
            return False
        return True

    def _refusals_of_a_further_key(self) -> Expected:
        if self._declared.most_keys is None:
            return _NOTHING
        remedy = (
            "End those keys of this user at the service that no version of the secret holds. With http.list the function "
            "finds those that its own attempts left behind."
        )
        told = f"{self._login.host} answered create with the status {{}}: it holds as many keys as it may"
        return {status: CredentialLimitError(told.format(status), remedy=remedy) for status in self._declared.create.full}

    def _ask(self, name: str, request: Request, expected: Expected = _NOTHING, **values: str) -> Any:
        if not request.needs_superuser:
            filled = request.filled(self._login, **values)
            return exchange(self._invocation, self._login, name, request, filled=filled, expected=expected)
        superuser = self._superuser()
        # Neither secret's word takes TLS off the other's key.
        way = replace(superuser, tls=superuser.tls or self._login.tls)
        refusal = LoginRefusedError(f"{superuser.host} refuses the key of the superuser {superuser.username} in {name}")
        filled = request.filled(self._login, superuser, **values)
        return exchange(self._invocation, way, name, request, filled=filled, expected={401: refusal, **expected})


def _nobody() -> Login:
    raise SuperuserUnusableError("nobody has said who the superuser is")


def declaration_of(login: Login, settings: Settings) -> Declaration:
    """What the secret declares, or what the stack does under the name that the secret gives.

    Raises:
        SecretMalformedError: names what is wrong in the secret, never a value.
        ConfigurationInvalidError: the same for the stack.
    """
    declared = login.document.get("http")
    declaration = _parsed(declared, settings)
    for name in declaration.of_superuser:
        if not isinstance(declared, str):
            raise SecretMalformedError(
                f"the key http is wrong: {name}: only the stack may declare what a superuser is asked for",
                remedy="Move the declaration to the parameter HttpTargets, and let the secret's key http be its name there.",
            )
        if not login.document.get("masterarn"):
            raise SecretMalformedError(
                f"the key masterarn is missing: {declared}: {name} has a placeholder of a superuser",
                remedy="Add masterarn, the ARN of the secret that holds the superuser's key for the same host and port.",
            )
    return declaration


def _parsed(declared: Any, settings: Settings) -> Declaration:
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
