"""The way to the database: name, route, firewall, TLS."""

from collections.abc import Iterator
from contextlib import contextmanager

from dashboards.drill.network_path import Passage
from dashboards.drill.scenario import ATTEMPT, Cause, Scenario
from dashboards.drill.scenarios.spoiling import obstacle, spoilt, wrong_value
from dashboards.drill.stage import Stage
from dashboards.drill.victim import Victim

_SLOW = frozenset({"slow-step"})
# TCP knows no broadcast: the kernel itself refuses, and no packet leaves.
_WITHOUT_ROUTE = "255.255.255.255"
# A label may have 63 characters, so nobody has to be asked.
_IMPOSSIBLE_NAME = f"{'x' * 64}.example"


def _on_the_way(passage: Passage) -> Cause:
    """Rotate a secret by way of the network path, which is not open."""

    @contextmanager
    def cause(stage: Stage) -> Iterator[None]:
        victim = stage.victim(port=stage.network.port)
        stage.network.passage = passage
        victim.rotate()
        yield
        stage.network.passage = Passage.OPEN
        victim.recover()
        victim.forget()

    return cause


@contextmanager
def _server_down(stage: Stage, _victim: Victim) -> Iterator[None]:
    stage.postgres.stop()
    yield
    stage.postgres.start()


@contextmanager
def _tls_with(stage: Stage, name: str | None, *, trusted: bool) -> Iterator[None]:
    """Rotate a secret that asks for TLS: with a certificate for `name`, or without TLS at the server if there is none."""
    victim = stage.victim(ssl=True, port=stage.network.port)
    bundle = {"TLS_CA_BUNDLE": str(stage.authority.certificate)}
    stage.network.certificate = stage.authority.issue(name) if name else None
    with stage.rotation_function(variables=bundle if trusted else {}):
        victim.rotate()
        yield
    stage.network.certificate = stage.authority.issue(stage.network.host)
    with stage.rotation_function(variables=bundle):
        victim.recover()
    victim.forget()
    stage.network.certificate = None


@contextmanager
def _cold_and_late(stage: Stage) -> Iterator[None]:
    """The invocation begins at the end of a minute, and its code, after a cold start, in the next."""
    victim = stage.victim()
    stage.postgres.stop()

    def cold_and_late() -> None:
        stage.rotation.recycle()
        stage.run_to_second(59.9)

    stage.before_step["setSecret"] = cold_and_late
    victim.rotate()
    yield
    stage.postgres.start()
    victim.recover()
    victim.forget()


NETWORK = (
    spoilt("database-down", "The database server is stopped", obstacle(_server_down), "port_closed", "network"),
    Scenario(
        "cold-across-the-minute",
        "The same, in a cold start that runs on into the next minute",
        _cold_and_late,
        ATTEMPT | {"cause-network"},
        reason="port_closed",
    ),
    spoilt(
        "packets-swallowed",
        "A security group swallows the packets",
        _on_the_way(Passage.SWALLOWED),
        "connect_timeout",
        "network",
        also=_SLOW,
    ),
    spoilt(
        "connection-cut",
        "The connection breaks during the login",
        _on_the_way(Passage.CUT),
        "connection_lost",
        "network",
    ),
    spoilt("no-route", "There is no route to the host", wrong_value(host=_WITHOUT_ROUTE), "target_unreachable", "network"),
    spoilt("dns", "The host's name is unknown", wrong_value(host=_IMPOSSIBLE_NAME), "dns_failed", "network"),
    spoilt(
        "tls-wrong-name",
        "The certificate is for another name",
        lambda stage: _tls_with(stage, "other.example", trusted=True),
        "tls_failed",
        "tls",
    ),
    spoilt(
        "tls-unknown-authority",
        "The certificate is from an authority that is not trusted",
        lambda stage: _tls_with(stage, stage.network.host, trusted=False),
        "tls_failed",
        "tls",
    ),
    spoilt(
        "tls-missing",
        "The server speaks no TLS, and the secret asks for it",
        lambda stage: _tls_with(stage, None, trusted=True),
        "tls_failed",
        "tls",
    ),
)
