"""Answers that SecantusDB does not give."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from local.contract.rotating import invocation
from rotation.engines.mongo_session import MongoSession
from rotation.engines.mongo_wire import MongoConnection

Answer = Mapping[str, Any] | Exception


class StubConnection:
    """Stands in for a connection: says what it is told to for each command, and remembers what it was asked."""

    def __init__(self, **answers: Callable[[Mapping[str, Any]], Answer] | Answer) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self._answers = answers

    def answer(self, database: str, command: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append((database, command))
        answer = self._answers.get(next(iter(command)), {"ok": 1.0})
        if callable(answer):
            answer = answer(command)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def commands(self, name: str) -> list[tuple[str, Mapping[str, Any]]]:
        return [(database, command) for database, command in self.asked if name in command]

    def session(self, username: str = "root") -> MongoSession:
        return MongoSession(cast("MongoConnection", self), username, "admin", invocation())


def refusal(code: int | None) -> Mapping[str, Any]:
    """What a server says when it does not do something; its words quote the command."""
    return {"ok": 0.0, "errmsg": "quotes hunter2", **({} if code is None else {"code": code})}
