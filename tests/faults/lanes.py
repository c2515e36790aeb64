"""Worlds side by side, so that faults that cost time are waited for together and not one after the other."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

from local.aws import AwsStage
from local.aws_server import Call
from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.faults.database_proxy import DatabaseProxy, Interference
from tests.functional.seen import Seen
from tests.functional.world import CURRENT, PENDING, STEPS, Deployed, Run, World

LANES = 6
# Time enough for a call's three attempts, little enough to wait until it is used up.
TIMEOUT_SECONDS = 9.0
_LEAST_RESERVE = {"REPORT_RESERVE_SECONDS": "1"}


class WatchedCalls(list[Call]):
    """The calls that reached the services; each is told of before its answer leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.on_call: Callable[[Call], None] = lambda _call: None

    def append(self, call: Call) -> None:
        super().append(call)
        self.on_call(call)


@dataclass(frozen=True)
class State:
    """What is true of a rotation at one moment."""

    current_version: str
    pending_version: str | None
    pending_is_filled: bool
    old_opens: bool
    new_opens: bool


class Lane:
    """A world with a function that has little time, whose every call and message can be met with a fault."""

    def __init__(self, world: World, deployed: Deployed, proxy: DatabaseProxy) -> None:
        self.world = world
        self.deployed = deployed
        self.proxy = proxy
        self.calls = WatchedCalls()
        world.aws._server.calls = self.calls

    def begin(self, *, strategy: str = "single-user") -> Run:
        """A rotation of a new secret, whose way to the database leads through the proxy."""
        if strategy == "single-user":
            return self.world.begin(self.world.new_secret(port=self.proxy.port))
        superuser = self.world.login_keys(port=self.proxy.port) | self.world.new_role(options="SUPERUSER")
        arn = self.world.new_secret(port=self.proxy.port, masterarn=self.world.store(superuser), tag=strategy)
        return self.world.begin(arn)

    def until(self, step: str, run: Run) -> None:
        """Run the steps before this one, which have to succeed."""
        for earlier in STEPS[: STEPS.index(step)]:
            seen = self.deployed.step(earlier, run)
            assert seen.succeeded, seen.error

    def repeat(self, run: Run) -> dict[str, Seen]:
        """The whole sequence with the same token, as Secrets Manager repeats it; it has to succeed."""
        return self.deployed.steps(run)

    def before_call(self, number: int, act: Callable[[], None]) -> None:
        """Do something just before a call, counted from now and from 0, reaches its service."""
        if number == 0:
            act()
            return
        remaining = number

        def count(_call: Call) -> None:
            nonlocal remaining
            remaining -= 1
            if remaining == 0:
                act()

        self.calls.on_call = count

    def before_message(self, number: int, decide: Callable[[], Interference]) -> None:
        """Decide about one message to the database, counted from now and from 0; the others arrive."""
        remaining = number

        def count(_message: bytes) -> Interference:
            nonlocal remaining
            remaining -= 1
            return decide() if remaining == -1 else Interference.FORWARD

        self.proxy.on_message = count

    def heal(self) -> None:
        """End all faults."""
        self.calls.on_call = lambda _call: None
        self.proxy.on_message = lambda _message: Interference.FORWARD
        self.world.aws.clear_faults()

    def state(self, run: Run, old: dict[str, str]) -> State:
        """Look at labels, values and logins; `old` is the value before the rotation."""
        labels = self.world.labels(run.secret_arn)
        with self.world.aws.secrets_manager() as service:
            is_filled = service.has_value(run.secret_arn, run.token)
        new = None
        if is_filled:
            new = self.world.value(run.secret_arn, PENDING if PENDING in labels else CURRENT)
        return State(
            current_version=labels[CURRENT],
            pending_version=labels.get(PENDING),
            pending_is_filled=is_filled,
            old_opens=self.world.opens(old),
            new_opens=new is not None and self.world.opens(new),
        )


class Lanes:
    """Does one thing to many cases, as many at a time as there are lanes."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._free: SimpleQueue[Lane] = SimpleQueue()
        for lane in lanes:
            self._free.put(lane)
        self._pool = ThreadPoolExecutor(len(lanes))

    def map[Case, Result](
        self, act: Callable[[Lane, Case], Result], cases: Iterable[Case]
    ) -> dict[Case, Result | Exception]:
        """What came of each case: an exception is a result, so that one case does not hide the others."""

        def work(case: Case) -> Result | Exception:
            lane = self._free.get()
            try:
                return act(lane, case)
            except Exception as error:  # noqa: BLE001 - it is reported by the test of its case
                return error
            finally:
                lane.heal()
                self._free.put(lane)

        listed = list(cases)
        return dict(zip(listed, self._pool.map(work, listed), strict=True))

    def close(self) -> None:
        self._pool.shutdown()


@contextmanager
def open_lanes(
    postgres: PostgresServer,
    xray: XRayDaemon,
    *,
    count: int = LANES,
    first_account: int = 300_000_000_000,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Iterator[Lanes]:
    """Lanes on one database server, each in an AWS account of its own."""
    with ExitStack() as resources:
        lanes = []
        for number in range(count):
            stage = resources.enter_context(AwsStage(account_id=str(first_account + number)))
            world = World(stage, postgres, xray, prefix=f"lane{number}_")
            deployed = resources.enter_context(world.deployed(timeout_seconds=timeout_seconds, environment=_LEAST_RESERVE))
            proxy = resources.enter_context(DatabaseProxy((postgres.host, postgres.port)))
            lanes.append(Lane(world, deployed, proxy))
        side_by_side = Lanes(lanes)
        resources.callback(side_by_side.close)
        yield side_by_side
