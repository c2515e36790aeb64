"""A JSON object whose members stay as they were written.

`json.loads` and `json.dumps` would lose what a float cannot hold and all but the last of repeated keys, spell characters
otherwise (up to six times as long, which can break the service's limit), and pass NaN on, which is not JSON.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

_MOST_DIGITS = 32
_SPACE = re.compile(r"[ \t\n\r]*")


class RepeatedKeyError(ValueError):
    """The object has a key more than once."""

    def __init__(self, key: str) -> None:
        super().__init__("holds a key more than once")
        self.key = key


@dataclass(frozen=True)
class JsonObject:
    """What the object means, and how it is written; neither is shown.

    Attributes:
        values: By key, as Python has them.
        members: By key, what stands between two commas.
    """

    values: Mapping[str, Any]
    members: Mapping[str, str]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read it, without repeating any of it in an error.

        Raises:
            RepeatedKeyError: its key may itself be a secret.
            ValueError: says what the text is not.
        """
        try:
            values = json.loads(text, parse_constant=_refuse, parse_int=_integer)
            members = list(_members(text)) if isinstance(values, dict) else []
        except (json.JSONDecodeError, RecursionError):
            raise ValueError("is not JSON") from None
        if not isinstance(values, dict):
            raise ValueError("is not a JSON object")  # noqa: TRY004 - it is about a value, not about a call
        if len(members) > len(values):
            raise RepeatedKeyError(next(key for key, times in Counter(key for key, _ in members).items() if times > 1))
        return cls(values, dict(members))

    def changed(self, values: Mapping[str, Any]) -> Self:
        """A copy with other values; None removes the key."""
        members = {key: member for key, member in self.members.items() if key not in values or values[key] is not None}
        members |= {key: f"{json.dumps(key)}: {json.dumps(value)}" for key, value in values.items() if value is not None}
        return self.read(_text(members))

    def text(self) -> str:
        """The whole object."""
        return _text(self.members)


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Each key of an object that is known to be well formed, and the whole member."""

    def past_space(at: int) -> int:
        return cast("re.Match[str]", _SPACE.match(text, at)).end()

    decode = json.JSONDecoder(parse_int=_integer).raw_decode
    begin = past_space(text.index("{") + 1)
    while text[begin] != "}":
        key, end = decode(text, begin)
        _, end = decode(text, past_space(past_space(end) + 1))
        yield key, text[begin:end]
        end = past_space(end)
        begin = past_space(end + 1) if text[end] == "," else end


def _text(members: Mapping[str, str]) -> str:
    return "{" + ", ".join(members.values()) + "}"


def _refuse(_name: str) -> None:
    raise ValueError("holds NaN or an infinity, which JSON does not have")


def _integer(digits: str) -> float:
    """Python converts only so many digits; nobody computes with an integer that has more."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)
