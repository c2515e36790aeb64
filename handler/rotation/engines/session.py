"""What sessions have in common where there is nothing special to do."""

from rotation.errors import TargetMismatchError


class LoneSession:
    """A session with a target whose users have no alternates; unless `check` asks for more, the login has shown enough."""

    def check(self) -> None:
        """Ask nothing further."""

    def provide_clone(self, owner: str, clone: str) -> None:
        raise TargetMismatchError(f"the target knows no alternate of {owner}")
