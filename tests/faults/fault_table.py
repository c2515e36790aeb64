"""Everything that can go wrong at a place, and what the function has to make of it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from local.aws_faults import Disturbance
from tests.faults.database_proxy import Interference, error_response
from tests.faults.lanes import Lane
from tests.faults.places import Place

SLOW_SECONDS = {"secretsmanager": 1.0, "dynamodb": 0.3, "database": 1.0}
"""Late answers, but earlier than anybody's patience ends."""


class End(Enum):
    """How the step ends that meets the fault."""

    DIED = "its process is gone, and can tell nothing"
    FAILED = "it fails by its reason"
    OVERCAME = "it succeeds, as if nothing had been"
    WITHOUT_TABLE = "it succeeds without lock and memory, which is counted"


@dataclass(frozen=True)
class Expected:
    """What a fault comes to at a place."""

    end: End
    reason: str | None = None
    attempts: int | None = None
    """How many calls were spoilt, where that is certain."""


Plant = Callable[[Lane, Place], None]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, at a call to AWS or at a message to the database.

    Attributes:
        plant: Lets the fault happen at its place in the step that begins now, until the lane is healed.
        takes_effect: Whether what was asked for comes about nevertheless.
        is_slow: Whether seconds pass that nobody can shorten.
        is_of_the_secret: Whether only Secrets Manager knows it.
        is_cliff: Whether it belongs to those that are tried with every strategy.
    """

    name: str
    plant: Plant
    expected: Callable[[Place], Expected]
    takes_effect: bool = False
    is_slow: bool = False
    is_of_the_secret: bool = False
    is_cliff: bool = False

    def is_possible_at(self, place: Place) -> bool:
        """Whether it belongs to that kind of place."""
        if self.is_of_the_secret and place.service != "secretsmanager":
            return False
        return place.is_database == (self in AT_MESSAGES)

    @property
    def is_death(self) -> bool:
        """Whether the process dies of it."""
        return self.name.startswith("killed")

    def __str__(self) -> str:
        return f"{self.name}, at a {'message' if self in AT_MESSAGES else 'call'}"


# ---- At calls to AWS ----------------------------------------------------------------------------------------------------


def _on_arrival(act: Callable[[Lane, Place], None]) -> Plant:
    return lambda lane, place: lane.on_arrival(place.number, lambda: act(lane, place))


def _on_effect(act: Callable[[Lane, Place], None]) -> Plant:
    return lambda lane, place: lane.before_call(place.number + 1, lambda: act(lane, place))


def _disturbed(by: Disturbance, times: int | None = None) -> Plant:
    return _on_arrival(lambda lane, place: lane.world.aws.disturb(place.service, place.name, by=by, times=times))


def _answered(code: str, message: str = "AWS's words", status: int = 400, times: int | None = None) -> Plant:
    return _on_arrival(
        lambda lane, place: lane.world.aws.fail(
            place.service, place.name, code=code, message=message, status=status, times=times
        )
    )


def _kill_and_drop(lane: Lane, place: Place) -> None:
    lane.deployed.function.recycle()
    lane.world.aws.disturb(place.service, place.name, by=Disturbance.DROP, times=1)


def _kill(lane: Lane, _place: Place) -> None:
    lane.deployed.function.recycle()


def _wait(_lane: Lane, place: Place) -> None:
    threading.Event().wait(SLOW_SECONDS[place.service])


def _fails(reason: str, attempts: int | None = None) -> Callable[[Place], Expected]:
    """The step fails if Secrets Manager does not answer; the table is not needed."""

    def expected(place: Place) -> Expected:
        return Expected(End.WITHOUT_TABLE) if place.service == "dynamodb" else Expected(End.FAILED, reason, attempts)

    return expected


def _always(end: End) -> Callable[[Place], Expected]:
    return lambda _place: Expected(end)


AT_CALLS = (
    Fault("killed before", _on_arrival(_kill_and_drop), _always(End.DIED), is_cliff=True),
    Fault("killed after", _on_effect(_kill), _always(End.DIED), takes_effect=True, is_cliff=True),
    Fault("cut before, once", _disturbed(Disturbance.DROP, times=1), _always(End.OVERCAME)),
    # What may pass is tried three times; what will not, once.
    Fault("cut before", _disturbed(Disturbance.DROP), _fails("aws_unavailable", attempts=3), is_cliff=True),
    Fault("cut after, once", _disturbed(Disturbance.LOSE_ANSWER, times=1), _always(End.OVERCAME), takes_effect=True),
    Fault(
        "cut after",
        _disturbed(Disturbance.LOSE_ANSWER),
        _fails("aws_unavailable", attempts=3),
        takes_effect=True,
        is_cliff=True,
    ),
    Fault(
        "answer lost, once",
        _disturbed(Disturbance.KEEP_ANSWER, times=1),
        _always(End.OVERCAME),
        takes_effect=True,
        is_slow=True,
    ),
    Fault("never answered", _disturbed(Disturbance.HANG), _fails("deadline"), is_slow=True),
    Fault("throttled, once", _answered("ThrottlingException", times=1), _always(End.OVERCAME)),
    Fault("throttled", _answered("ThrottlingException"), _fails("throttled", attempts=3)),
    Fault("broken (500)", _answered("InternalServiceError", status=500), _fails("aws_unavailable", attempts=3)),
    Fault("access denied", _answered("AccessDeniedException"), _fails("access_denied", attempts=1)),
    Fault(
        "key denied",
        _answered("AccessDeniedException", "Access to KMS is not allowed"),
        _fails("kms_denied", attempts=1),
        is_of_the_secret=True,
    ),
    Fault("slow", _on_effect(_wait), _always(End.OVERCAME), takes_effect=True, is_slow=True),
)


# ---- At messages to the database -----------------------------------------------------------------------------------------


def _message(decide: Callable[[Lane, Place], Interference | bytes]) -> Plant:
    return lambda lane, place: lane.before_message(place.number, lambda: decide(lane, place))


def _interfered(interference: Interference) -> Plant:
    return _message(lambda _lane, _place: interference)


def _kill_before(lane: Lane, _place: Place) -> Interference:
    lane.deployed.function.recycle()
    return Interference.DROP


def _kill_after(lane: Lane, _place: Place) -> Interference:
    lane.proxy.on_lost_answer = lane.deployed.function.recycle
    return Interference.LOSE_ANSWER


def _arrive_late(_lane: Lane, place: Place) -> Interference:
    threading.Event().wait(SLOW_SECONDS[place.service])
    return Interference.FORWARD


def _refused(at_login: tuple[str, str], at_statement: tuple[str, str]) -> Plant:
    """The server's own refusal, SQLSTATE and words; a refused login is fatal."""

    def decide(_lane: Lane, place: Place) -> bytes:
        return error_response(*at_login, severity="FATAL") if place.is_login else error_response(*at_statement)

    return _message(decide)


