"""MongoDB's engine keeps the contract on SecantusDB, a re-implementation: neither MongoDB nor DocumentDB was asked."""

from local.contract import Alternating, EqualRights, Logins, OneUser, Passwords, Sessions, Setup, Strategies, Tls
from local.contract.strategies import HARD_NAMES
from local.targets.mongo import MongoTarget
from rotation.errors import ConnectTimeoutError

WITH_TLS = Setup("mongo", MongoTarget, with_tls=True)
SETUPS = [Setup("mongo", MongoTarget), WITH_TLS]
# SecantusDB takes an escaped comma in a SCRAM message for part of the name; test_scram.py shows that it is escaped.
NAMES = {key: name for key, name in HARD_NAMES.items() if "," not in name}
# One class and one server under another name.
DOCUMENTDB = Setup("docdb", MongoTarget)


class TestLogins(Logins):
    setups = (*SETUPS, DOCUMENTDB)


class TestSessions(Sessions): ...


class TestPasswords(Passwords):
    # SCRAM's preparation of passwords knows the characters of Unicode 3.2, which MongoDB's own client holds to.
    hard_passwords = ("ü-пароль-密码-longer", "quote'double\"back\\slash;--", "%s %(x)s {} $1", " leading and trailing ")


class TestStrategies(Strategies):
    hard_names = NAMES


class TestOneUser(OneUser): ...


class TestAlternating(Alternating): ...


class TestEqualRights(EqualRights): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
    # SecantusDB takes the greeting for the beginning of a long message, of which it awaits the rest; MongoDB hangs up.
    without_tls = (ConnectTimeoutError,)
