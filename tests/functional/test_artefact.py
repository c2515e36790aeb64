"""The artefact as Lambda gets it: built for both architectures, looked through, and imported with nothing else around."""

import importlib.util
import json
import operator
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.bill_of_materials import NAME
from local.build_artefact import (
    ARCHITECTURES,
    AWS_SERVICES,
    DRIVERS,
    ENDPOINTS,
    BuildError,
    build,
    files,
    unpacked_bytes,
    zipped_bytes,
)

ROOT = Path(__file__).resolve().parents[2]
# Unpacked and zipped, with all drivers and with PostgreSQL's alone.
LIMITS_MB = (62, 22)
LIMITS_WITH_ONE_DRIVER_MB = (40, 15)
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
THIS_ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
PERMISSIVE = {"Apache Software License", "Apache-2.0", "BSD License", "BSD-2-Clause", "ISC", "MIT", "PSF-2.0"}
# The LGPL asks for its text, which is in the artefact, and that the library can be exchanged, which files in a folder can:
# these are used as libraries, unchanged. It asks nothing of the code that imports them.
LIBRARIES = {
    ("ldap3", "GNU Lesser General Public License v3 (LGPLv3)"),
    ("psycopg", "LGPL-3.0-only"),
    ("psycopg-binary", "LGPL-3.0-only"),
}

# Imports everything and makes every client, in an interpreter that sees the standard library and the artefact only.
IMPORT_EVERYTHING = """
import importlib, json, os, pkgutil, sys

artefact = sys.argv[1]
standard_library = os.path.dirname(os.__file__)
forbidden = []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        forbidden.append(f"writes {arguments[0]}")
    elif event in {"os.mkdir", "os.rename", "os.remove", "socket.connect", "socket.sendto", "subprocess.Popen"}:
        forbidden.append(f"{event} {arguments}")
    elif event == "compile" and str(arguments[1]).startswith(artefact):
        forbidden.append(f"compiles {arguments[1]}")

sys.addaudithook(watch)
sys.path.insert(0, artefact)
import rotation.app
for module in pkgutil.walk_packages(rotation.__path__, "rotation."):
    importlib.import_module(module.name)
import boto3, psycopg
for service in sys.argv[2].split(","):
    boto3.client(service)
origins = {getattr(module, "__file__", None) or artefact for module in sys.modules.values()}
print(json.dumps({
    "handler": callable(rotation.app.lambda_handler),
    "libpq": psycopg.pq.__impl__,
    "forbidden": forbidden,
    "strangers": sorted(origin for origin in origins if not origin.startswith((artefact, standard_library))),
}))
"""

type Builder = Callable[[str], Path]


@pytest.fixture(scope="session")
def artefact_for(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    built: dict[str, Path] = {}

    def artefact(architecture: str) -> Path:
        if architecture not in built:
            destination = tmp_path_factory.mktemp("artefact") / architecture
            build(architecture, destination)
            built[architecture] = destination
        return built[architecture]

    return artefact


@pytest.fixture(params=ARCHITECTURES)
def artefact(request: pytest.FixtureRequest, artefact_for: Builder) -> Path:
    return artefact_for(request.param)


def test_holds_exactly_the_locked_runtime_dependencies(artefact: Path) -> None:
    distributions = {name_of_distribution(folder.name) for folder in artefact.glob("*.dist-info")}
    assert distributions == locked_runtime_dependencies()


def test_the_bill_of_materials_lists_exactly_what_it_holds(artefact: Path) -> None:
    held = {(canonicalize_name(it.metadata["Name"]), it.version) for it in distributions(path=[str(artefact)])}
    components = bill(artefact)["components"]
    assert [(it["name"], it["version"]) for it in components] == sorted(held)
    assert [it["purl"] for it in components] == [f"pkg:pypi/{name}@{version}" for name, version in sorted(held)]


def test_the_bill_of_materials_tells_what_needs_what_and_not_where_it_came_from(artefact: Path) -> None:
    listed = {it["bom-ref"] for it in bill(artefact)["components"]}
    project = bill(artefact)["metadata"]["component"]["bom-ref"]
    needs = {it["ref"]: set(it["dependsOn"]) for it in bill(artefact)["dependencies"]}
    assert set(needs) == listed | {project}
    assert set().union(*needs.values()) == listed
    assert {name.partition("@")[0].removeprefix("pkg:pypi/") for name in needs[project]} == direct_dependencies()
    assert "://" not in (artefact / NAME).read_text()


def test_every_licence_is_one_that_may_be_deployed(artefact: Path) -> None:
    licences = {
        (component["name"], licence.get("expression") or licence["license"].get("id") or licence["license"]["name"])
        for component in bill(artefact)["components"]
        for licence in component["licenses"]
    }
    assert {name for name, _licence in licences} == {component["name"] for component in bill(artefact)["components"]}
    assert {(name, licence) for name, licence in licences if licence not in PERMISSIVE} == LIBRARIES
    assert {licence for _name, licence in licences} >= PERMISSIVE


def test_holds_no_tests_stubs_sources_or_local_stage(artefact: Path) -> None:
    paths = [path.relative_to(artefact) for path in files(artefact)]
    assert {path.parts[0] for path in paths}.isdisjoint({"local", "dashboards", "bin"})
    assert not [path for path in paths if {"tests", "test"} & set(path.parts)]
    assert {path.suffix for path in paths}.isdisjoint({".pyi", ".c", ".pyx", ".js", ".css", ".rst"})
    assert {
        path.parts[2] for path in paths if path.parts[:2] == ("botocore", "data") and len(path.parts) > 3
    } == AWS_SERVICES


def test_endpoints_are_those_of_the_called_services(artefact: Path) -> None:
    partitions = json.loads((artefact / "botocore" / "data" / "endpoints.json").read_text())["partitions"]
    assert {name for partition in partitions for name in partition["services"]} == ENDPOINTS


def test_holds_the_package_with_its_data(artefact: Path) -> None:
    package = ROOT / "handler" / "rotation"
    expected = {path.relative_to(package) for path in files(package) if path.suffix != ".pyc"}
    deployed = {path.relative_to(artefact / "rotation") for path in files(artefact / "rotation") if path.suffix != ".pyc"}
    assert deployed == expected
    assert Path("certificates/rds-global-bundle.pem") in deployed


def test_every_module_has_bytecode_that_is_current_never_checked_and_named_as_in_lambda(artefact: Path) -> None:
    for module in [path for path in files(artefact) if path.suffix == ".py"]:
        bytecode = Path(importlib.util.cache_from_source(str(module))).read_bytes()
        unchecked_hash = (0b01).to_bytes(4, "little")
        assert bytecode[:16] == importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(
            module.read_bytes()
        )
        assert str(artefact).encode() not in bytecode
        assert f"/var/task/{module.relative_to(artefact)}".encode() in bytecode or not module.stat().st_size


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_native_code_is_made_for_the_architecture(architecture: str, artefact_for: Builder) -> None:
    native = [path for path in files(artefact_for(architecture)) if ".so" in path.suffixes]
    assert native
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in native} == {ELF_MACHINES[architecture]}


