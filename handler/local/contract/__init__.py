"""The contract that every engine keeps, as test classes to be inherited.

A test module of an engine, in this project or in your own, says which servers stand for it and inherits what applies::

    from local.contract import Logins, OneUser, Passwords, Setup, Strategies

    SETUPS = [Setup("acme", AcmeTarget)]

    class TestLogins(Logins): ...
    class TestPasswords(Passwords): ...
    class TestStrategies(Strategies): ...
    class TestOneUser(OneUser): ...

and its `conftest.py` takes over the fixtures with `from local.contract.fixtures import *`.
"""

from local.contract.alternating import Alternating, EqualRights, SharedOwnership
from local.contract.fixtures import Setup
from local.contract.issuing import Issuing
from local.contract.logins import Logins, Sessions
from local.contract.passwords import Locks, Passwords, Policies, Transactions
from local.contract.strategies import OneUser, Strategies, TwoPasswords
from local.contract.tls import Tls

__all__ = [
    "Alternating",
    "EqualRights",
    "Issuing",
    "Locks",
    "Logins",
    "OneUser",
    "Passwords",
    "Policies",
    "Sessions",
    "Setup",
    "SharedOwnership",
    "Strategies",
    "Tls",
    "Transactions",
    "TwoPasswords",
]
