"""What MySQL and MariaDB store of a password, held against values that others have published."""

import pytest

from rotation.engines.mysql_verifiers import CACHING_SHA2, NATIVE, is_verifier_of, native_hash, sha256_crypt, verifier

HARD_PASSWORDS = ("x", "ü-пароль-密码-🔑", "a" * 31, "a" * 32, "a" * 33, "a" * 255)


def test_the_native_hash_is_that_of_the_manual() -> None:
    # https://dev.mysql.com/doc/refman/5.7/en/password-hashing.html
    assert native_hash("mypass") == "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4"


def test_the_sha2_digest_is_that_of_the_published_example() -> None:
    # Mode 7401 of https://hashcat.net/wiki/doku.php?id=example_hashes
    salt = bytes.fromhex("F9CC98CE08892924F50A213B6BC571A2C11778C5")
    assert sha256_crypt(b"hashcat", salt) == "bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/"


@pytest.mark.parametrize(
    ("key", "salt", "rounds", "digest"),
    [
        (b"Hello world!", b"saltstring", 5000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        (b"Hello world!", b"saltstringsaltst", 10000, "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
        (b"This is just a test", b"toolongsaltstrin", 5000, "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5"),
    ],
)
def test_the_digest_is_that_of_the_specification(key: bytes, salt: bytes, rounds: int, digest: str) -> None:
    # https://www.akkadia.org/drepper/SHA-crypt.txt
    assert sha256_crypt(key, salt, rounds) == digest


@pytest.mark.parametrize("plugin", [NATIVE, CACHING_SHA2])
@pytest.mark.parametrize("password", HARD_PASSWORDS)
def test_a_verifier_is_known_as_its_passwords(plugin: str, password: str) -> None:
    stored = verifier(plugin, password)
    assert stored is not None
    assert is_verifier_of(stored, plugin, password)
    assert not is_verifier_of(stored, plugin, password + "x")


def test_a_sha2_verifier_is_salted_printable_and_as_long_as_the_servers() -> None:
    one, other = (verifier(CACHING_SHA2, "secret") or "" for _ in range(2))
    assert one != other
    assert one.startswith("$A$005$")
    assert len(one) == 70
    assert one.isascii()
    assert one.isprintable()


@pytest.mark.parametrize("plugin", ["unix_socket", "ed25519", "auth_pam", ""])
def test_other_plugins_have_none(plugin: str) -> None:
    assert verifier(plugin, "secret") is None
    assert not is_verifier_of("secret", plugin, "secret")


@pytest.mark.parametrize("stored", ["", "<secret>", "$5$salt$digest"])
def test_what_is_no_verifier_is_nobodys(stored: str) -> None:
    assert not is_verifier_of(stored, CACHING_SHA2, "secret")
