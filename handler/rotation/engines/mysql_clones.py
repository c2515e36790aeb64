"""A user's alternate in MySQL and MariaDB: an account for each host of the owner's, with the same rights.

Tables belong to nobody here, so what either makes both may change as far as their rights go. Views, routines, triggers and
events run with the rights of their definer, which is whoever made them: the clone's keep working as long as there is the
clone. Who makes a routine is given rights on it, which are passed on to the other, owner or clone. All other rights, roles,
limits and demands on the connection are copied from the owner at every rotation, also what it has lost; that an account is
locked is not.

A stranger must not be mistaken for the clone, and MariaDB's accounts carry no notes. So the clone is marked by a right: to
see the views of a database that does not exist, and whose name is made of the owner's. An unmarked account is taken for the
clone as well if it has exactly the owner's rights, as those that AWS's functions have made; or none at all and an expired
password, which is what is left when making it was interrupted before the mark.
"""

import hashlib
import secrets
from typing import TYPE_CHECKING

from rotation.engines.mysql_accounts import Account
from rotation.engines.mysql_rights import Right, Rights, option_statements
from rotation.errors import TargetMismatchError

if TYPE_CHECKING:
    from rotation.engines.mysql_session import MySqlSession

_ROUTINES = "SELECT ROUTINE_TYPE, ROUTINE_SCHEMA, ROUTINE_NAME FROM information_schema.ROUTINES WHERE DEFINER = %s"
_DIGEST_LENGTH = 32
_OF_EACH_TYPE = "aA1!"
"""For policies that look at passwords, even such that nobody will ever use."""


def provide_clone(session: "MySqlSession", owner: str, clone: str) -> None:
    """Make sure that `clone` is `owner`'s equal.

    Raises:
        TargetMismatchError: there is no owner, or a stranger has the clone's name.
    """
    owners = session.accounts(owner)
    if not owners:
        raise TargetMismatchError(
            f"there is no user {owner}, whose alternate {clone} would be",
            remedy="A user name that ends in _clone is taken for an alternate: rename it, or choose single-user.",
        )
    mark = _mark(owner)
    clones = {account.host: account for account in session.accounts(clone)}
    wanted = {account.host: session.rights(account) for account in owners}
    for account in clones.values():
        _check_is_clone(session, account, wanted.get(account.host), mark)
    for account in owners:
        if (twin := clones.get(account.host)) is None:
            twin = clones[account.host] = _create(session, account, clone)
        _equalise(session, account, twin, wanted[account.host], mark)


def _mark(owner: str) -> Right:
    name = hashlib.sha256(owner.encode()).hexdigest()[:_DIGEST_LENGTH]
    return Right("SHOW VIEW", f"`alternate-of-{name}`.*")


def _check_is_clone(session: "MySqlSession", account: Account, owners: Rights | None, mark: Right) -> None:
    rights = session.rights(account).rights
    is_equal = owners is not None and bool(rights) and rights == owners.rights
    if mark in rights or is_equal or (account.is_expired and not rights):
        return
    raise TargetMismatchError(
        f"the user {account.user} exists and is not marked as an alternate",
        remedy=f"If it is meant to be the alternate, {mark.given_to(session.quoted(account))}; else rename it.",
    )


def _create(session: "MySqlSession", owner: Account, clone: str) -> Account:
    """Make an account that nobody can use yet: its password is known to nobody, and expired until the right one is set."""
    password = secrets.token_urlsafe() + _OF_EACH_TYPE
    made = Account(clone, owner.host, owner.plugin, owner.verifier_of(password), is_expired=True)
    name = made.user, made.host
    if session.is_mariadb:
        create = "CREATE USER %s@%s IDENTIFIED BY"
        session.execute_with_password("create_user", f"{create} PASSWORD %s", f"{create} %s", password, *name)
        session.execute("expire", "ALTER USER %s@%s PASSWORD EXPIRE", *name)
    else:
        create = "CREATE USER %s@%s IDENTIFIED WITH %s AS %s PASSWORD EXPIRE"
        session.execute("create_user", create, *name, made.plugin, made.stored)
    return made


def _equalise(session: "MySqlSession", owner: Account, clone: Account, wanted: Rights, mark: Right) -> None:
    """Give before taking, so that clients miss nothing meanwhile that they shall have."""
    quoted = session.quoted(clone)
    rights = wanted.rights | {mark}
    has = session.rights(clone)
    _give(session, quoted, rights - has.rights)
    for statement in option_statements(wanted, has, quoted, is_mariadb=session.is_mariadb):
        session.execute("set_limits", statement)
    surplus = session.rights(clone).rights - rights
    made = _routines_made_by(session, clone) if surplus else set()
    _give(session, session.quoted(owner), frozenset(right for right in surplus if right.scope in made))
    for right in surplus:
        if right.scope not in made:
            session.execute("revoke", right.taken_from(quoted))
    if surplus:
        # One right may have been part of another that is gone now: SELECT, for example, of ALL PRIVILEGES.
        _give(session, quoted, rights - session.rights(clone).rights)


def _routines_made_by(session: "MySqlSession", account: Account) -> set[str]:
    """As scopes of rights."""
    rows = session.execute("look_up", _ROUTINES, f"{account.user}@{account.host}")
    return {f"{kind} {_identifier(database)}.{_identifier(name)}" for kind, database, name in rows}


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _give(session: "MySqlSession", quoted: str, rights: frozenset[Right]) -> None:
    """The mark comes first, restrictions last: they need what they restrict."""
    for right in sorted(rights, key=lambda right: (right.is_restriction, "alternate-of-" not in right.scope)):
        session.execute("grant", right.given_to(quoted))
