"""A rotation to look at: every step of it, and one that failed."""

from dataclasses import dataclass

from tests.functional.seen import Seen
from tests.functional.world import PENDING, STEPS, Deployed, World


@dataclass(frozen=True)
class Sample:
    """A rotation seen from beginning to end, and one that failed at testSecret."""

    secret_arn: str
    token: str
    steps: dict[str, Seen]
    calls: dict[str, list[str]]
    """Calls to AWS by step, as the services counted them."""
    failed: Seen


def take_sample(world: World, deployed: Deployed) -> Sample:
    """Rotate a secret of alternating users, and let its next rotation fail."""
    arn = world.new_secret(superuser=True)
    run = world.begin(arn)
    steps, calls = {}, {}
    for step in STEPS:
        before = len(world.aws.calls)
        steps[step] = deployed.step(step, run)
        calls[step] = [f"{call.service}.{call.operation}" for call in world.aws.calls[before:] if not call.is_repeated]
    again = world.begin(arn)
    deployed.steps(again, "createSecret", "setSecret")
    world.set_password(world.value(arn, PENDING)["username"], "changed by hand")
    return Sample(arn, run.token, steps, calls, deployed.step("testSecret", again))
