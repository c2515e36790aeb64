"""No secret value leaves the function: searched for in every place, in success and in every kind of failure."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.database_proxy import DatabaseProxy, Interference
from tests.functional.search import Leak, Search
from tests.functional.seen import Seen
from tests.functional.test_failure_reasons import DEPLOYED, SCENARIOS, Bench
from tests.functional.world import PENDING, STEPS, Deployed, Run, World
from tests.verdict import Verdict

SENTINEL = "Sentinel-7f3a91c2-value"
ROTATION_TOKEN = "sentinel-rotation-token-0123456789abcdef"
VOICES = {
    "usual": {},
    "debug": {"POWERTOOLS_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOGGER_LOG_EVENT": "true"},
    "loudest": {
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
        "POWERTOOLS_LOGGER_LOG_EVENT": "true",
        "POWERTOOLS_DEV": "true",
        "POWERTOOLS_DEBUG": "true",
        "POWERTOOLS_TRACER_CAPTURE_RESPONSE": "true",
        "POWERTOOLS_TRACER_CAPTURE_ERROR": "true",
        "PYTHONDEVMODE": "1",
    },
}
# These take seconds each, so they are tried with one voice.
SLOW = {"connect_timeout", "target_busy", "deadline"}

pytestmark = pytest.mark.reliability


@contextmanager
def searched(
    world: World,
    folder: Path,
    handler: str = "rotation.app.lambda_handler",
    *,
    timeout_seconds: float = 30.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[Deployed, Search]]:
    """A function whose places are searched: it has folders of its own for its home and its temporary files.

    What it sends to AWS is listened to, except for Secrets Manager: there, and only there, values belong.
    """
    folders = folder / "home", folder / "tmp"
    for each in folders:
        each.mkdir(parents=True, exist_ok=True)
    variables = {**(environment or {}), "HOME": str(folders[0]), "TMPDIR": str(folders[1])}
    host, _, port = world.aws.endpoint_url.removeprefix("http://").partition(":")
    with DatabaseProxy((host, int(port))) as aws, ExitStack() as resources:
        for service in ("DYNAMODB", "RDS", "STS"):
            variables[f"AWS_ENDPOINT_URL_{service}"] = f"http://{aws.host}:{aws.port}"
        function = resources.enter_context(
            world.deployed(handler, libraries=(DEPLOYED,), environment=variables, timeout_seconds=timeout_seconds)
        )
        search = Search(world, folders)
        search.listen_to(aws)
        search.for_value("the RotationToken", ROTATION_TOKEN)
        search.for_value("the sentinel", SENTINEL)
        yield function, search


# The loudest says all that the others say; the usual one is what is deployed.
TWO_VOICES = pytest.mark.parametrize("loud", ["usual", "loudest"], indirect=True)


@pytest.fixture(params=VOICES)
def loud(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[tuple[Deployed, Search]]:
    """The function with each degree of talkativeness."""
    with searched(world, tmp_path, environment=VOICES[request.param]) as both:
        yield both


def begin(world: World, secret_arn: str) -> Run:
    return world.begin(secret_arn, rotation_token=ROTATION_TOKEN)


def everywhere(search: Search, *seen: Seen) -> list[Leak]:
    search.for_all_passwords()
    return [
        *search.in_what_is_told(*seen),
        *search.in_what_is_kept(),
        *search.in_processes(),
        *search.in_the_network(),
        *search.in_the_database_log(),
    ]


@pytest.fixture
def overheard(world: World) -> Iterator[tuple[World, DatabaseProxy]]:
    """The world with the way to its database listened to, which goes in plaintext."""
    with DatabaseProxy((world.server.host, world.server.port)) as tap:
        yield world.by_way_of(tap.port), tap


def test_successful_rotations_reveal_nothing(
    overheard: tuple[World, DatabaseProxy], loud: tuple[Deployed, Search], verdict: Verdict
) -> None:
    world, tap = overheard
    function, search = loud
    search.listen_to(tap)
    seen: list[Seen] = []
    clear: list[str] = []
    for strategy in ("single-user", "single-user-by-superuser", "alternating-users"):
        arn = world.new_secret(superuser=True, tag=strategy, api_key=SENTINEL)
        for _turn in range(2):
            run = begin(world, arn)
            seen += function.steps(run).values()
            seen += function.steps(run).values()
            clear.append(world.value(arn)["password"])
        seen.append(function.step("testSecret", begin_test(world, arn)))
    leaks = everywhere(search, *seen)
    verdict.add("secrecy", tried=len(seen), survived=len(seen), leaked=len(leaks))
    assert leaks == []
    assert search.count > 2 * len(clear)
    assert b"SCRAM-SHA-256$" in tap.heard


def begin_test(world: World, secret_arn: str) -> Run:
    return world.begin(secret_arn, test=True, rotation_token=ROTATION_TOKEN)


@TWO_VOICES
def test_failures_of_every_kind_reveal_nothing(
    *,
    overheard: tuple[World, DatabaseProxy],
    loud: tuple[Deployed, Search],
    hasty: Deployed,
    proxy: DatabaseProxy,
    verdict: Verdict,
    request: pytest.FixtureRequest,
) -> None:
    voice = request.node.callspec.params["loud"]
    world, tap = overheard
    function, search = loud
    for each in (tap, proxy):
        search.listen_to(each)
    tried = try_all(Bench(world, function, hasty, proxy), set(SCENARIOS) - SLOW)
    if "POWERTOOLS_DEV" in VOICES[voice]:
        # Its lines are spread over several; that each failure is told as it should be is seen with the other voice.
        assert not [reason for reason, seen in tried.items() if seen.succeeded]
        assert everywhere(search, *tried.values()) == []
    else:
        report(verdict, search, tried)


def test_slow_failures_reveal_nothing_either(
    overheard: tuple[World, DatabaseProxy], proxy: DatabaseProxy, verdict: Verdict, tmp_path: Path
) -> None:
    world, tap = overheard
    with searched(world, tmp_path, timeout_seconds=6.0, environment={"REPORT_RESERVE_SECONDS": "1"}) as (hasty, search):
        for each in (tap, proxy):
            search.listen_to(each)
        tried = try_all(Bench(world, hasty, hasty, proxy), SLOW)
        report(verdict, search, tried)


def try_all(bench: Bench, reasons: set[str]) -> dict[str, Seen]:
    """Every failure by its reason."""
    tried = {}
    for reason in sorted(reasons):
        tried[reason] = SCENARIOS[reason](bench)
        bench.proxy.on_message = lambda _message: Interference.FORWARD
        bench.world.aws.clear_faults()
    return tried


def report(verdict: Verdict, search: Search, tried: dict[str, Seen]) -> None:
    leaks = everywhere(search, *tried.values())
    failed = [reason for reason, seen in tried.items() if not seen.succeeded]
    # A duplicate in flight is told by its own metric.
    told = [reason for reason in failed if {tried[reason].reasons[way] for way in ("error", "line", "trace")} == {reason}]
    counted = [reason for reason in told if {"Failures", "DuplicateInFlight"} & set(tried[reason].metrics)]
    verdict.add(
        "secrecy", tried=len(tried), survived=len(failed), failures=len(failed), seen=len(counted), leaked=len(leaks)
    )
    assert counted == list(tried)
    assert leaks == []


MALFORMED: dict[str, Any] = {
    "plain text": SENTINEL,
    "broken JSON": f'{{"username": "app", "password": "{SENTINEL}"',
    "a string": json.dumps(SENTINEL),
    "a list": json.dumps([SENTINEL]),
    "no username": {"password": SENTINEL},
    "password nested": {"username": "app", "password": {"value": SENTINEL}},
    "password in a list": {"username": "app", "password": [SENTINEL]},
    "password with a NUL": {"username": "app", "password": f"{SENTINEL}\0", "engine": "postgres"},
    "password as port": {"username": "app", "password": SENTINEL, "engine": "postgres", "port": SENTINEL},
    "password as ssl": {"username": "app", "password": SENTINEL, "engine": "postgres", "ssl": SENTINEL},
    "password as engine": {"username": "app", "password": SENTINEL, "engine": SENTINEL},
    "password as masterarn": {
        "username": "app",
        "password": SENTINEL,
        "engine": "postgres",
        "host": "127.0.0.1",
        "masterarn": SENTINEL,
    },
    "password as cloneof": {"username": "app", "password": SENTINEL, "engine": "postgres", "cloneof": [SENTINEL]},
    "password as a key": {SENTINEL: "app", "engine": "postgres"},
    "no host": {"username": "app", "password": SENTINEL, "engine": "postgres"},
}


@TWO_VOICES
def test_malformed_secrets_with_the_value_in_the_wrong_place_reveal_nothing(
    world: World, loud: tuple[Deployed, Search]
) -> None:
    function, search = loud
    seen = []
    for value in MALFORMED.values():
        run = begin(world, world.store(value))
        steps = [function.step(step, run) for step in STEPS[:3]]
        assert [step for step in steps if not step.succeeded]
        seen += steps
    tagged = begin(world, world.new_secret(tag=SENTINEL))
    seen.append(function.step("createSecret", tagged))
    assert not seen[-1].succeeded
    assert everywhere(search, *seen) == []


@TWO_VOICES
def test_a_pending_value_that_somebody_else_made_reveals_nothing(world: World, loud: tuple[Deployed, Search]) -> None:
    function, search = loud
    seen = []
    for value in MALFORMED.values():
        run = begin(world, world.new_secret())
        text = value if isinstance(value, str) else json.dumps(value)
        world.secrets_manager.put_secret_value(
            SecretId=run.secret_arn, ClientRequestToken=run.token, SecretString=text, VersionStages=[PENDING]
        )
        seen += [function.step(step, run) for step in STEPS[:3]]
    assert everywhere(search, *seen) == []


@TWO_VOICES
def test_malformed_events_reveal_nothing(loud: tuple[Deployed, Search]) -> None:
    function, search = loud
    good = {"Step": "createSecret", "SecretId": "app/nowhere", "ClientRequestToken": "t" * 32, "RotationToken": SENTINEL}
    # A text is no wrong SecretId; it names the secret and is meant to be seen.
    wrong = [
        {**good, key: value}
        for key in good
        for value in (SENTINEL, [SENTINEL], {"Value": SENTINEL})
        if (key, value) != ("SecretId", SENTINEL)
    ]
    seen = [function.invoke(event) for event in (*wrong, SENTINEL, [SENTINEL], {SENTINEL: SENTINEL})]
    assert not [each for each in seen if each.succeeded]
    assert everywhere(search, *seen) == []


def test_a_defect_that_quotes_the_secret_reveals_nothing(world: World, tmp_path: Path) -> None:
    for name, voice in VOICES.items():
        with searched(world, tmp_path / name, "broken_engine.lambda_handler", environment=voice) as (function, search):
            run = begin(world, world.new_secret(engine="broken"))
            function.steps(run, "createSecret")
            seen = [function.step(step, run) for step in ("setSecret", "testSecret")]
            assert {each.invocation.error_type for each in seen} == {"InternalError"}
            assert {each.invocation.error_message for each in seen} == {seen[0].invocation.error_message}
            assert "unexpected ValueError" in (seen[0].invocation.error_message or "")
            assert everywhere(search, *seen) == []


def test_a_defect_can_be_found_although_its_text_is_withheld(world: World, tmp_path: Path) -> None:
    with searched(world, tmp_path, "broken_engine.lambda_handler") as (function, _search):
        run = begin(world, world.new_secret(engine="broken"))
        function.steps(run, "createSecret")
        line = function.step("setSecret", run).line
    assert line["error"] == "unexpected ValueError"
    assert line["stack"][-1].endswith("log_in")
    assert "broken_engine.py:" in line["stack"][-1]


def test_processes_reveal_nothing_while_the_password_is_changed(world: World, proxy: DatabaseProxy, tmp_path: Path) -> None:
    arrived, may_go_on = threading.Event(), threading.Event()

    def hold(message: bytes) -> Interference:
        if b"ALTER ROLE" in message:
            arrived.set()
            may_go_on.wait()
        return Interference.FORWARD

    with searched(world, tmp_path) as (function, search), ThreadPoolExecutor(1) as pool:
        run = begin(world, world.new_secret(port=proxy.port))
        function.steps(run, "createSecret")
        proxy.on_message = hold
        changing = pool.submit(function.step, "setSecret", run)
        arrived.wait()
        search.for_all_passwords()
        leaks = [*search.in_processes(), *search.in_what_is_kept()]
        may_go_on.set()
        assert changing.result().succeeded
    assert leaks == []


@pytest.mark.parametrize(("layer", "place"), [("table", "network"), ("database", "network"), ("database", "database log")])
def test_the_search_finds_a_value_on_its_way_to_a_server(
    overheard: tuple[World, DatabaseProxy], leaky: tuple[Deployed, Search], layer: str, place: str
) -> None:
    world, tap = overheard
    function, search = leaky
    search.listen_to(tap)
    arn = world.new_secret()
    search.for_all_passwords()
    keys = world.value(arn)
    function.invoke({"Layer": layer, "Secret": keys["password"], "Database": {**keys, "user": keys["username"]}})
    found = {"network": search.in_the_network, "database log": search.in_the_database_log}[place]()
    assert f"a password of {arn}" in {leak.what for leak in found if leak.place.startswith(place)}
    world.forget()


# The search finds what it looks for: a handler that reveals a value in one place at a time.

PLACES: dict[str, tuple[str, Callable[[Search, Seen], list[Leak]]]] = {
    "answer": ("answer", lambda search, seen: search.in_what_is_told(seen)),
    "error": ("answer", lambda search, seen: search.in_what_is_told(seen)),
    "log": ("log", lambda search, seen: search.in_what_is_told(seen)),
    "stderr": ("log", lambda search, seen: search.in_what_is_told(seen)),
    "metric": ("log", lambda search, seen: search.in_what_is_told(seen)),
    "trace": ("trace", lambda search, seen: search.in_what_is_told(seen)),
    "table": ("table", lambda search, _seen: search.in_what_is_kept()),
    "file": ("file", lambda search, _seen: search.in_what_is_kept()),
    "home": ("file", lambda search, _seen: search.in_what_is_kept()),
    "command_line": ("process cmdline", lambda search, _seen: search.in_processes()),
    "process_environment": ("process environ", lambda search, _seen: search.in_processes()),
}


@pytest.fixture(scope="module")
def leaky(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployed, Search]]:
    with searched(world, tmp_path_factory.mktemp("leaky"), "leaky.lambda_handler") as both:
        yield both


@pytest.mark.parametrize("layer", PLACES)
@pytest.mark.parametrize("kind", ["password", "verifier", "sentinel with quotes"])
def test_the_search_finds_a_value_in_every_place(
    world: World, leaky: tuple[Deployed, Search], layer: str, kind: str
) -> None:
    function, search = leaky
    arn = world.new_secret()
    secret = world.value(arn)["password"]
    if kind == "verifier":
        secret = world.execute(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{world.value(arn)['username']}'")[0][0]
    elif kind == "sentinel with quotes":
        secret = f'{layer}"quoted\\{arn}'
        search.for_value("the quoted sentinel", secret)
    search.for_all_passwords()
    seen = function.invoke({"Layer": layer, "Secret": secret})
    place, look = PLACES[layer]
    assert any(leak.place.startswith(place) for leak in look(search, seen))
    world.forget()
