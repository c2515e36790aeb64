"""Which servers a module's tests run against, and a secret on each."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from local.certificate_authority import CertificateAuthority
from local.contract.rotating import CUSTOM_ENGINES, SecretInRotation, document, engine_of, new_name, new_password
from local.server_process import ServerError
from local.targets.target import Target
from rotation.models import SecretDocument
from rotation.protocols import EngineTraits
from rotation.strategies.change import Strategy


@dataclass(frozen=True)
class Setup:
    """An engine, by the name that secrets give it, on a server.

    Attributes:
        with_tls: Whether server and engine speak TLS, with a certificate from an authority of the tests' own.
        custom: Where the engine is, if it is your own, as in `acme_rotation.engine:AcmeEngine`.
    """

    engine: str
    target: type[Target]
    with_tls: bool = False
    custom: str | None = None

    def __post_init__(self) -> None:
        if self.custom is not None:
            CUSTOM_ENGINES[self.engine] = self.custom

    def __str__(self) -> str:
        return f"{self.engine}-tls" if self.with_tls else self.engine


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests against each of their class's `setups`, by default the module's, and with its strategies and names."""
    setups = getattr(metafunc.cls, "setups", getattr(metafunc.module, "SETUPS", None))
    if "setup" in metafunc.fixturenames and setups is not None:
        metafunc.parametrize("setup", setups, ids=str, scope="session")
    # A class may as well have a fixture of that name.
    if "strategy" in metafunc.fixturenames and hasattr(metafunc.cls, "strategies"):
        metafunc.parametrize("strategy", metafunc.cls.strategies, ids=lambda strategy: strategy.name.value)
    if "hard_name" in metafunc.fixturenames:
        names = metafunc.cls.hard_names
        metafunc.parametrize("hard_name", names.values(), ids=names.keys())


def start_or_skip(stack: ExitStack, target: Callable[[], Target]) -> Target:
    """A running server; where it is not installed the test is skipped, or fails if the environment says `CI=true`."""
    try:
        return stack.enter_context(target())
    except ServerError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def authority() -> Iterator[CertificateAuthority]:
    """Whom the servers' certificates come from."""
    with TemporaryDirectory() as folder:
        yield CertificateAuthority(Path(folder))


@pytest.fixture(scope="session")
def started(authority: CertificateAuthority) -> Iterator[Callable[[Setup], Target]]:
    """Starts a server once; engines that are one product under two names share it."""
    running: dict[tuple[type[Target], bool], Target] = {}
    with ExitStack() as stack:

        def start(setup: Setup) -> Target:
            key = setup.target, setup.with_tls
            if key not in running:
                certificate = authority.issue("localhost", "127.0.0.1") if setup.with_tls else None
                running[key] = start_or_skip(stack, lambda: setup.target(certificate))
            return running[key]

        yield start


@pytest.fixture
def target(setup: Setup, started: Callable[[Setup], Target]) -> Target:
    return started(setup)


@pytest.fixture
def ca_bundle(setup: Setup, authority: CertificateAuthority) -> str | None:
    return str(authority.certificate) if setup.with_tls else None


@pytest.fixture
def superuser(setup: Setup, target: Target) -> SecretDocument:
    name, password = target.superuser
    return document(target.keys, engine=setup.engine, username=name, password=password)


@pytest.fixture
def secret(setup: Setup, target: Target) -> SecretDocument:
    """A secret whose user exists with this password."""
    name, password = new_name(), new_password()
    target.create_user(name, password)
    return document(target.keys, engine=setup.engine, username=name, password=password, masterarn="arn:superuser")


@pytest.fixture
def traits(secret: SecretDocument) -> EngineTraits:
    return engine_of(secret).traits


@pytest.fixture
def rotation(
    strategy: Strategy, secret: SecretDocument, superuser: SecretDocument, ca_bundle: str | None
) -> SecretInRotation:
    return SecretInRotation(strategy, secret, superuser, ca_bundle)
