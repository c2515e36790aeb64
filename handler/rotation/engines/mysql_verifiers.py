"""What MySQL and MariaDB store of a password, made here so that the server need not hear the password itself.

`mysql_native_password` stores SHA1(SHA1(password)). `caching_sha2_password` stores the SHA-256 of Drepper's crypt(3) scheme
with 5,000 rounds and, unlike any crypt library, a salt of 20 characters.

Sources: https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html,
https://www.akkadia.org/drepper/SHA-crypt.txt
"""

import hashlib
import hmac
import secrets
import string

NATIVE, CACHING_SHA2 = "mysql_native_password", "caching_sha2_password"

_ALPHABET = "./" + string.digits + string.ascii_uppercase + string.ascii_lowercase
_SALT_LENGTH = 20
_SALT_BEGINS = len("$A$005$")
_SALT_ENDS = _SALT_BEGINS + _SALT_LENGTH
_ROUNDS_UNIT = 1000
_DIGEST_LENGTH = 32
_ORDER = (
    *(0, 10, 20, 21, 1, 11, 12, 22, 2, 3, 13, 23, 24, 4, 14, 15, 25, 5),
    *(6, 16, 26, 27, 7, 17, 18, 28, 8, 9, 19, 29),
)
"""In which order the digest's first thirty bytes are written, three at a time."""


def verifier(plugin: str, password: str) -> str | None:
    """What an authentication plugin would store of a new password; None for plugins that are not known."""
    if plugin == NATIVE:
        return native_hash(password)
    if plugin == CACHING_SHA2:
        return _caching_sha2_hash(password, "".join(secrets.choice(_ALPHABET) for _ in range(_SALT_LENGTH)))
    return None


def is_verifier_of(stored: str, plugin: str, password: str) -> bool:
    """Whether a server that stored this accepts the password."""
    if plugin == NATIVE:
        made = native_hash(password)
    elif plugin == CACHING_SHA2 and stored.startswith("$A$"):
        made = _caching_sha2_hash(password, stored[_SALT_BEGINS:_SALT_ENDS], int(stored[3:6], 16))
    else:
        return False
    return hmac.compare_digest(made.encode(), stored.encode())


def native_hash(password: str) -> str:
    """As the SQL function PASSWORD() of MariaDB makes it."""
    # The server's choice of algorithm, not this function's.
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def _caching_sha2_hash(password: str, salt: str, thousands: int = 5) -> str:
    return f"$A${thousands:03X}${salt}{sha256_crypt(password.encode(), salt.encode(), thousands * _ROUNDS_UNIT)}"


def sha256_crypt(key: bytes, salt: bytes, rounds: int = 5 * _ROUNDS_UNIT) -> str:
    """Only the digest, as it is written."""
    digest = _mixed(key, salt)
    by_key = _stretched(hashlib.sha256(key * len(key)).digest(), len(key))
    by_salt = _stretched(hashlib.sha256(salt * (16 + digest[0])).digest(), len(salt))
    for turn in range(rounds):
        parts = by_key if turn % 2 else digest
        parts += by_salt if turn % 3 else b""
        parts += by_key if turn % 7 else b""
        digest = hashlib.sha256(parts + (digest if turn % 2 else by_key)).digest()
    return _written(digest)


def _mixed(key: bytes, salt: bytes) -> bytes:
    """The digest that the rounds begin with."""
    other = hashlib.sha256(key + salt + key).digest()
    mixed = key + salt + _stretched(other, len(key))
    length = len(key)
    while length:
        mixed += other if length & 1 else key
        length >>= 1
    return hashlib.sha256(mixed).digest()


def _stretched(digest: bytes, length: int) -> bytes:
    """The digest again and again, up to a length."""
    return (digest * (length // _DIGEST_LENGTH + 1))[:length]


def _written(digest: bytes) -> str:
    """In crypt(3)'s own kind of base 64."""
    triples = zip(_ORDER[::3], _ORDER[1::3], _ORDER[2::3], strict=True)
    groups = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in triples]
    groups.append((digest[31] << 8 | digest[30], 3))
    return "".join(_ALPHABET[value >> 6 * place & 63] for value, length in groups for place in range(length))
