"""A handler with a defect: an engine whose unexpected errors quote the secret, in every way an error can."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from rotation import app, engines
from rotation.models import Login
from rotation.protocols import EngineTraits, Session


class BrokenEngine:
    """Fails at every login."""

    traits = EngineTraits(default_port=1, max_username_bytes=63, max_password_length=256)

    def __init__(self, *_wiring: object) -> None:
        """Takes what every engine is given."""

    @contextmanager
    def log_in(self, login: Login) -> Iterator[Session]:
        password = login.password.get_secret_value()
        error = ValueError(f"no connection to broken://{login.username}:{password}@{login.host}")
        error.add_note(f"the password is {password}")
        raise error from KeyError(password)
        yield


cast("dict[str, engines.Registration]", engines.ENGINES)["broken"] = engines.Registration(__name__, BrokenEngine.__name__)


def lambda_handler(event: Any, context: Any) -> dict[str, str]:
    """The real handler, which knows one engine more."""
    return app.lambda_handler(event, context)
