"""Builds what is deployed: the locked run-time dependencies with a bill of them, the package `rotation`, and bytecode.

Same input, same bytes.

`sam build` comes here through `handler/Makefile`, the tests directly. Only the standard library and uv are used, because
`sam build` runs outside of the project's environment.

boto3 is bundled although the Lambda runtime has one: the runtime's changes without a deployment, cannot be tested
beforehand, and brings the data of 400 services, of which seven are called. The lock decides, for boto3 as for the rest.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from tempfile import TemporaryFile

from local.bill_of_materials import NAME, bill_of_materials

_ROOT = Path(__file__).resolve().parents[2]
_VERSION = "3.13"
# python3.13 runs on Amazon Linux 2023 (glibc 2.34); psycopg's wheels for arm64 are not made for anything older than 2.28.
_PLATFORMS: Mapping[str, str] = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
ARCHITECTURES = tuple(_PLATFORMS)
DRIVERS = ("ldap", "mongo", "mysql", "postgres", "redis")
"""The optional dependencies of the project that a build may bring."""
# Called by `rotation`; X-Ray's SDK creates its own client when it is imported.
AWS_SERVICES = frozenset({"secretsmanager", "dynamodb", "rds", "xray", "elasticache", "memorydb", "ds"})
# Endpoints have a name of their own for one of them.
ENDPOINTS = AWS_SERVICES - {"memorydb"} | {"memory-db"}

_NEVER_RUN_NAMES = frozenset({"py.typed", "RECORD", "INSTALLER", "REQUESTED", "WHEEL", "top_level.txt", "zip-safe", ".lock"})
_NEVER_RUN_SUFFIXES = frozenset({".pyi", ".pyx", ".pxd", ".c", ".h", ".rst", ".js", ".css", ".html"})
_NEVER_RUN_FOLDERS = frozenset({"tests", "test", "bin", "examples"})
# A zip stores times with two seconds' resolution and no zone, from 1980 on; any fixed time well after that does.
_MODIFIED = 1_577_836_800


class BuildError(Exception):
    """The artefact cannot be built; the message says what to change."""


def build(architecture: str, destination: Path, drivers: Sequence[str] = DRIVERS) -> None:
    """Fill an empty or new folder with everything that Lambda unpacks to `/var/task`.

    Args:
        architecture: One of `ARCHITECTURES`.
        destination: The folder.
        drivers: Those of `DRIVERS` to bring.

    Raises:
        BuildError: if the interpreter or the folder does not fit, or a tool fails.
    """
    if (sys.implementation.name, f"{sys.version_info.major}.{sys.version_info.minor}") != ("cpython", _VERSION):
        raise BuildError(
            f"bytecode for the Lambda runtime needs CPython {_VERSION}: uv run --no-project --python {_VERSION} ..."
        )
    destination.mkdir(parents=True, exist_ok=True)
    if any(destination.iterdir()):
        raise BuildError(f"{destination} is not empty: name a new folder")
    _install_dependencies(architecture, destination, drivers)
    listed = _export(drivers, "--format=cyclonedx1.5", "--preview-features=sbom-export")
    (destination / NAME).write_text(bill_of_materials(listed, destination))
    shutil.copytree(_ROOT / "handler" / "rotation", destination / "rotation", ignore=shutil.ignore_patterns("__pycache__"))
    _remove_what_never_runs(destination)
    _shorten_endpoints(destination / "botocore" / "data" / "endpoints.json")
    _compile(destination)
    _normalise(destination)


def files(artefact: Path) -> Iterator[Path]:
    """All files, in a stable order."""
    return (path for path in sorted(artefact.rglob("*")) if path.is_file())


def unpacked_bytes(artefact: Path) -> int:
    """What counts against Lambda's limit of 250 MB."""
    return sum(path.stat().st_size for path in files(artefact))


def zipped_bytes(artefact: Path) -> int:
    """What is uploaded, and fetched at a cold start."""
    with TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files(artefact):
                archive.write(path, path.relative_to(artefact))
        return target.tell()


def _export(drivers: Sequence[str], *form: str) -> str:
    """The locked run-time dependencies in one of uv's forms."""
    extras = [f"--extra={driver}" for driver in drivers]
    return _run([*_find_uv(), "export", "--quiet", "--frozen", "--no-default-groups", *extras, *form])


