"""The two functions under measurement as Lambda would unpack them: read-only folders with the same bundled libraries."""

import platform
import py_compile
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.build_artefact import build

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
_BASELINE = Path(__file__).parent / "baseline" / "bare_rotation.py"
_RUNTIME_ALONE = "def lambda_handler(event, context): pass\n"
_WRITE_BITS = 0o222


@dataclass(frozen=True)
class Deployment:
    """A folder with a function's code, and the handler in it."""

    name: str
    folder: Path
    handler: str

    def content(self) -> dict[str, tuple[int, int]]:
        """Size and time of change (nanoseconds) of everything in the folder, to see whether something was written."""
        states = {str(path.relative_to(self.folder)): path.stat() for path in self.folder.rglob("*")}
        return {name: (state.st_size, state.st_mtime_ns) for name, state in states.items()}


@dataclass(frozen=True)
class Deployments:
    """What is compared, and the runtime with an empty handler as the floor of every cold start."""

    product: Deployment
    baseline: Deployment
    runtime_alone: Deployment


@contextmanager
def deployments() -> Iterator[Deployments]:
    """Build the artefact and the baseline's counterpart of it; afterwards, insist that neither was written to.

    Taking away the right to write does not bind root, so Python is left free to write bytecode (see contestants.py) and the
    folders are compared: had a module come without valid bytecode, it would be there now.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        product = Deployment("product", folder / "product", "rotation.app.lambda_handler")
        build(ARCHITECTURE, product.folder)
        baseline = Deployment("baseline", folder / "baseline", "bare_rotation.lambda_handler")
        shutil.copytree(product.folder, baseline.folder, ignore=shutil.ignore_patterns("rotation"))
        _add_module(baseline.folder, "bare_rotation", _BASELINE.read_text())
        runtime_alone = Deployment("runtime", folder / "runtime", "empty.lambda_handler")
        runtime_alone.folder.mkdir()
        _add_module(runtime_alone.folder, "empty", _RUNTIME_ALONE)
        everything = (product, baseline, runtime_alone)
        for deployment in everything:
            _change_mode(deployment.folder, writable=False)
        before = [deployment.content() for deployment in everything]
        try:
            yield Deployments(product, baseline, runtime_alone)
            if before != [deployment.content() for deployment in everything]:
                raise AssertionError("a function wrote to its folder: the figures include work that Lambda would repeat")
        finally:
            for deployment in everything:
                _change_mode(deployment.folder, writable=True)


def _add_module(folder: Path, name: str, source: str) -> None:
    path = folder / f"{name}.py"
    path.write_text(source)
    py_compile.compile(str(path), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def _change_mode(folder: Path, *, writable: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if writable else mode & ~_WRITE_BITS)
