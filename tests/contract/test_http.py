"""API keys over HTTP keep the contract, with and without TLS."""

from local.contract import Issuing, Logins, Setup, Tls
from local.targets.http import HttpTarget

WITH_TLS = Setup("http", HttpTarget, with_tls=True)
SETUPS = [Setup("http", HttpTarget), WITH_TLS]


class TestLogins(Logins): ...


class TestIssuing(Issuing): ...


class TestTls(Tls):
    setups = (WITH_TLS,)
