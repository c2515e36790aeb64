"""What is said to MongoDB once it has accepted a login.

Names and passwords are values in a command's document, so nothing has to be quoted. MongoDB makes SCRAM credentials itself:
`updateUser` is told the clear password, and no form of it takes a credential that is made already (with `digestPassword:
false` it takes a digest, for SCRAM-SHA-1 alone). The password travels within TLS, and the server leaves it out of its log
and its profiler.

A user belongs to a database. A user's own is that of its login; others are looked up, and a name that several databases have
is refused, because a secret must not change the password of another user of that name.

Source: https://www.mongodb.com/docs/manual/reference/command/updateUser/
"""

from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from pydantic import SecretStr

from rotation.engines.invocation import Invocation
from rotation.engines.mongo_errors import CODES, PASSWORD_CODES, ROLE_EXISTS, Meaning, command_error
from rotation.engines.mongo_scram import SCRAMS
from rotation.engines.mongo_wire import MongoConnection, NotMongoError, greeting
from rotation.errors import ConnectionLostError, StatementRejectedError, TargetMismatchError

User = Mapping[str, Any]
"""As `usersInfo` describes it."""


class MongoSession:
    """One login, on one connection; every command takes effect at once."""

    def __init__(self, connection: MongoConnection, username: str, database: str, invocation: Invocation) -> None:
        self._connection = connection
        self._username = username
        self._database = database
        self._invocation = invocation
        self._mechanisms_of_clones: dict[str, list[str]] = {}

    def set_password(self, username: str, password: SecretStr, *, keep: SecretStr | None = None) -> None:
        """Set it for the mechanisms that the user has, or its owner: otherwise the server would add those it prefers."""
        database = self._database if username == self._username else self._known(username)["db"]
        command: dict[str, Any] = {"updateUser": username, "pwd": password.get_secret_value()}
        if mechanisms := self._mechanisms_of_clones.get(username) or self._mechanisms(username, database):
            command["mechanisms"] = mechanisms
        self._run(command, database, PASSWORD_CODES)

    def provide_clone(self, owner: str, clone: str) -> None:
        """Make `clone` a user of the owner's database with everything that the owner has, and nothing else.

        It is known by a role without privileges that names the owner. Custom data would say it more simply, but not every
        server of this protocol keeps it.
        """
        original, copy = self._look_up(owner), self._look_up(clone)
        if original is None:
            raise TargetMismatchError(
                f"there is no user {owner}, whose alternate {clone} would be",
                remedy="A user name that ends in _clone is taken for an alternate: rename it, or choose single-user.",
            )
        database, mark = original["db"], f"alternate-of-{owner}"
        wanted = _shared(original, {"role": mark, "db": database})
        mechanisms = self._mechanisms_of_clones[clone] = self._mechanisms(owner, database)
        if copy is None:
            self._create(clone, mark, database, {**wanted, "mechanisms": mechanisms})
        elif copy["db"] != database or {"role": mark, "db": database} not in _roles(copy):
            raise TargetMismatchError(
                f"the user {clone} exists and does not have the role {mark}",
                remedy=f"If it is meant to be the alternate, create the role {mark} without privileges in the database "
                f"{database}, and grant it to the user there; else rename the user.",
            )
        else:
            present = _shared(copy)
            if changes := {key: value for key, value in wanted.items() if value != present[key]}:
                self._run({"updateUser": clone, **changes}, database)

    def check(self) -> None:
        """Ask who is logged in, which every user may."""
        self._run({"connectionStatus": 1}, self._database)

    def _create(self, clone: str, mark: str, database: str, wanted: Mapping[str, Any]) -> None:
        """Make the clone, with a password that nobody knows: its own is set by whoever asked for it."""
        self._run({"createRole": mark, "privileges": [], "roles": []}, database, tolerated=ROLE_EXISTS)
        present = {key: value for key, value in wanted.items() if value}
        self._run({"createUser": clone, "pwd": token_urlsafe(32), **present}, database)

    def _mechanisms(self, username: str, database: str) -> list[str]:
        """Those of SCRAM that the user has, which anybody may ask; none if the server does not say."""
        offered = self._run(greeting(username, database), database).get("saslSupportedMechs", ())
        return [mechanism for mechanism in SCRAMS if mechanism in offered]

    def _known(self, username: str) -> User:
        if (user := self._look_up(username)) is None:
            raise StatementRejectedError(f"there is no user {username}")
        return user

    def _look_up(self, username: str) -> User | None:
        """The one user of this name, whichever database it belongs to; None if there is none.

        Raises:
            TargetMismatchError: there are several.
        """
        try:
            found = self._users({"forAllDBs": True}, filter={"user": username})
        except StatementRejectedError:
            found = []  # DocumentDB need not know this form: its users all belong to one database
        found = [user for user in found if user["user"] == username] or self._users(username)
        if len(found) > 1:
            raise TargetMismatchError(
                f"there are users {username} in the databases {', '.join(sorted(user['db'] for user in found))}",
                remedy="A superuser cannot tell which of them the secret means: rename the others, or choose single-user.",
            )
        return self._in_detail(found[0]) if found else None

    def _in_detail(self, user: User) -> User:
        """With the addresses that it is limited to, where the server knows such limits."""
        whose = {"user": user["user"], "db": user["db"]}
        try:
            return next(iter(self._users(whose, showAuthenticationRestrictions=True)), user)
        except StatementRejectedError:
            return user

    def _users(self, which: object, **options: Any) -> list[User]:
        users: list[User] = self._run({"usersInfo": which, **options}, self._database)["users"]
        return users

    def _run(
        self, command: Mapping[str, Any], database: str, codes: Mapping[int, Meaning] = CODES, tolerated: int | None = None
    ) -> dict[str, Any]:
        """Run a command, of which the first key is the name.

        Args:
            command: In the order in which it is sent.
            database: Where the command is run.
            codes: What refusals mean.
            tolerated: A refusal that is none.
        """
        name = next(iter(command))
        with self._invocation.call(name):
            try:
                answer = self._connection.answer(database, command)
            except TimeoutError:
                raise ConnectionLostError(f"no answer to {name} came in time") from None
            except (OSError, NotMongoError):
                raise ConnectionLostError(f"the connection broke during {name}") from None
            refusal = answer.get("writeConcernError") if answer.get("ok") else answer
            if refusal and (tolerated is None or refusal.get("code") != tolerated):
                raise command_error(refusal, name, codes)
            return answer


def _shared(user: User, *more: Mapping[str, str]) -> dict[str, Any]:
    """What a clone has in common with its owner, in a form that can be compared; `more` are further roles."""
    return {
        "roles": sorted([*_roles(user), *more], key=lambda role: (role["db"], role["role"])),
        "customData": user.get("customData", {}),
        "authenticationRestrictions": user.get("authenticationRestrictions", []),
    }


def _roles(user: User) -> list[dict[str, str]]:
    return [{"role": role["role"], "db": role["db"]} for role in user["roles"]]
