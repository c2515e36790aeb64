"""A real domain controller of an Active Directory, Samba's, for as long as a `with` block lasts.

Its ports are fixed and below 1024: it takes root, and gets a loopback address of its own, so that several processes can have
one each. To make a domain takes about ten seconds of a processor.
"""

import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path

from local.server_account import ServerAccount
from local.server_process import ServerError, ServerProcess, TlsFiles, program

_PORTS = {"ldap": 389, "ldaps": 636, "ldap of the global catalogue": 3268, "ldaps of the global catalogue": 3269}
_INSTALL = "apt-get install -y --no-install-recommends samba samba-ad-provision samba-dsdb-modules samba-vfs-modules"
_GENERATED = re.compile(r"Admin password:\s+(\S+)")
_LOGGED = "5 auth_audit:5 auth_json_audit:5 dsdb_audit:5 dsdb_json_audit:5 dsdb_password_audit:5 dsdb_password_json_audit:5"


class SambaServer(ServerProcess):
    """Samba as the first domain controller of the domain `example.test`, which speaks LDAP and nothing else."""

    title = "Samba"
    ready = "finished starting up and ready to serve connections"
    domain = "example.test"
    netbios_domain = "EXAMPLE"
    base = "DC=example,DC=test"
    superuser = "administrator"

    def __init__(self, *, tls: TlsFiles) -> None:
        """Plan a server; `options` are those of smb.conf, and take effect when it starts."""
        self.host = _own_address()
        super().__init__()
        self._account = ServerAccount(os.geteuid(), os.getegid(), is_switched=False)
        self.port = _PORTS["ldaps"]
        self.superuser_password = ""
        self.options = {"old password allowed period": "0"}
        self._tls = tls
        self._samba = program("samba", install=_INSTALL)
        self._tool = program("samba-tool", install=_INSTALL)

    def _initialise(self) -> None:
        for port in _PORTS.values():
            _check_free(self.host, port)
        self._configuration.parent.mkdir()
        self._configuration.touch()
        told = self._run(
            [
                *(str(self._tool), "domain", "provision", f"--configfile={self._configuration}"),
                *(f"--targetdir={self._folder}", f"--realm={self.domain.upper()}", f"--domain={self.netbios_domain}"),
                *("--server-role=dc", "--dns-backend=NONE", "--host-name=dc1", f"--host-ip={self.host}"),
                *(f"--option=interfaces={self.host}/8", "--option=bind interfaces only=yes"),
                *(
                    "--option=vfs objects=dfs_samba4 acl_xattr xattr_tdb",
                    f"--option=xattr_tdb:file={self._folder}/xattr.tdb",
                ),
            ]
        )
        # Not chosen here, because it would stand in the list of processes.
        generated = _GENERATED.search(told)
        if generated is None:
            raise ServerError("Samba has made a domain, but did not tell the administrator's password")
        self.superuser_password = generated[1]
        for name in ("certificate", "private_key", "authority"):
            self._copy(getattr(self._tls, name), f"{name}.pem")

    @property
    def _configuration(self) -> Path:
        """Where the provisioning puts it, and wants to find one."""
        return self._folder / "etc" / "smb.conf"

    def _command(self) -> Sequence[str]:
        folder = self._folder
        options = {
            "server services": "ldap",
            "log level": _LOGGED,
            "tls certfile": folder / "certificate.pem",
            "tls keyfile": folder / "private_key.pem",
            "tls cafile": folder / "authority.pem",
            "pid directory": folder,
            "ncalrpc dir": folder / "ncalrpc",
            "usershare path": "",
            **self.options,
        }
        given = [f"--option={name}={value}" for name, value in options.items()]
        return [str(self._samba), "-F", "-M", "single", "-s", str(self._configuration), "--debug-stdout", *given]


def _own_address() -> str:
    """A loopback address that no other process has."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16) % 128}.{pid >> 8 & 255}.{pid & 255}"


def _check_free(host: str, port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except PermissionError:
            raise ServerError(f"Samba listens on port {port} whatever it is told, and that takes root here") from None
        except OSError:
            raise ServerError(f"Samba listens on port {port} whatever it is told, and that is taken at {host}") from None
