"""One user keeps its name and gets a new password.

Clients with the old one fail until they read the secret again, unless the target can hold two passwords: then the old one
works until the next rotation.
"""

from rotation.models import PENDING, SecretDocument
from rotation.protocols import EngineTraits, Session
from rotation.settings import StrategyName
from rotation.strategies.change import Change, Creation, check_same_user


class SingleUser:
    """The user changes its own password."""

    name = StrategyName.SINGLE_USER
    needs_superuser = False
    interrupts_clients = True
    acts_at_creation = False

    def is_possible(self, traits: EngineTraits) -> bool:
        """Wherever the password is not the target's to choose."""
        return not traits.issues_credentials

    def next_document(self, creation: Creation) -> SecretDocument:
        """The same document with another password."""
        password = creation.new_password(creation.engine.traits)
        return creation.current.changed(password=password.get_secret_value())

    def take_back(self, creation: Creation, document: SecretDocument) -> None:
        """Nothing was done."""

    def check_user(self, current: SecretDocument, pending: SecretDocument, traits: EngineTraits) -> None:
        """The user stays the same."""
        check_same_user(current, pending)

    def set_pending(self, change: Change) -> str:
        """Log in with what the target accepts, and change the password in that session."""
        with change.accepted() as (stage, session):
            if stage != PENDING:
                _set_password(session, change)
        return stage


class SingleUserBySuperuser(SingleUser):
    """A superuser changes the password of a user who may not do so."""

    name = StrategyName.SINGLE_USER_BY_SUPERUSER
    needs_superuser = True

    def is_possible(self, traits: EngineTraits) -> bool:
        """Where there are such users, too."""
        return traits.has_superusers and super().is_possible(traits)

    def set_pending(self, change: Change) -> str:
        """Prove that the secret holds the user's own login before the superuser acts on its word."""
        with change.accepted() as (stage, _):
            pass
        if stage != PENDING:
            with change.engine.log_in(change.superusers.login_for(change.current)) as superuser:
                _set_password(superuser, change)
        return stage


def _set_password(session: Session, change: Change) -> None:
    pending, current = change.pending.fields, change.current.fields
    session.set_password(pending.username, pending.password, keep=current.password)
