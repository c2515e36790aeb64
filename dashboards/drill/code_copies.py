"""Copies of the deployed code with a defect in them: what a bad deployment brings."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory


def sound_code() -> Path:
    """The folder that holds the package `rotation`.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    package = find_spec("rotation")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the package rotation is not installed")
    return Path(package.origin).parents[1]


@contextmanager
def copy_with(module: str, addition: str) -> Iterator[Path]:
    """A copy in which lines are added at the end of one module, such as `steps`."""
    with TemporaryDirectory(prefix="deployed-") as folder:
        shutil.copytree(sound_code() / "rotation", Path(folder) / "rotation")
        changed = Path(folder) / "rotation" / f"{module}.py"
        changed.write_text(f"{changed.read_text(encoding='utf-8')}\n{addition}\n", encoding="utf-8")
        yield Path(folder)
