"""Which account a user name stands for.

The superuser sets the password of the very account that the secret's own login has opened: a secret cannot name one account
and open another.
"""

from rotation.errors import TargetMismatchError


class Accounts:
    """Distinguished names by user name, as logins have proved them in one invocation."""

    def __init__(self) -> None:
        self._dn: dict[str, str] = {}

    def dn(self, username: str) -> str | None:
        """The account's distinguished name, if the user has logged in."""
        return self._dn.get(username)

    def remember(self, username: str, dn: str) -> None:
        """A login has been accepted.

        Raises:
            TargetMismatchError: an earlier one with the same user name has opened another account.
        """
        if self._dn.setdefault(username, dn) != dn:
            raise TargetMismatchError(f"the user name {username} stands for two accounts of the directory")
