"""What a service's API for keys looks like, as the secret (or the stack) declares it.

A declaration names paths, never a host: requests go to the secret's own host and nowhere else, or a secret could be used to
send its key, or somebody else's request, elsewhere. Nothing secret goes into a path, because servers and proxies log paths.
What is asked of a superuser only the stack may declare: by a declaration of its own a secret could have the superuser's key
put where it can be read, or used for anything.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rotation.errors import SecretMalformedError
from rotation.models import Login

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SUPERUSERS = "superuser_"
_OWN = frozenset({"username", "password", "basic"})
_OF_SUPERUSER = frozenset(_SUPERUSERS + name for name in _OWN)
_SECRET = frozenset({"password", "basic", "revoked_password", "superuser_password", "superuser_basic"})
_HEADER_VALUE = re.compile(r"[\t -~]*")
_SET_BY_THE_CLIENT = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)


def _is_header_name(name: str) -> str:
    if name.lower() in _SET_BY_THE_CLIENT:
        raise ValueError("is set by the function itself")
    return name


Path = Annotated[str, StringConstraints(pattern=r"^/[!\"$-~]*$", max_length=2048)]
"""Visible ASCII without a fragment."""
HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=128), AfterValidator(_is_header_name)
]
HeaderText = Annotated[str, StringConstraints(pattern=r"^[\t -~]*$", max_length=4096)]
Pointer = Annotated[str, StringConstraints(pattern=r"^(/([^/~]|~[01])*)*$", max_length=512)]
"""A JSON pointer. Source: https://www.rfc-editor.org/rfc/rfc6901"""
Status = Annotated[int, Field(ge=100, le=599)]


@dataclass(frozen=True)
class Filled:
    """A request with values in the place of the placeholders."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Request(_Declared):
    """One request.

    Attributes:
        success: Statuses that mean that it was done; without any, all from 200 to 299.
        placeholders: What may stand in braces in path, headers and texts of the body.
    """

    placeholders: ClassVar[Set[str]] = _OWN

    method: Literal["DELETE", "GET", "PATCH", "POST", "PUT"]
    path: Path
    headers: Mapping[HeaderName, HeaderText] = {}
    body: JsonValue = None
    success: frozenset[Status] = frozenset()

    @field_validator("path", "headers", "body")
    @classmethod
    def _has_known_placeholders[T](cls, value: T, info: ValidationInfo) -> T:
        allowed = cls.placeholders - _SECRET if info.field_name == "path" else cls.placeholders
        if not set(_placeholders(value)) <= allowed:
            known = ", ".join(f"{{{name}}}" for name in sorted(allowed))
            raise ValueError(f"has a placeholder other than {known}")
        return value

    def uses(self, *names: str) -> bool:
        """Whether one of the placeholders stands anywhere."""
        return not set(names).isdisjoint(_placeholders([self.path, self.headers, self.body]))

    @property
    def needs_superuser(self) -> bool:
        return self.uses(*_OF_SUPERUSER)

    def succeeded(self, status: int) -> bool:
        return status in self.success if self.success else status in range(200, 300)

    def filled(self, login: Login, superuser: Login | None = None, /, **values: str) -> Filled:
        """The request with the login's own values, the superuser's and these.

        Raises:
            SecretMalformedError: a value cannot stand where the request wants it.
        """
        of_superuser = {} if superuser is None else _of_login(superuser, _SUPERUSERS)
        everything = {**_of_login(login), **of_superuser, **values}
        headers = {"Accept": "application/json", "User-Agent": "secret-rotation", **_in_headers(self.headers, everything)}
        if self.body is None:
            return Filled(self.method, _in_path(self.path, everything), headers, None)
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(_in_json(self.body, everything)).encode()
        return Filled(self.method, _in_path(self.path, everything), headers, body)


def _of_login(login: Login, prefix: str = "") -> dict[str, str]:
    password = login.password.get_secret_value()
    basic = base64.b64encode(f"{login.username}:{password}".encode()).decode()
    return {f"{prefix}username": login.username, f"{prefix}password": password, f"{prefix}basic": basic}


class CreateAnswer(_Declared):
    """Where in the answer the new key and its name are; without `username` it keeps the old one's name."""

    password: Pointer
    username: Pointer | None = None


