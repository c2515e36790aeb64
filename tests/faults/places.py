"""Where a fault can strike: every call to AWS and every message to the database, as a healthy rotation makes them."""

import re
from dataclasses import dataclass

DATABASE = "database"
_LOGIN = re.compile(rb"\x00|p")
_GOODBYE = b"X"
_STATEMENT = re.compile(rb"(?:SET LOCAL ROLE NONE; )?(BEGIN|COMMIT|SELECT|CREATE ROLE|GRANT|ALTER ROLE)\b")
_WITHOUT_EFFECT = {"DescribeSecret", "GetSecretValue", "login", "BEGIN", "SELECT"}
_LAST_OF_A_STEP = "UpdateItem"


@dataclass(frozen=True)
class Place:
    """One call or message.

    Attributes:
        service: `secretsmanager`, `dynamodb` or `database`.
        name: The operation, or what a message is about.
        number: Among the step's calls to AWS, or its messages to the database, from 0.
    """

    step: str
    service: str
    name: str
    number: int

    @property
    def is_database(self) -> bool:
        return self.service == DATABASE

    @property
    def is_login(self) -> bool:
        """Whether the session is not yet open."""
        return self.is_database and self.name == "login"

    @property
    def has_effect(self) -> bool:
        """Whether anything is different afterwards."""
        return self.name not in _WITHOUT_EFFECT

    @property
    def is_last_of_step(self) -> bool:
        """Whether nothing follows but the report."""
        return self.name == _LAST_OF_A_STEP

    def __str__(self) -> str:
        return f"{self.step}: {self.service} {self.name} ({self.number})"


def is_goodbye(message: bytes) -> bool:
    """Whether a message ends the session; it waits for no answer and changes nothing, so that it is no place."""
    return message.startswith(_GOODBYE)


def name_of(message: bytes) -> str:
    """What a message to PostgreSQL is about."""
    if _LOGIN.match(message):
        return "login"
    # The type, four bytes of length and, where a statement is prepared, its empty name come first.
    statement = _STATEMENT.match(message[5:].lstrip(b"\0 \n"))
    assert statement is not None, "a message that is not known: name it here"
    return statement[1].decode()


class Healthy:
    """A rotation without a fault: its places in order, and those of them that change what is true of the secret.

    Attributes:
        filled: AWSPENDING gets its value.
        changed: The target accepts it.
        moved: It becomes AWSCURRENT.
    """

    def __init__(self, places: list[Place]) -> None:
        self.places = tuple(places)
        (self.filled,) = (place for place in places if place.name == "PutSecretValue")
        # Sessions that only try a login come first.
        *_, self.changed = (place for place in places if (place.step, place.name) == ("setSecret", "COMMIT"))
        (self.moved,) = (place for place in places if place.name == "UpdateSecretVersionStage")

    def turning_points(self, step: str | None = None) -> set[Place]:
        """The places at which the secret changes, of one step or of all."""
        return {place for place in (self.filled, self.changed, self.moved) if step in {None, place.step}}

    def turned_before(self, place: Place) -> set[Place]:
        """The places at which it has changed by then."""
        return self.turning_points().intersection(self.places[: self.places.index(place)])
