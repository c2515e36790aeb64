"""No engine is registered that the contract is not held to."""

from importlib import import_module
from pathlib import Path

from local.contract import Setup
from local.targets import TARGETS
from rotation.engines import ENGINES

MODULES = [path.stem for path in Path(__file__).parent.glob("test_*.py")]


def test_every_engine_keeps_the_contract() -> None:
    modules = [import_module(f"tests.contract.{name}") for name in MODULES]
    held = {setup.engine for module in modules for setup in vars(module).values() if isinstance(setup, Setup)}
    held |= {setup.engine for module in modules for setup in getattr(module, "SETUPS", ())}
    assert held == set(ENGINES)


def test_every_target_is_an_engines() -> None:
    assert set(TARGETS) <= set(ENGINES)
