"""One user keeps its name and gets a new password; clients with the old one fail until they read the secret again."""

from pydantic import SecretStr

from rotation.models import PENDING, SecretDocument
from rotation.protocols import EngineTraits
from rotation.settings import StrategyName
from rotation.strategies.change import Change, check_same_user


class SingleUser:
    """The user changes its own password."""

    name = StrategyName.SINGLE_USER
    needs_superuser = False
    interrupts_clients = True

    def next_document(self, current: SecretDocument, password: SecretStr, traits: EngineTraits) -> SecretDocument:
        """The same document with another password."""
        return current.changed(password=password.get_secret_value())

    def check_user(self, current: SecretDocument, pending: SecretDocument, traits: EngineTraits) -> None:
        """The user stays the same."""
        check_same_user(current, pending)

    def set_pending(self, change: Change) -> str:
        """Log in with what the target accepts, and change the password in that session."""
        with change.accepted(with_previous=True) as (stage, session):
            if stage != PENDING:
                session.set_password(change.pending.fields.username, change.pending.fields.password)
        return stage


class SingleUserBySuperuser(SingleUser):
    """A superuser changes the password of a user who may not do so."""

    name = StrategyName.SINGLE_USER_BY_SUPERUSER
    needs_superuser = True

    def set_pending(self, change: Change) -> str:
        """Prove that the secret holds the user's own login before the superuser acts on its word."""
        with change.accepted(with_previous=True) as (stage, _):
            pass
        if stage != PENDING:
            with change.engine.log_in(change.superusers.login_for(change.current)) as superuser:
                superuser.set_password(change.pending.fields.username, change.pending.fields.password)
        return stage
