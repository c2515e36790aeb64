"""A STUB in the place of MySQL 8, which cannot be had for these tests: it is no MySQL, and what it does is what was read.

It speaks enough of the protocol for a driver to log in by `mysql_native_password` and `caching_sha2_password`, holds a
primary and a secondary password an account, and understands the statements about accounts that the engine sends, and no
others.

Sources: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html,
https://dev.mysql.com/doc/refman/8.4/en/alter-user.html, https://dev.mysql.com/doc/refman/8.4/en/password-management.html,
https://dev.mysql.com/doc/refman/8.4/en/password-logging.html (what of a statement is logged), and for REPLACE, which is held
against the primary password alone, the server's `validate_password_require_current`.
"""

import hashlib
import re
import secrets
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self

import pymysql

from local.server_process import TlsFiles, free_port
from rotation.engines.mysql_verifiers import CACHING_SHA2, NATIVE, is_verifier_of, verifier
from rotation.errors import RoleLockedError, RotationError
from rotation.models import SecretDocument

_TEXT = r"'((?:[^'\\]|\\.)*)'"
_ACCOUNT = rf"(?:{_TEXT}@{_TEXT}|USER\(\))"
_CAPABILITIES = 0x000FA20D | 0x00200000
_SSL, _PLUGIN_DATA = 0x800, 20
Rows = list[tuple[str | None, ...]]


class RefusedError(Exception):
    """An error packet."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class StubAccount:
    """What the stub stores of one.

    Attributes:
        may_have_two: Whether it has APPLICATION_PASSWORD_ADMIN.
        known: The digests of passwords that were seen in full, as `caching_sha2_password` keeps them.
        history: What was stored of all its passwords.
    """

    plugin: str
    primary: str
    secondary: str = ""
    is_superuser: bool = False
    may_have_two: bool = True
    is_locked: bool = False
    is_expired: bool = False
    grants: set[tuple[str, str]] = field(default_factory=set)
    known: set[bytes] = field(default_factory=set)
    history: list[str] = field(default_factory=list)

    def stored(self) -> list[str]:
        return [each for each in (self.primary, self.secondary) if each]

    def accepts(self, password: str) -> bool:
        return any(is_verifier_of(each, self.plugin, password) for each in self.stored())


class StubMySql8:
    """A stub of MySQL 8 as a target; see above.

    Attributes:
        history_length: How many passwords of the past cannot be set again.
        requires_current: Whether users have to give their current password with a new one.
        login_error: What every login is answered with.
        query_error: What every query is answered with; 0 asks for a file of the client's.
    """

    title = "STUB of MySQL 8"
    is_transactional: ClassVar[bool] = False
    barring: ClassVar[str] = "somebody locks the account"
    unbarring: ClassVar[str] = "the account is unlocked"
    barred_as: ClassVar[type[RotationError]] = RoleLockedError
    version = "8.4.0-stub"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(tls.certificate, tls.private_key)
        self._port = free_port("127.0.0.1")
        self._root_password = secrets.token_urlsafe(24)
        self._awake = threading.Event()
        self._awake.set()
        self._server: socketserver.ThreadingTCPServer | None = None
        self.plugin = CACHING_SHA2 if tls else NATIVE
        self.accounts: dict[tuple[str, str], StubAccount] = {}
        self.lines: list[str] = []
        self.history_length = 0
        self.requires_current = False
        self.login_error: int | None = None
        self.query_error: int | None = None

    def __enter__(self) -> Self:
        self.add("root", "%", self._root_password).is_superuser = True
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def keys(self) -> Mapping[str, Any]:
        return {"host": "127.0.0.1", "port": self._port, **({} if self._tls else {"ssl": False})}

    @property
    def superuser(self) -> tuple[str, str]:
        return "root", self._root_password

    def add(self, name: str, host: str, password: str, plugin: str | None = None) -> StubAccount:
        stored = verifier(plugin or self.plugin, password)
        assert stored is not None
        made = self.accounts[name, host] = StubAccount(plugin or self.plugin, stored, history=[stored])
        return made

    def create_user(self, name: str, password: str) -> None:
        self.add(name, "%", password).grants.add(("SELECT", f"`own_{secrets.token_hex(4)}`.*"))

    def users(self) -> set[str]:
        return {name for name, _ in self.accounts}

    def refusal(self, name: str, password: str) -> str | None:
        try:
            with self._connect(name, password):
                return None
        except pymysql.OperationalError as error:
            if error.args[0] != 1045:
                raise
            return "error 1045"

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        with (
            self._connect(secret.fields.username, secret.fields.password.get_secret_value()) as connection,
            connection.cursor() as cursor,
        ):
            yield lambda: cursor.execute("SELECT 1")

    def _connect(self, name: str, password: str) -> "pymysql.Connection[Any]":
        return pymysql.connect(
            host="127.0.0.1",
            port=self._port,
            user=name,
            password=password.encode(),
            charset="utf8mb4",
            connect_timeout=3,
            **({"ssl_ca": str(self._tls.authority)} if self._tls else {"ssl_disabled": True}),
        )

    def bar(self, name: str) -> None:
        self.accounts[name, "%"].is_locked = True

    def unbar(self, name: str) -> None:
        self.accounts[name, "%"].is_locked = False

    def log(self) -> str:
        return "\n".join(self.lines)

    def start(self) -> None:
        stub = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with closing(Conversation(stub, self.request, stub._awake)) as conversation, suppress(OSError, EOFError):
                    conversation.hold(stub._context)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def freeze(self) -> None:
        self._awake.clear()

    def thaw(self) -> None:
        self._awake.set()

    def account_of(self, user: str) -> StubAccount:
        """The account that a login from this machine falls to: the most specific host comes first."""
        for host in ("127.0.0.1", "localhost", "%"):
            if (user, host) in self.accounts:
                return self.accounts[user, host]
        raise RefusedError(1045)

    def execute(self, statement: str, me: StubAccount) -> Rows:
        """Do what a statement says, as one session."""
        if self.query_error and statement.startswith("SELECT"):
            raise RefusedError(self.query_error)
        self.lines.append(re.sub(rf"(BY|REPLACE) {_TEXT}", r"\1 <secret>", statement))
        for pattern, act in _STATEMENTS.items():
            if found := re.fullmatch(pattern, statement.strip(), re.DOTALL):
                if me.is_expired and "USER()" not in statement and not statement.startswith("SET "):
                    raise RefusedError(1820)
                return act(self, me, [None if part is None else _unescaped(part) for part in found.groups()])
        raise RefusedError(1064)

    def named(self, me: StubAccount, user: str | None, host: str | None) -> StubAccount:
        """The account that a statement names, or the session's own; only a superuser may name others."""
        if user is None:
            return me
        if not me.is_superuser:
            raise RefusedError(1227)
        if (found := self.accounts.get((user, host or ""))) is None:
            raise RefusedError(1396)
        return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "0": "\0"}.get(found[1], found[1]), text)


