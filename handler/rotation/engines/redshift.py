"""Amazon Redshift, clusters and workgroups: PostgreSQL's protocol in dialect.

libpq knows none of Redshift's own ways to ask for a password, so a user whose password is kept as SHA-256 digest cannot log
in through it: MD5 is what Redshift keeps of any password that is set without a word about the digest, and what is set here.
The certificates are public ones, from Amazon's authorities.

Sources: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html,
https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html and
https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
"""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from rotation.engines.invocation import Invocation
from rotation.engines.postgres import Dialect, PostgresEngine
from rotation.engines.tls import SYSTEM
from rotation.models import Login
from rotation.protocols import EngineTraits, Session

if TYPE_CHECKING:
    import psycopg

    from rotation.engines.redshift_session import RedshiftSession

_DEFAULT_DATABASE = "dev"


def _session(connection: "psycopg.Connection", username: str, invocation: Invocation) -> "RedshiftSession":
    from rotation.engines.redshift_session import RedshiftSession

    return RedshiftSession(connection, username, invocation)


# Statements are never prepared, because Redshift does not know how the driver ends that.
_REDSHIFT = Dialect(_session, authorities=SYSTEM, options={"prepare_threshold": None})


class RedshiftEngine:
    """Logs in to Redshift for one invocation."""

    traits = EngineTraits(
        default_port=5439,
        max_username_bytes=127,
        min_password_length=8,
        max_password_length=64,
        excluded_characters="'\"\\/@: ",
    )

    def __init__(self, invocation: Invocation) -> None:
        self._postgres = PostgresEngine(invocation, _REDSHIFT)

    def log_in(self, login: Login) -> AbstractContextManager[Session]:
        """Log in as to PostgreSQL, to another database unless the secret names one."""
        return self._postgres.log_in(replace(login, dbname=login.dbname or _DEFAULT_DATABASE))