class Create(Request):
    """Makes a key; `full` are the statuses that say that there are too many."""

    placeholders = _OWN | _OF_SUPERUSER | {"rotation_id"}
    answer: CreateAnswer
    full: frozenset[Status] = frozenset({409})


class Check(Request):
    """Is refused to whoever has no valid key; `refused` are the statuses that say so."""

    refused: frozenset[Status] = frozenset({401})


class Revoke(Request):
    """Ends a key; `gone` are the statuses that say that there is none such."""

    placeholders = _OWN | _OF_SUPERUSER | {"revoked_username", "revoked_password"}
    gone: frozenset[Status] = frozenset({404, 410})


class ListAnswer(_Declared):
    """Where in the answer the keys are, and in each of them its name and the text that holds the rotation's id."""

    keys: Pointer
    username: Pointer
    label: Pointer


class Listing(Request):
    """Names the keys there are, or those of one rotation."""

    placeholders = _OWN | _OF_SUPERUSER | {"rotation_id"}
    answer: ListAnswer


class Declaration(_Declared):
    """All requests of a service.

    Attributes:
        most_keys: How many keys the service allows a user; not needed where there is room for a third one.
    """

    create: Create
    check: Check
    revoke: Revoke
    list: Listing | None = None
    most_keys: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        by_name, by_key = self.revoke.uses("revoked_username"), self.revoke.uses("revoked_password")
        if not by_name and not by_key:
            raise ValueError("revoke has to say which key, by {revoked_username} or {revoked_password}")
        if by_name and self.create.answer.username is None:
            raise ValueError("revoke names the key by {revoked_username}, so create.answer.username has to say where it is")
        if self.list is not None and (by_key or not self.create.uses("rotation_id")):
            raise ValueError("list needs {rotation_id} in create, and a revoke without {revoked_password}")
        for name, request in self.of_superuser.items():
            if request.uses("username", "basic") and not self.check.uses("username", "basic"):
                # Or the superuser would serve any user whose name somebody writes beside a key of his own.
                raise ValueError(
                    f"{name} says {{username}} to the superuser, so check has to prove it by {{username}} or {{basic}}"
                )
        return self

    @property
    def of_superuser(self) -> Mapping[str, Request]:
        """The requests that a superuser has a part in, by name."""
        requests = {"create": self.create, "revoke": self.revoke, "list": self.list}
        return {name: request for name, request in requests.items() if request is not None and request.needs_superuser}


def _placeholders(value: object) -> Iterator[str]:
    for text in _texts(value):
        yield from _PLACEHOLDER.findall(text)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _in_path(path: str, values: Mapping[str, str]) -> str:
    for name in _PLACEHOLDER.findall(path):
        if values[name] in {".", ".."}:
            # They mean another path, in every way of writing them.
            raise SecretMalformedError(f"the value for {{{name}}} cannot be a part of a path")
    return _fill(path, {name: quote(value, safe="") for name, value in values.items()})


def _in_headers(headers: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    for name in _placeholders(headers):
        if not _HEADER_VALUE.fullmatch(values[name]):
            raise SecretMalformedError(f"the value for {{{name}}} has a character that a header cannot have")
    for prefix in ("", _SUPERUSERS):
        if f"{prefix}basic" in _placeholders(headers) and ":" in values[f"{prefix}username"]:
            raise SecretMalformedError(f"a user name with a colon cannot be sent by {{{prefix}basic}}")
    return {name: _fill(text, values) for name, text in headers.items()}


def _in_json(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _fill(value, values)
        case dict():
            return {name: _in_json(each, values) for name, each in value.items()}
        case list():
            return [_in_json(each, values) for each in value]
        case _:
            return value