def _install_dependencies(architecture: str, destination: Path, drivers: Sequence[str]) -> None:
    requirements = _export(drivers, "--no-emit-project", "--no-annotate", "--no-header")
    exactly = ["--requirements=-", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    runtime = [f"--python-version={_VERSION}", f"--python-platform={_PLATFORMS[architecture]}", f"--python={sys.executable}"]
    # Copies, because the changes below would reach uv's cache through the hard links that it makes otherwise.
    target = [f"--target={destination}", "--link-mode=copy"]
    _run([*_find_uv(), "pip", "install", "--quiet", *exactly, *runtime, *target], requirements)


def _find_uv() -> Sequence[str]:
    # uv tells those it starts where it is. Without that, try: a version manager's shim may be there and not work.
    for candidate in ([os.environ.get("UV", "uv")], ["uv"], [sys.executable, "-m", "uv"], ["python3", "-m", "uv"]):
        try:
            _run([*candidate, "--version"])
        except BuildError:
            continue
        return candidate
    raise BuildError("uv is missing: python3 -m pip install uv")


def _run(command: Sequence[str], standard_input: str = "", environment: Mapping[str, str] | None = None) -> str:
    try:
        return subprocess.run(  # noqa: S603 - the commands are written out in this file
            command, cwd=_ROOT, input=standard_input, env=environment, capture_output=True, text=True, check=True
        ).stdout
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is missing") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command)}\n{error.stdout}{error.stderr}") from error


def _remove_what_never_runs(artefact: Path) -> None:
    for path in list(files(artefact)):
        if _never_runs(path.relative_to(artefact)):
            path.unlink()
    for folder in sorted((path for path in artefact.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _never_runs(path: PurePath) -> bool:
    """Licences and METADATA stay: the ones are owed, the other is read at run time."""
    if path.name in _NEVER_RUN_NAMES or path.suffix in _NEVER_RUN_SUFFIXES or not _NEVER_RUN_FOLDERS.isdisjoint(path.parts):
        return True
    match path.parts:
        case ["botocore", "data", service, _, *_]:
            return service not in AWS_SERVICES or path.name.startswith("examples-")
        case ["boto3", "data", *_]:
            return True  # of boto3's resources, which are not used
        case _:
            return False


def _shorten_endpoints(endpoints: Path) -> None:
    """Keep the called services only: reading 1.2 MB of JSON costs every cold start 16 ms (at a full core)."""
    content = json.loads(endpoints.read_text())
    for partition in content["partitions"]:
        partition["services"] = {name: value for name, value in partition["services"].items() if name in ENDPOINTS}
    endpoints.write_text(json.dumps(content, separators=(",", ":")))


def _compile(artefact: Path) -> None:
    """Without bytecode in the artefact, a read-only file system compiles everything again at each cold start.

    The default, timestamps, would count as stale there: a zip keeps even seconds only. Unchecked hashes are never
    compared. One process with a fixed hash seed and order, because marshalled bytes depend on all three; and the
    paths as in Lambda, so that tracebacks name the files there.
    """
    how = ["-q", "-o", "0", "--invalidation-mode", "unchecked-hash", "-s", str(artefact), "-p", "/var/task"]
    _run([sys.executable, "-m", "compileall", *how, str(artefact)], environment={"PYTHONHASHSEED": "0"})


def _normalise(artefact: Path) -> None:
    for path in (artefact, *artefact.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (_MODIFIED, _MODIFIED))


def _drivers(text: str) -> Sequence[str]:
    if text == "all":
        return DRIVERS
    chosen = tuple(filter(None, text.split(",")))
    if unknown := sorted(set(chosen) - set(DRIVERS)):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: none of {', '.join(DRIVERS)}, and not all")
    return chosen


def main() -> None:
    """The command line that `handler/Makefile` calls."""
    parser = argparse.ArgumentParser(description="Builds the deployed artefact.")
    parser.add_argument("--architecture", choices=ARCHITECTURES, required=True)
    parser.add_argument("--destination", type=Path, required=True, help="an empty or new folder")
    parser.add_argument(
        "--drivers", type=_drivers, default=DRIVERS, help=f"which to bring, of {', '.join(DRIVERS)}, by default all"
    )
    arguments = parser.parse_args()
    try:
        build(arguments.architecture, arguments.destination.resolve(), arguments.drivers)
    except BuildError as error:
        sys.exit(str(error))
    unpacked, zipped = (size(arguments.destination) / 1e6 for size in (unpacked_bytes, zipped_bytes))
    sys.stdout.write(f"{arguments.architecture}: {unpacked:.1f} MB unpacked, {zipped:.1f} MB zipped\n")


if __name__ == "__main__":
    main()
