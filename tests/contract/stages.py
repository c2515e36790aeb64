"""The real servers of the contract suite, by the name of the engine: a further engine is one class and one line here."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from psycopg import sql

from local.postgres import PostgresServer
from rotation.models import SecretDocument
from tests.contract.postgres.servers import application, can_log_in, create_role, log_of
from tests.contract.rotating import new_name


class Stage(Protocol):
    """A real server that checks passwords. What is asked of it does not go through the code under test."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @property
    def keys(self) -> Mapping[str, Any]:
        """The keys of a secret that lead to the server: all but engine, user name and password."""

    @property
    def superuser(self) -> tuple[str, str]:
        """User name and password."""

    def create_user(self, name: str, password: str) -> None: ...

    def users(self) -> set[str]: ...

    def accepts(self, name: str, password: str) -> bool:
        """Whether the user can log in."""

    def session(self, secret: SecretDocument) -> AbstractContextManager[Callable[[], object]]:
        """An application's open session, as a function that uses it and fails if it is gone."""

    def create_object(self, secret: SecretDocument, name: str) -> None:
        """Make something that belongs to somebody, such as a table."""

    def change_object(self, secret: SecretDocument, name: str) -> None:
        """Do to it what only its owner may."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Keep others from changing the user, as a transaction in progress does."""

    def end_sessions(self, name: str) -> None:
        """Throw the user out."""

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def log(self) -> str:
        """All that the server has written, statements included."""


class PostgresStage:
    """PostgreSQL 18, which logs every statement."""

    def __init__(self) -> None:
        self.server = PostgresServer(settings={"log_statement": "all", "log_connections": "on"})

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.__exit__(kind, error, traceback)

    @property
    def keys(self) -> Mapping[str, Any]:
        return {"host": self.server.host, "port": self.server.port, "dbname": "postgres", "ssl": False}

    @property
    def superuser(self) -> tuple[str, str]:
        return self.server.superuser, self.server.superuser_password

    def create_user(self, name: str, password: str) -> None:
        create_role(self.server, name, password)
        with self.server.admin_connection() as admin:
            # Users keep their own tables, as applications do.
            admin.execute(sql.SQL("CREATE SCHEMA AUTHORIZATION {}").format(sql.Identifier(name)))

    def users(self) -> set[str]:
        with self.server.admin_connection() as admin:
            return {name for (name,) in admin.execute("SELECT rolname FROM pg_roles")}

    def accepts(self, name: str, password: str) -> bool:
        return can_log_in(self.server, name, password)

    @contextmanager
    def session(self, secret: SecretDocument) -> Iterator[Callable[[], object]]:
        with application(secret) as connection:
            yield lambda: connection.execute("SELECT 1")

    def create_object(self, secret: SecretDocument, name: str) -> None:
        with application(secret) as connection:
            connection.execute(sql.SQL("CREATE TABLE {} (id int)").format(sql.Identifier(name)))

    def change_object(self, secret: SecretDocument, name: str) -> None:
        with application(secret) as connection:
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD {} int").format(sql.Identifier(name), sql.Identifier(new_name("c")))
            )

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        with self.server.admin_connection() as admin, admin.transaction(force_rollback=True):
            admin.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 17").format(sql.Identifier(name)))
            yield

    def end_sessions(self, name: str) -> None:
        with self.server.admin_connection() as admin:
            admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", [name])

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()

    def log(self) -> str:
        return log_of(self.server)


STAGES: Mapping[str, type[Stage]] = {"postgres": PostgresStage, "aurora-postgresql": PostgresStage}
