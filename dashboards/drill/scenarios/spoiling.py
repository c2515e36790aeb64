"""Scenarios in which something keeps one rotation from succeeding, until it is put right."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from dashboards.drill.scenario import ATTEMPT, NOTHING, Cause, Scenario
from dashboards.drill.stage import Stage
from dashboards.drill.victim import Victim

type Obstacle = Callable[[Stage, Victim], AbstractContextManager[None]]
"""Stands in the way of a victim's rotation while its block lasts."""


def spoilt(
    name: str, title: str, cause: Cause, reason: str, explained_by: str, *, also: frozenset[str] = NOTHING
) -> Scenario:
    """A scenario in which an attempt fails in the function, for a reason that a cause alarm explains."""
    return Scenario(name, title, cause, ATTEMPT | {f"cause-{explained_by}"} | also, reason=reason)


def obstacle(stands_in_the_way: Obstacle, **keys: object) -> Cause:
    """Rotate a secret with something in the way; take it out of the way, and let Secrets Manager repeat the attempt.

    `keys` are those of the secret that differ from what is usual on the stage.
    """

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        victim = stage.victim(**keys)
        with stands_in_the_way(stage, victim):
            victim.rotate()
            yield
        victim.recover()
        victim.forget()

    return cause


def wrong_value(**keys: object) -> Cause:
    """Rotate a secret whose value is wrong in some keys; then put it right by hand, and rotate again."""

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        victim = stage.victim(**keys)
        victim.rotate()
        yield
        victim.unstick()
        victim.store(victim.document)
        victim.succeed()
        victim.forget()

    return cause
