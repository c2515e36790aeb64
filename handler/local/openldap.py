"""A real OpenLDAP with one database and a password policy, for as long as a `with` block lasts.

It logs all of its own reasoning; dumps of packets are left out, because RFC 3062 has the password in them.
"""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from local.server_process import ServerProcess, TlsFiles, program

_MODULES, _SCHEMA = "/usr/lib/ldap", "/etc/ldap/schema"
"""Where Debian has them."""
_LOGGED = "stats,stats2,config,trace,acl,filter,args,conns,sync"
_CONFIGURATION = """
modulepath {modules}
moduleload back_mdb
moduleload ppolicy
include {schema}/core.schema
include {schema}/cosine.schema
{tls}
database mdb
suffix "{suffix}"
rootdn "{superuser}"
rootpw {superuser_hash}
directory {folder}/data
maxsize 16777216
dbnosync
access to attrs=userPassword by self =xw by anonymous auth by * none
access to * by * read
overlay ppolicy
ppolicy_default "cn=policy,{suffix}"
ppolicy_use_lockout
"""
_TLS = """
TLSCACertificateFile {authority}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {private_key}
"""
_TREE = """
dn: {suffix}
objectClass: organization
objectClass: dcObject
o: Example
dc: example

dn: ou=people,{suffix}
objectClass: organizationalUnit
ou: people

dn: cn=policy,{suffix}
objectClass: organizationalRole
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdCheckQuality: 2
pwdLockout: TRUE
"""


class OpenLdapServer(ServerProcess):
    """slapd, on the given certificate or in plaintext."""

    title = "OpenLDAP"
    ready = "daemon: epoll: listen="
    suffix = "dc=example,dc=test"
    superuser = f"uid=superuser,ou=people,{suffix}"

    def __init__(self, *, tls: TlsFiles | None = None) -> None:
        super().__init__()
        self.superuser_password = secrets.token_urlsafe(24)
        self._tls = tls
        install = "apt-get install -y --no-install-recommends slapd"
        self._slapd = program("slapd", install=install)
        self._slapadd = program("slapadd", install=install)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'ldaps' if self._tls else 'ldap'}://{self.host}:{self.port}/"

    def _initialise(self) -> None:
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        self._account.own(data)
        self._configuration.write_text(
            _CONFIGURATION.format(
                modules=_MODULES,
                schema=_SCHEMA,
                tls=self._tls_settings(),
                suffix=self.suffix,
                superuser=self.superuser,
                superuser_hash=_hashed(self.superuser_password),
                folder=self._folder,
            )
        )
        self._run([str(self._slapadd), "-f", str(self._configuration)], _TREE.format(suffix=self.suffix))

    @property
    def _configuration(self) -> Path:
        return self._folder / "slapd.conf"

    def _tls_settings(self) -> str:
        if self._tls is None:
            return ""
        return _TLS.format(
            authority=self._copy(self._tls.authority, "authority.pem"),
            certificate=self._copy(self._tls.certificate, "server.crt"),
            private_key=self._copy(self._tls.private_key, "server.key"),
        )

    def _command(self) -> Sequence[str]:
        return [str(self._slapd), "-d", _LOGGED, "-f", str(self._configuration), "-h", self.url]


def _hashed(password: str) -> str:
    """As RFC 2307 stores it, salted: the configuration holds no password."""
    salt = secrets.token_bytes(8)
    return "{SSHA}" + b64encode(hashlib.sha1(password.encode() + salt, usedforsecurity=False).digest() + salt).decode()
