"""Users as `ACL LIST` shows them: a line of rules each, which `ACL SETUSER` takes back.

No rule holds a space, except for selectors, whose parts the server puts together again.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

_STATES = (b"on", b"off")
_ANY_PASSWORD = b"nopass"
_SPOKEN_DEFAULT = b"sanitize-payload"
"""Redis 7.0 shows it of users that were reset, and of no other; it holds for all that do not skip it."""
_DIGEST_LENGTH = 32


@dataclass(frozen=True)
class User:
    """One user.

    Attributes:
        state: `on` or `off`.
        passwords: Hashes.
        rights: All other rules, in the server's order.
    """

    state: bytes
    passwords: tuple[bytes, ...]
    rights: tuple[bytes, ...]

    @classmethod
    def new(cls) -> Self:
        """A user who may log in, once it has a password, and do nothing."""
        return cls(b"on", (), ())

    @property
    def takes_any_password(self) -> bool:
        return _ANY_PASSWORD in self.rights

    @property
    def rules(self) -> tuple[bytes, ...]:
        """What makes such a user of one without any rules."""
        return (self.state, *self.passwords, *self.rights)

    def has_marker(self, marker: bytes) -> bool:
        return marker in b" ".join(self.rights)

    def with_rights_of(self, other: "User", marker: bytes) -> "User":
        return replace(self, rights=(*other.rights, *marker.split(b" ")))


def users_in(lines: Iterable[bytes]) -> Mapping[bytes, User]:
    """Users by name."""
    users = {}
    for line in lines:
        _, name, *rules = line.split(b" ")
        users[name] = User(
            state=next(rule for rule in rules if rule in _STATES),
            passwords=tuple(rule for rule in rules if rule.startswith(b"#")),
            rights=tuple(rule for rule in rules if rule not in (*_STATES, _SPOKEN_DEFAULT) and not rule.startswith(b"#")),
        )
    return users


def marker_of(owner: str) -> bytes:
    """The selector of an owner's alternates: without a command it allows nothing.

    It holds a digest, because names may hold what a pattern of keys may not.
    """
    digest = hashlib.sha256(owner.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"(~alternate-of-{digest} resetchannels -@all)".encode()
