"""What an account may do, read from what SHOW GRANTS and SHOW CREATE USER print, and how to give the same to another.

Both statements print the server's own SQL, in which only quoted names and strings can hold anything. Credentials are in it
too, and are skipped.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_QUOTED = r"(?:`(?:[^`]|``)*`|'(?:[^'\\]|\\.|'')*')"
_ACCOUNT = rf"{_QUOTED}(?:@{_QUOTED})?"
_SCOPE = rf"(?:FUNCTION |PROCEDURE |PACKAGE (?:BODY )?)?(?:{_QUOTED}|\*)(?:[.@](?:{_QUOTED}|\*))?"
_PRIVILEGES = re.compile(
    rf"(?P<verb>GRANT|REVOKE) (?P<what>(?:[^`'](?! ON )|{_QUOTED})+.) ON (?P<scope>{_SCOPE}) "
    rf"(?:TO|FROM) {_ACCOUNT}(?P<rest>.*)",
    re.DOTALL,
)
_ROLES = re.compile(rf"GRANT (?P<what>{_ACCOUNT}(?:,\s*{_ACCOUNT})*) TO {_ACCOUNT}(?P<rest>.*)", re.DOTALL)
_DEFAULT_ROLE = re.compile(rf"SET DEFAULT ROLE (?P<roles>{_QUOTED}) FOR ")
_PRIVILEGE = re.compile(rf"\s*([^,(]+?)\s*(?:\(((?:{_QUOTED}|[^)`])*)\))?\s*(?:,|$)")
_NAME = re.compile(rf"{_ACCOUNT}|[^\s,]+")

_PLUGIN = rf"\w+(?: (?:USING|AS) {_QUOTED})?"
_AUTHENTICATION = re.compile(
    rf"(?:CREATE|ALTER) USER {_ACCOUNT}"
    rf"(?:(?: AND)? IDENTIFIED (?:BY PASSWORD {_QUOTED}|VIA {_PLUGIN}(?: OR {_PLUGIN})*"
    rf"|WITH {_QUOTED}(?: AS (?:{_QUOTED}|\w+|<secret>))?))*"
)
_OPTION = re.compile(
    r"\s*\b(DEFAULT ROLE|(?<!PASSWORD )REQUIRE|(?:WITH )?MAX_\w+|ACCOUNT"
    r"|PASSWORD (?:EXPIRE|HISTORY|REUSE INTERVAL|REQUIRE CURRENT)"
    r"|FAILED_LOGIN_ATTEMPTS|PASSWORD_LOCK_TIME|COMMENT|ATTRIBUTE)\b\s*"
)
_DEFAULTS = {"REQUIRE": "NONE", "DEFAULT ROLE": "NONE", "PASSWORD_LOCK_TIME": "0", "FAILED_LOGIN_ATTEMPTS": "0"}
_OWN = frozenset({"ACCOUNT", "COMMENT", "ATTRIBUTE"})
"""Options that each account has for itself. To lock one of two is an administrator's decision, which a rotation must not
spread: it would lock out those who work with the other."""

_GRANT_OPTION, _ADMIN_OPTION = "GRANT OPTION", "ADMIN OPTION"


@dataclass(frozen=True)
class Right:
    """One thing that an account may do; or, as a partial revoke of MySQL, may not do although a wider right says so.

    Attributes:
        privilege: A privilege, with its column if it is for one alone; or a role.
        scope: What it is for; empty for roles.
        option: That it may be passed on, where it is said for each right and is not a privilege of its own.
    """

    privilege: str
    scope: str = ""
    option: str = ""
    is_restriction: bool = False

    def given_to(self, account: str) -> str:
        """The statement that gives it."""
        return self._taken(account) if self.is_restriction else self._given(account)

    def taken_from(self, account: str) -> str:
        """The statement that takes it away."""
        return self._given(account) if self.is_restriction else self._taken(account)

    def _given(self, account: str) -> str:
        privilege, option = self.privilege, self.option
        if privilege == _GRANT_OPTION:
            privilege, option = "USAGE", _GRANT_OPTION
        return f"GRANT {privilege}{self._on} TO {account}" + (f" WITH {option}" if option else "")

    def _taken(self, account: str) -> str:
        return f"REVOKE {self.privilege}{self._on} FROM {account}"

    @property
    def _on(self) -> str:
        return f" ON {self.scope}" if self.scope else ""


@dataclass(frozen=True)
class Rights:
    """All that an account may do, and the conditions under which it may log in."""

    rights: frozenset[Right]
    options: Mapping[str, str]


def rights_of(grants: Iterable[str], created: Iterable[str]) -> Rights:
    """What the rows of SHOW GRANTS and SHOW CREATE USER say."""
    lines = list(grants)
    options: dict[str, str] = {}
    for line in created:  # MariaDB adds an ALTER USER when the password has expired
        options |= _options(line)
    for line in lines:
        if found := _DEFAULT_ROLE.match(line):
            options["DEFAULT ROLE"] = found["roles"]
    return Rights(frozenset(right for line in lines for right in _rights_in(line)), options)


def option_statements(owner: Rights, clone: Rights, account: str, *, is_mariadb: bool) -> Iterator[str]:
    """The statements that give an account, which has the clone's options, the owner's."""
    changes = {name: value for name, value in owner.options.items() if clone.options.get(name, _default(name)) != value}
    changes |= {name: _default(name) for name in clone.options if name not in owner.options}
    role = changes.pop("DEFAULT ROLE", None)
    if changes:
        required = [f"REQUIRE {changes.pop('REQUIRE')}"] if "REQUIRE" in changes else []
        limits = [f"{name} {value}" for name, value in changes.items() if name.startswith("MAX_")]
        others = [f"{name} {value}" for name, value in changes.items() if not name.startswith("MAX_")]
        yield " ".join(["ALTER USER", account, *required, *(["WITH"] if limits else []), *limits, *others])
    if role is not None:
        yield f"SET DEFAULT ROLE {role} FOR {account}" if is_mariadb else f"ALTER USER {account} DEFAULT ROLE {role}"


def _rights_in(line: str) -> Iterator[Right]:
    if found := _ROLES.fullmatch(line):
        option = _ADMIN_OPTION if _says(_ADMIN_OPTION, found["rest"]) else ""
        yield from (Right(role, option=option) for role in _NAME.findall(found["what"]))
    elif found := _PRIVILEGES.fullmatch(line):
        scope, may_grant = found["scope"], _says(_GRANT_OPTION, found["rest"])
        is_restriction = found["verb"] == "REVOKE"
        has_own_option = False
        for privilege in _privileges_in(found["what"]):
            # MySQL's dynamic privileges, whose names have underscores, and PROXY may each be passed on or not.
            is_single = "_" in privilege.split("(")[0] or privilege == "PROXY"
            yield Right(privilege, scope, _GRANT_OPTION if is_single and may_grant else "", is_restriction)
            has_own_option |= is_single
        if may_grant and not has_own_option:
            yield Right(_GRANT_OPTION, scope)


def _privileges_in(text: str) -> Iterator[str]:
    """Names of privileges, once for each column that they are for."""
    for name, columns in _PRIVILEGE.findall(text):
        if columns:
            yield from (f"{name} ({column})" for column in _NAME.findall(columns))
        elif name != "USAGE":
            yield name


def _says(words: str, rest: str) -> bool:
    """Whether a statement says it outside of names and strings."""
    return words in re.sub(_QUOTED, "", rest)


def _options(created: str) -> dict[str, str]:
    strings: list[str] = []

    def hidden(quoted: re.Match[str]) -> str:
        strings.append(quoted[0])
        return f"\0{len(strings) - 1}\0"

    head = _AUTHENTICATION.match(created)
    text = re.sub(_QUOTED, hidden, created[head.end() if head else 0 :])
    _, *parts = _OPTION.split(text)
    named = {
        name.removeprefix("WITH "): re.sub("\0(\\d+)\0", lambda found: strings[int(found[1])], value)
        for name, value in zip(parts[::2], parts[1::2], strict=True)
    }
    # "PASSWORD EXPIRE" alone says that the present password has expired, which is no rule for further ones.
    return {name: value for name, value in named.items() if name not in _OWN and value}


def _default(name: str) -> str:
    return _DEFAULTS.get(name, "0" if name.startswith("MAX_") else "DEFAULT")