def _by_phase(at_login: str, at_statement: str) -> Callable[[Place], Expected]:
    return lambda place: Expected(End.FAILED, at_login if place.is_login else at_statement)


AT_MESSAGES = (
    Fault("killed before", _message(_kill_before), _always(End.DIED), is_cliff=True),
    Fault("killed after", _message(_kill_after), _always(End.DIED), takes_effect=True, is_cliff=True),
    Fault("cut before", _interfered(Interference.DROP), _by_phase("connection_lost", "connection_lost"), is_cliff=True),
    Fault(
        "cut after",
        _interfered(Interference.LOSE_ANSWER),
        _by_phase("connection_lost", "connection_lost"),
        takes_effect=True,
        is_cliff=True,
    ),
    Fault(
        "answer lost",
        _interfered(Interference.KEEP_ANSWER),
        _by_phase("connect_timeout", "deadline"),
        takes_effect=True,
        is_slow=True,
    ),
    Fault("never answered", _interfered(Interference.HANG), _by_phase("connect_timeout", "deadline"), is_slow=True),
    Fault(
        "saturated",
        _refused(("53300", "sorry, too many clients already"), ("53200", "out of memory")),
        _by_phase("target_saturated", "target_saturated"),
    ),
    Fault(
        "shut down",
        _refused(("57P03", "the database system is shutting down"), ("57P01", "terminating connection")),
        _by_phase("target_not_ready", "connection_lost"),
    ),
    Fault(
        "permission denied",
        _refused(("42501", 'permission denied for database "postgres"'), ("42501", "permission denied")),
        _by_phase("privilege_missing", "privilege_missing"),
    ),
    Fault("slow", _message(_arrive_late), _always(End.OVERCAME), takes_effect=True, is_slow=True),
)
