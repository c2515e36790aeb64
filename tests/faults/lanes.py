"""Worlds side by side, so that faults that cost time are waited for together and not one after the other."""

import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue

from local.aws import AwsStage
from local.aws_server import Call
from local.postgres import PostgresServer
from local.xray import XRayDaemon
from tests.faults.alarm import VARIABLES
from tests.faults.database_proxy import DatabaseProxy, Interference
from tests.faults.forked_runtime import fork_process
from tests.faults.places import DATABASE, Place, is_goodbye, name_of
from tests.functional.search import Search
from tests.functional.seen import Seen
from tests.functional.world import CURRENT, PENDING, STEPS, Deployed, Run, World

LANES = 5
# Time enough for a second attempt after one that was waited for in vain, little enough to wait until it is used up.
TIMEOUT_SECONDS = 10.0
HANDLER = "rotation.app.lambda_handler"


@dataclass(frozen=True)
class State:
    """What is true of a rotation at one moment."""

    current_version: str
    pending_version: str | None
    pending_is_filled: bool
    old_opens: bool
    new_opens: bool


class Lane:
    """A world with a function that has little time, whose every call and message can be met with a fault.

    Attributes:
        deployed: The function that meets the faults.
        other: The same function with processes of its own, which know nothing of what the first has done.
    """

    def __init__(
        self, world: World, deployed: Deployed, other: Deployed, proxy: DatabaseProxy, folders: tuple[Path, ...]
    ) -> None:
        self.world = world
        self.deployed = deployed
        self.other = other
        self.proxy = proxy
        self._folders = folders

    def begin(self, *, strategy: str = "single-user") -> Run:
        """A rotation of a new secret, whose way to the database leads through the proxy."""
        masterarn = None if strategy == "single-user" else self._superuser_secret
        arn = self.world.new_secret(port=self.proxy.port, masterarn=masterarn, tag=strategy)
        return self.world.begin(arn, rotation_token=f"rotation-token-{uuid.uuid4()}")

    @cached_property
    def _superuser_secret(self) -> str:
        keys = self.world.login_keys(port=self.proxy.port) | self.world.new_role(options="SUPERUSER")
        return self.world.store(keys)

    def search(self) -> Search:
        """Looks for secret values in what the functions leave behind from now on."""
        return Search(self.world, self._folders)

    @property
    def calls(self) -> list[Call]:
        """The calls that reached the services so far."""
        return self.world.aws.calls

    def until(self, step: str, run: Run) -> list[Seen]:
        """Run the steps before this one, which have to succeed."""
        earlier = STEPS[: STEPS.index(step)]
        return list(self.deployed.steps(run, *earlier).values()) if earlier else []

    def repeat(self, run: Run) -> dict[str, Seen]:
        """The whole sequence with the same token, as Secrets Manager repeats it; it has to succeed."""
        return self.deployed.steps(run)

    def places_of(self, strategy: str) -> list[Place]:
        """Every call and message of a healthy rotation, in order."""
        run = self.begin(strategy=strategy)
        places: list[Place] = []
        step = ""

        def note(service: str, name: str) -> None:
            same = [place for place in places if (place.step, place.is_database) == (step, service == DATABASE)]
            places.append(Place(step, service, name, len(same)))

        def note_message(message: bytes) -> Interference:
            if not is_goodbye(message):
                note(DATABASE, name_of(message))
            return Interference.FORWARD

        def note_call() -> None:
            call = self.calls[-1]
            # Sent again because this machine is busy: no place of its own.
            if not call.is_repeated:
                note(call.service, call.operation)

        self.proxy.on_message = note_message
        self.world.aws.watch(on_effect=note_call)
        for each in STEPS:
            step = each
            self.deployed.steps(run, step)
        self.heal()
        return places

    def on_arrival(self, number: int, act: Callable[[], None]) -> None:
        """Do something when a request, counted from now and from 0, has arrived, and before anything comes of it."""
        self.world.aws.watch(on_arrival=_Countdown(number, act))

    def before_call(self, number: int, act: Callable[[], None]) -> None:
        """Do something when the calls before this one, counted from now and from 0, have taken effect.

        The last one's answer has not left by then.
        """
        if number == 0:
            act()
        else:
            self.world.aws.watch(on_effect=_Countdown(number - 1, act))

    def before_message(self, number: int, decide: Callable[[], Interference | bytes]) -> None:
        """Decide about one message to the database, counted from now and from 0; the others arrive."""
        remaining = number

        def count(message: bytes) -> Interference | bytes:
            nonlocal remaining
            if is_goodbye(message):
                return Interference.FORWARD
            remaining -= 1
            return decide() if remaining == -1 else Interference.FORWARD

        self.proxy.on_message = count

    def heal(self) -> None:
        """End all faults."""
        self.world.aws.watch()
        self.proxy.on_message = lambda _message: Interference.FORWARD
        self.proxy.on_lost_answer = lambda: None
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

    def once[Result](self, act: Callable[[Lane], Result]) -> Result:
        """Do one thing in one lane."""
        (result,) = self.map(lambda lane, _case: act(lane), ["once"]).values()
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        self._pool.shutdown()


class _Countdown:
    """Acts on the call with a number."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self._remaining = number
        self._act = act

    def __call__(self) -> None:
        self._remaining -= 1
        if self._remaining == -1:
            self._act()


@contextmanager
def open_lanes(
    postgres: PostgresServer,
    xray: XRayDaemon,
    *,
    count: int = LANES,
    first_account: int = 300_000_000_000,
    timeout_seconds: float = TIMEOUT_SECONDS,
    handler: str = HANDLER,
    libraries: tuple[Path, ...] = (),
    environment: dict[str, str] | None = None,
) -> Iterator[Lanes]:
    """Lanes on one database server, each in an AWS account of its own."""
    with ExitStack() as resources:
        lanes = []
        for number in range(count):
            stage = resources.enter_context(AwsStage(account_id=str(first_account + number)))
            world = World(stage, postgres, xray, prefix=f"lane{first_account + number}_")
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="lane-")))
            folders = folder / "home", folder / "tmp"
            for each in folders:
                each.mkdir()
            variables = {
                **VARIABLES,
                "REPORT_RESERVE_SECONDS": "1",
                "HOME": str(folders[0]),
                "TMPDIR": str(folders[1]),
                **(environment or {}),
            }
            deployed, other = (
                resources.enter_context(
                    world.deployed(
                        handler,
                        timeout_seconds=timeout_seconds,
                        libraries=libraries,
                        environment=variables,
                        start=fork_process,
                    )
                )
                for _ in range(2)
            )
            proxy = resources.enter_context(DatabaseProxy((postgres.host, postgres.port)))
            lanes.append(Lane(world, deployed, other, proxy, folders))
        side_by_side = Lanes(lanes)
        resources.callback(side_by_side.close)
        yield side_by_side