def test_every_user_can_read_it_and_times_fit_into_a_zip(artefact: Path) -> None:
    status = [path.stat() for path in files(artefact)]
    assert {stat.st_mode & 0o777 for stat in status} == {0o644}
    assert len({stat.st_mtime for stat in status}) == 1


def megabytes(artefact: Path, capsys: pytest.CaptureFixture[str]) -> tuple[float, float]:
    unpacked, zipped = unpacked_bytes(artefact) / 1e6, zipped_bytes(artefact) / 1e6
    with capsys.disabled():
        sys.stdout.write(f"\n{artefact.name}: {unpacked:.1f} MB unpacked, {zipped:.1f} MB zipped\n")
    return unpacked, zipped


def test_size_is_within_bounds(artefact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert all(map(operator.lt, megabytes(artefact, capsys), LIMITS_MB))


def test_drivers_that_are_not_asked_for_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(THIS_ARCHITECTURE, tmp_path / "one", ["postgres"])
    assert all(map(operator.lt, megabytes(tmp_path / "one", capsys), LIMITS_WITH_ONE_DRIVER_MB))
    brought = {name for name in ("ldap3", "psycopg", "pymongo", "pymysql", "redis") if (tmp_path / "one" / name).exists()}
    assert brought == {"psycopg"}


def test_two_builds_are_identical(tmp_path: Path, artefact_for: Builder) -> None:
    first, second = artefact_for(THIS_ARCHITECTURE), tmp_path / "second"
    build(THIS_ARCHITECTURE, second)
    assert contents(first) == contents(second)


def test_works_read_only_alone_and_without_compiling_or_writing(tmp_path: Path, artefact_for: Builder) -> None:
    copy = tmp_path / "task"
    shutil.copytree(artefact_for(THIS_ARCHITECTURE), copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode & 0o555)
    before = contents(copy)
    report = imported(copy)
    assert report == {"handler": True, "libpq": "binary", "forbidden": [], "strangers": []}
    assert contents(copy) == before


def test_every_called_service_has_its_data() -> None:
    sources = [path.read_text() for path in files(ROOT / "handler" / "rotation") if path.suffix == ".py"]
    called = {name for source in sources for name in re.findall(r"\.(?:raw|calls|client)\(\s*\"(\w+)\"", source)}
    assert {"secretsmanager", "dynamodb"} <= called <= AWS_SERVICES


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(BuildError, match="is not empty: name a new folder"):
        build(THIS_ARCHITECTURE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def bill(artefact: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((artefact / NAME).read_text())
    return content


def direct_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = [each for group in project["optional-dependencies"].values() for each in group]
    return {Requirement(each).name for each in [*project["dependencies"], *optional]}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in files(folder)}


def imported(artefact: Path) -> dict[str, Any]:
    settings = {"IDEMPOTENCY_TABLE": "steps", "POWERTOOLS_SERVICE_NAME": "artefact"}
    aws = {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-I", "-S", "-c", IMPORT_EVERYTHING, str(artefact), ",".join(AWS_SERVICES)]
    done = subprocess.run(command, env={**settings, **aws}, cwd=os.sep, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def locked_runtime_dependencies() -> set[str]:
    packages = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    wanted: list[dict[str, Any]] = [{"name": "secret-rotation", "extra": DRIVERS}]
    found = set[str]()
    while wanted:
        dependency = wanted.pop()
        found.add(dependency["name"])
        package = packages[dependency["name"]]
        by_extra = [package["optional-dependencies"][extra] for extra in dependency.get("extra", [])]
        wanted += [other for group in (package.get("dependencies", []), *by_extra) for other in group if applies(other)]
    return found - {"secret-rotation"}


def applies(dependency: dict[str, Any]) -> bool:
    return "marker" not in dependency or Marker(dependency["marker"]).evaluate()


def name_of_distribution(folder: str) -> str:
    return folder.removesuffix(".dist-info").rpartition("-")[0].replace("_", "-").lower()
