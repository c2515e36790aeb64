"""Redshift's engine keeps the contract on PostgreSQL, which stands in for Redshift: nothing here was run on Redshift.

It shows the logins, the transactions and the statements that both understand, on a fake of Redshift's own catalogue. What
only Redshift understands is in tests/contract/redshift.
"""

from local.contract import (
    Alternating,
    EqualRights,
    Locks,
    Logins,
    OneUser,
    Passwords,
    Sessions,
    Setup,
    Strategies,
    Tls,
    Transactions,
)
from local.targets.redshift import RedshiftTarget

WITH_TLS = Setup("redshift", RedshiftTarget, with_tls=True)
SETUPS = [Setup("redshift", RedshiftTarget), WITH_TLS]


class TestLogins(Logins): ...


class TestSessions(Sessions): ...


class TestPasswords(Passwords): ...


class TestTransactions(Transactions): ...


class TestLocks(Locks): ...


class TestStrategies(Strategies):
    # PostgreSQL's names end after 63 bytes, Redshift's after 127.
    test_a_name_of_the_greatest_length_can_be_rotated = None  # type: ignore[assignment]


class TestOneUser(OneUser): ...


class TestAlternating(Alternating):
    test_the_clone_of_a_long_name_is_unique_and_leads_back = None  # type: ignore[assignment]
    test_long_names_with_the_same_beginning_have_different_clones = None  # type: ignore[assignment]


class TestEqualRights(EqualRights): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
