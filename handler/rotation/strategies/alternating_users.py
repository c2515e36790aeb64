"""Two users take turns, so that the old credential works until the next rotation.

The clone's name is the owner's with AWS's suffix `_clone`. Where that would be too long, the name is cut and made unique
with a digest; since the owner's name cannot be read off such a clone, the secret then carries it under the key `cloneof`.
"""

import hashlib

from rotation.errors import TargetMismatchError
from rotation.models import PENDING, SecretDocument
from rotation.protocols import EngineTraits
from rotation.settings import StrategyName
from rotation.strategies.change import Change, Creation

_SUFFIX = "_clone"
_DIGEST_LENGTH = 8


class AlternatingUsers:
    """A superuser sets the password of the user whose turn it is."""

    name = StrategyName.ALTERNATING_USERS
    needs_superuser = True
    interrupts_clients = False
    acts_at_creation = False

    def is_possible(self, traits: EngineTraits) -> bool:
        """Wherever there can be a second user."""
        return traits.has_clones

    def next_document(self, creation: Creation) -> SecretDocument:
        """The other user with a new password."""
        current, traits = creation.current, creation.engine.traits
        password = creation.new_password(traits)
        owner, clone = _pair(current, traits)
        if current.fields.username == clone:
            return current.changed(username=owner, password=password.get_secret_value(), cloneof=None)
        unreadable = None if clone == owner + _SUFFIX else owner
        return current.changed(username=clone, password=password.get_secret_value(), cloneof=unreadable)

    def take_back(self, creation: Creation, document: SecretDocument) -> None:
        """Nothing was done."""

    def check_user(self, current: SecretDocument, pending: SecretDocument, traits: EngineTraits) -> None:
        """It is the other user's turn; the same user is right only in a test-only run, which sets nothing."""
        if {current.fields.username, pending.fields.username} != set(_pair(current, traits)):
            raise TargetMismatchError("username of AWSPENDING is not the alternate of the one in AWSCURRENT")

    def set_pending(self, change: Change) -> str:
        """Prove that a login of one of the two works, then let the superuser prepare the other user."""
        with change.accepted() as (stage, _):
            pass
        if stage != PENDING:
            owner, clone = _pair(change.current, change.engine.traits)
            with change.engine.log_in(change.superusers.login_for(change.current)) as superuser:
                superuser.provide_clone(owner, clone)
                superuser.set_password(change.pending.fields.username, change.pending.fields.password, keep=None)
        return stage


def _pair(current: SecretDocument, traits: EngineTraits) -> tuple[str, str]:
    """Owner and clone, whichever of them the document names."""
    user = current.fields.username
    if owner := current.fields.clone_of:
        if user != _clone_name(owner, traits.max_username_bytes):
            # Or a secret could have the password of any user set whose member its own is.
            raise TargetMismatchError("username is not the name of a clone of the user in cloneof")
        return owner, user
    if user.endswith(_SUFFIX):
        return user.removesuffix(_SUFFIX), user
    return user, _clone_name(user, traits.max_username_bytes)


def _clone_name(owner: str, max_bytes: int) -> str:
    if len((owner + _SUFFIX).encode()) <= max_bytes:
        return owner + _SUFFIX
    digest = hashlib.sha256(owner.encode()).hexdigest()[:_DIGEST_LENGTH]
    room = max_bytes - len(_SUFFIX) - len(digest) - 1
    # Cutting bytes may split a character; what is left of it is dropped.
    head = owner.encode()[:room].decode(errors="ignore")
    return f"{head}_{digest}{_SUFFIX}"
