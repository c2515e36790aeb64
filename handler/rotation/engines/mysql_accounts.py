"""The accounts of MySQL and MariaDB: a user name stands for one per pattern of hosts that its clients may come from."""

from collections.abc import Sequence
from dataclasses import dataclass

from rotation.engines.mysql_verifiers import CACHING_SHA2, NATIVE, is_verifier_of, verifier
from rotation.errors import AuthenticationUnsafeError, TargetMismatchError


@dataclass(frozen=True)
class Account:
    """One account, as the server keeps it.

    Attributes:
        host: The pattern.
        plugin: How it authenticates.
        stored: What is stored of its password, the primary one of two.
        retained: The same of the secondary one; empty if there is none.
        is_expired: Whether nothing but setting a new password can be done with it.
    """

    user: str
    host: str
    plugin: str
    stored: str
    retained: str = ""
    is_expired: bool = False

    def has_primary(self, password: str) -> bool:
        """Whether this is its password, the primary one of two."""
        return is_verifier_of(self.stored, self.plugin, password)

    def has_secondary(self, password: str) -> bool:
        """Whether this is its secondary password."""
        return is_verifier_of(self.retained, self.plugin, password)

    def verifier_of(self, password: str) -> str:
        """What to store of a password.

        Raises:
            AuthenticationUnsafeError: nothing, for it does not authenticate by a password that could be set here.
        """
        made = verifier(self.plugin, password)
        if made is None:
            raise AuthenticationUnsafeError(
                f"the user {self.user} authenticates by {self.plugin}, for which no password can be set here",
                remedy=f"Let the user authenticate by {NATIVE} or {CACHING_SHA2}.",
            )
        return made


def accounts_to_change(accounts: Sequence[Account], username: str, password: str | None) -> Sequence[Account]:
    """Those of a user's accounts that clients log in through.

    Args:
        accounts: All of the name.
        username: The name.
        password: The one that clients have today, if it is told.

    Raises:
        TargetMismatchError: there is none, or it does not show which.
    """
    if not accounts:
        raise TargetMismatchError(f"there is no user {username}")
    if len(accounts) == 1:
        return accounts
    if password is not None:
        chosen = [each for each in accounts if each.has_primary(password) or each.has_secondary(password)]
    else:
        # Nobody is using one whose password has expired, such as the account of a clone that was just made.
        used = {(each.plugin, each.stored) for each in accounts if not each.is_expired}
        chosen = list(accounts) if len(used) <= 1 else []
    if not chosen:
        raise TargetMismatchError(
            f"the user {username} has accounts for several hosts, and it does not show which of them the secret means",
            remedy="Give all accounts of the name the same authentication string, or drop those that are not used.",
        )
    return chosen
