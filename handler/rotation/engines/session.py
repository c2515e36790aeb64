"""What sessions have in common where there is nothing special to do."""

from rotation.errors import StatementRejectedError


class LoneSession:
    """A session with a target whose users have no alternates, and whose login is a use of the credential already."""

    def check(self) -> None:
        """The login has shown enough."""

    def provide_clone(self, owner: str, clone: str) -> None:
        raise StatementRejectedError(f"the target knows no alternate of {owner}")