def _nothing(_stub: StubMySql8, _me: StubAccount, _parts: list[str | None]) -> Rows:
    return []


def _identify_by(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    user, host, new, current, retain = parts
    account, new = stub.named(me, user, host), new or ""
    if retain and account is me and not me.may_have_two and not me.is_superuser:
        raise RefusedError(1227)
    if current is not None and not is_verifier_of(account.primary, account.plugin, current):
        raise RefusedError(3891)
    if current is None and account is me and stub.requires_current and not me.is_superuser:
        raise RefusedError(3892)
    if any(
        is_verifier_of(each, account.plugin, new) for each in account.history[-stub.history_length or len(account.history) :]
    ):
        raise RefusedError(3638)
    if retain:
        account.secondary = account.primary
    stored = verifier(account.plugin, new)
    assert stored is not None
    _store(account, stored)
    return []


def _identify_as(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    user, host, plugin, stored = parts
    account = stub.named(me, user, host)
    if plugin != account.plugin:
        account.plugin, account.secondary = plugin or "", ""
    _store(account, stored or "")
    return []


def _store(account: StubAccount, stored: str) -> None:
    account.primary, account.is_expired = stored, False
    account.history.append(stored)
    account.known.clear()


def _discard(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    account = stub.named(me, parts[0], parts[1])
    if account is me and not (me.may_have_two or me.is_superuser):
        raise RefusedError(1227)
    account.secondary = ""
    account.known.clear()
    return []


def _create(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    user, host, plugin, stored = (part or "" for part in parts)
    if not me.is_superuser:
        raise RefusedError(1227)
    if (user, host) in stub.accounts:
        raise RefusedError(1396)
    stub.accounts[user, host] = StubAccount(plugin, stored, is_expired=True, history=[stored])
    return []


def _look_up(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    if not me.is_superuser:
        raise RefusedError(1142)
    return [
        (host, each.plugin, each.primary, each.secondary or None, "Y" if each.is_expired else "N")
        for (user, host), each in sorted(stub.accounts.items())
        if user == parts[0]
    ]


def _show_grants(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    grants = stub.named(me, *parts).grants
    to = f"TO `{parts[0]}`@`{parts[1]}`"
    return [(f"GRANT USAGE ON *.* {to}",), *((f"GRANT {what} ON {scope} {to}",) for what, scope in sorted(grants))]


def _show_create(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    account = stub.named(me, *parts)
    expired = "PASSWORD EXPIRE" if account.is_expired else "PASSWORD EXPIRE DEFAULT"
    line = (
        f"CREATE USER `{parts[0]}`@`{parts[1]}` IDENTIFIED WITH '{account.plugin}' AS '{account.primary}' REQUIRE NONE "
        f"{expired} ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT"
    )
    return [(line,)]


def _grant(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    what, scope, *name = parts
    stub.named(me, *name).grants.add((what or "", scope or ""))
    return []


def _revoke(stub: StubMySql8, me: StubAccount, parts: list[str | None]) -> Rows:
    what, scope, *name = parts
    stub.named(me, *name).grants.discard((what or "", scope or ""))
    return []


_STATEMENTS: dict[str, Callable[[StubMySql8, StubAccount, list[str | None]], Rows]] = {
    r"SET .*": _nothing,
    r"SELECT 1": lambda *_: [("1",)],
    r"SELECT VERSION\(\)": lambda stub, *_: [(stub.version,)],
    rf"SELECT Host, plugin, .* FROM mysql\.user WHERE User = {_TEXT} ORDER BY Host": _look_up,
    rf"ALTER USER {_ACCOUNT} IDENTIFIED BY {_TEXT}(?: REPLACE {_TEXT})?( RETAIN CURRENT PASSWORD)?\s*": _identify_by,
    rf"ALTER USER {_ACCOUNT} IDENTIFIED WITH {_TEXT} AS {_TEXT}": _identify_as,
    rf"SELECT .* FROM information_schema\.ROUTINES WHERE DEFINER = {_TEXT}": _nothing,
    rf"ALTER USER {_ACCOUNT} DISCARD OLD PASSWORD": _discard,
    rf"CREATE USER {_ACCOUNT} IDENTIFIED WITH {_TEXT} AS {_TEXT} PASSWORD EXPIRE": _create,
    rf"SHOW GRANTS FOR {_ACCOUNT}": _show_grants,
    rf"SHOW CREATE USER {_ACCOUNT}": _show_create,
    rf"GRANT (.*) ON (\S+) TO {_ACCOUNT}": _grant,
    rf"REVOKE (.*) ON (\S+) FROM {_ACCOUNT}": _revoke,
}


class Conversation:
    """One connection."""

    def __init__(self, stub: StubMySql8, connection: Any, awake: threading.Event) -> None:
        self._stub = stub
        self._connection = connection
        self._awake = awake
        self._number = 0

    def hold(self, context: ssl.SSLContext | None) -> None:
        try:
            me = self._authenticate(context)
            self._ok()
        except RefusedError as refused:
            self._error(refused)
            return
        while True:
            self._number = 0
            command = self._receive()
            if command[:1] != b"\x03":  # all but a query ends the conversation
                return
            if self._stub.query_error == 0 and command[1:].startswith(b"SELECT"):
                self._send(b"\xfb/etc/hostname")
                self._receive()
                continue
            try:
                rows = self._stub.execute(command[1:].decode(), me)
            except RefusedError as refused:
                self._error(refused)
                continue
            self._rows(rows) if rows or command[1:].lstrip().startswith((b"SELECT", b"SHOW")) else self._ok()

    def close(self) -> None:
        self._connection.close()

    def _authenticate(self, context: ssl.SSLContext | None) -> StubAccount:
        if self._stub.login_error:
            raise RefusedError(self._stub.login_error)
        salt = bytes(secrets.choice(range(1, 128)) for _ in range(_PLUGIN_DATA))
        capabilities = _CAPABILITIES | (_SSL if context else 0)
        plugin = self._stub.plugin
        self._send(
            b"\x0a" + self._stub.version.encode() + b"\0" + struct.pack("<I", 1) + salt[:8] + b"\0"
            + struct.pack("<HBHHB", capabilities & 0xFFFF, 45, 2, capabilities >> 16, _PLUGIN_DATA + 1)
            + bytes(10) + salt[8:] + b"\0" + plugin.encode() + b"\0"
        )  # fmt: skip
        answer = self._receive()
        if context and len(answer) == 32:
            self._connection = context.wrap_socket(self._connection, server_side=True)
            answer = self._receive()
        user, _, rest = answer[32:].partition(b"\0")
        response = rest[1 : 1 + rest[0]]
        account = self._stub.account_of(user.decode())
        if account.plugin != plugin:
            salt = bytes(secrets.choice(range(1, 128)) for _ in range(_PLUGIN_DATA))
            self._send(b"\xfe" + account.plugin.encode() + b"\0" + salt + b"\0")
            response = self._receive()
        if not self._is_right(account, salt, response):
            raise RefusedError(1045)
        if account.is_locked:
            raise RefusedError(3118)
        return account

    def _is_right(self, account: StubAccount, salt: bytes, response: bytes) -> bool:
        if account.plugin == NATIVE:
            return any(_native_fits(bytes.fromhex(each[1:]), salt, response) for each in account.stored())
        if account.plugin == "sha256_password":  # where asked for its public key, it sends something
            self._send(b"\x01-----BEGIN PUBLIC KEY-----")
            self._receive()
        if account.plugin != CACHING_SHA2:
            return False
        if any(_sha2_fits(digest, salt, response) for digest in account.known):
            self._send(b"\x01\x03")
            return True
        self._send(b"\x01\x04")
        password = self._receive().rstrip(b"\0")
        if not account.accepts(password.decode()):
            return False
        account.known.add(hashlib.sha256(hashlib.sha256(password).digest()).digest())
        return True

    def _receive(self) -> bytes:
        header = self._exactly(4)
        self._number = header[3] + 1
        return self._exactly(int.from_bytes(header[:3], "little"))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if not (chunk := self._connection.recv(count - len(data))):
                raise EOFError
            data += chunk
        return data

    def _send(self, payload: bytes) -> None:
        self._awake.wait()
        self._connection.sendall(len(payload).to_bytes(3, "little") + bytes([self._number % 256]) + payload)
        self._number += 1

    def _ok(self) -> None:
        self._send(b"\0\0\0" + struct.pack("<HH", 2, 0))

    def _error(self, refused: RefusedError) -> None:
        self._send(b"\xff" + struct.pack("<H", refused.number) + b"#HY000stub")

    def _rows(self, rows: Rows) -> None:
        columns = len(rows[0]) if rows else 1
        end = b"\xfe" + struct.pack("<HH", 0, 2)
        self._send(bytes([columns]))
        for _ in range(columns):
            self._send(b"\x03def\0\0\0\x01c\x01c\x0c" + struct.pack("<HIBHB", 45, 1024, 0xFD, 0, 0) + b"\0\0")
        self._send(end)
        for row in rows:
            self._send(b"".join(_lenenc(value) for value in row))
        self._send(end)


def _native_fits(stored: bytes, salt: bytes, response: bytes) -> bool:
    mask = hashlib.sha1(salt + stored).digest()
    return len(response) == len(mask) and hashlib.sha1(_xor(response, mask)).digest() == stored


def _sha2_fits(digest: bytes, salt: bytes, response: bytes) -> bool:
    mask = hashlib.sha256(digest + salt).digest()
    return len(response) == len(mask) and hashlib.sha256(hashlib.sha256(_xor(response, mask)).digest()).digest() == digest


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _lenenc(value: str | None) -> bytes:
    if value is None:
        return b"\xfb"
    data = value.encode()
    return (bytes([len(data)]) if len(data) < 251 else b"\xfc" + struct.pack("<H", len(data))) + data
