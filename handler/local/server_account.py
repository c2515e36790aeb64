"""The account that a PostgreSQL server runs under, and the files it must be able to reach.

PostgreSQL refuses to run as root. As root the servers therefore run as `nobody`, who may not be able to enter the
folder that holds the binaries (a clone below /root): then they are copied. Nothing is opened to others instead.
"""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ServerAccount:
    """Who runs a server: the caller's own account, or `nobody` when the caller is root."""

    uid: int
    gid: int
    is_switched: bool

    @classmethod
    def choose(cls) -> "ServerAccount":
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), is_switched=False)
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid, is_switched=True)

    @property
    def process_options(self) -> dict[str, Any]:
        """Keyword arguments with which `subprocess` starts a process under this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_switched else {}

    def own(self, path: Path) -> None:
        if self.is_switched:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Tell whether every folder down to `folder` lets this account pass."""
        if not self.is_switched:
            return True
        folders = [folder.resolve(), *folder.resolve().parents]
        return all(path.stat().st_mode & stat.S_IXOTH or path.stat().st_uid == self.uid for path in folders)

    def reachable_binaries(self, bin_dir: Path, spare_folder: Path) -> Path:
        """Return `bin_dir`, or the same folder of a copy of its installation below `spare_folder`."""
        if self.can_enter(bin_dir):
            return bin_dir
        installation = bin_dir.parent
        package = installation.parent
        copy = spare_folder / package.name / installation.name
        for name in ("bin", "lib", "share"):
            shutil.copytree(installation / name, copy / name, symlinks=True)
        # A wheel keeps the libraries of its programs beside the package, and the programs look for them there.
        wheel_libraries = package.with_name(f"{package.name}.libs")
        if wheel_libraries.is_dir():
            shutil.copytree(wheel_libraries, spare_folder / wheel_libraries.name)
        return copy / "bin"
