"""An engine in a package of one's own: the README's example, deployed by a setting and held to the contract."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.acme.acme_target import AcmeTarget
from tests.functional.world import CURRENT, PENDING, World

ROOT = Path(__file__).resolve().parents[2]
ACME = Path(__file__).parent / "acme"
SECTION = (ROOT / "README.md").read_text().partition("## Add a target")[2].partition("\n## ")[0]
SETTING = re.findall(r"`CustomEngines=(\S+)`", SECTION)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README tells to write, in the files that it names, and a server to try it on."""
    folder = tmp_path_factory.mktemp("acme")
    for name, code in re.findall(r"```python\n# (\S+)\n(.*?)```", SECTION, re.DOTALL):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)
    for source in ACME.glob("acme_*.py"):
        (folder / source.name).write_text(source.read_text())
    (folder / "conftest.py").write_text("from local.contract.fixtures import *\n")
    return folder


@pytest.fixture(scope="module")
def target() -> Iterator[AcmeTarget]:
    with AcmeTarget() as running:
        yield running


def test_the_section_names_what_this_test_needs(package: Path) -> None:
    assert SETTING == ["acme=acme_rotation.engine:AcmeEngine"]
    assert {path.name for path in package.rglob("*.py")} >= {"engine.py", "test_acme.py"}


def test_a_secret_is_rotated_through_the_deployed_handler(world: World, package: Path, target: AcmeTarget) -> None:
    target.create_user("app", "initial")
    before = {**target.keys, "engine": "acme", "username": "app", "password": "initial", "note": "survives"}
    arn = world.store(before)
    with world.deployed(libraries=(package,), environment={"CUSTOM_ENGINES": SETTING[0]}) as function:
        seen = function.rotate(arn)
        after = world.value(arn)
        assert after == {
            **target.keys,
            "engine": "acme",
            "username": "app",
            "password": after["password"],
            "note": "survives",
        }
        assert target.refusal("app", after["password"]) is None
        assert target.refusal("app", "initial") == "wrong"
        assert [(step.line["engine"], step.line["strategy"]) for step in seen.values()] == [("acme", "single-user")] * 4
        assert seen["setSecret"].line["calls"]["target"] >= 4
        assert after["password"] not in target.log()

        target.create_user("app", "changed by hand")
        run = world.begin(arn)
        function.steps(run, "createSecret")
        failed = function.step("setSecret", run)
        assert failed.line["reason"] == "credential_unknown"
        assert world.value(arn, PENDING)["password"] not in json.dumps(failed.line)
        assert world.value(arn, CURRENT) == after


def test_a_setting_that_leads_to_no_engine_is_reported(world: World, package: Path) -> None:
    arn = world.store({"engine": "acme", "host": "127.0.0.1", "username": "app", "password": "initial"})
    setting = SETTING[0].replace("engine:", "missing:")
    with world.deployed(libraries=(package,), environment={"CUSTOM_ENGINES": setting}) as function:
        seen = function.step("createSecret", world.begin(arn))
    assert seen.line["reason"] == "configuration_invalid"
    assert "acme_rotation.missing:AcmeEngine cannot be imported" in seen.line["error"]


def test_the_contract_suite_runs_over_it_outside_of_this_project(package: Path) -> None:
    """As its authors would run it: their own folder, their own conftest, none of this project's tests."""
    environment = {**os.environ, "CI": "true", "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(package), "-q", "test_acme.py"],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed in", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 60
    assert "skipped" not in done.stdout
