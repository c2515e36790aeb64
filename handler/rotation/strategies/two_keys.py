"""The target makes the credential itself, and two of them overlap, so that the old one works until the next rotation.

createSecret lets the target make a key, because its value has to be stored before anything else can be done with it.
setSecret ends the one before the last, and not sooner than the new one is proven.
"""

from typing import TYPE_CHECKING, cast

from rotation.models import CURRENT, SecretDocument
from rotation.protocols import EngineTraits, Session
from rotation.settings import StrategyName
from rotation.strategies.change import Change, Creation, is_same_target, login_of, settled

if TYPE_CHECKING:
    from rotation.protocols import Issuer


class TwoKeys:
    """The key in use asks for its successor, the successor ends its predecessor's predecessor."""

    name = StrategyName.TWO_KEYS
    needs_superuser = False
    interrupts_clients = False
    acts_at_creation = True

    def is_possible(self, traits: EngineTraits) -> bool:
        """Wherever the target makes the credentials."""
        return traits.issues_credentials

    def next_document(self, creation: Creation) -> SecretDocument:
        """The same document with what the target made."""
        with creation.engine.log_in(login_of(creation.current, creation.engine.traits)) as session:
            return creation.current.changed(**_issuer(session).issue(creation.rotation_id))

    def take_back(self, creation: Creation, document: SecretDocument) -> None:
        """End the key that nobody will use."""
        traits = creation.engine.traits
        with creation.engine.log_in(login_of(creation.current, traits)) as session:
            _issuer(session).revoke(login_of(document, traits))

    def check_user(self, current: SecretDocument, pending: SecretDocument, traits: EngineTraits) -> None:
        """Whom a key belongs to only the target knows: it made the new one on the word of the old one."""

    def set_pending(self, change: Change) -> str:
        """Prove that the new key works, then end the one before the last, and what failed attempts left behind."""
        traits = change.engine.traits
        pending = login_of(change.pending, traits)
        with settled(change.engine, pending, lambda: change.pauses(traits.settles_within_seconds)) as session:
            issuer = _issuer(session)
            issuer.revoke_strays(change.rotation_id)
            previous = change.previous()
            if previous is not None and _is_superseded(previous, change):
                issuer.revoke(login_of(previous, traits))
        return CURRENT


def _issuer(session: Session) -> "Issuer":
    return cast("Issuer", session)


def _is_superseded(previous: SecretDocument, change: Change) -> bool:
    """Whether the previous key is of this target, and neither its name nor its value is in use.

    Where both other keys go by one name, it is the owner's and tells nothing. Somebody may have stored the key in use a
    second time, with another key of the secret changed.
    """
    in_use = change.current.fields, change.pending.fields
    names = {fields.username for fields in in_use}
    return (
        is_same_target(previous, change.current, change.engine.traits)
        and previous.fields.password not in {fields.password for fields in in_use}
        and (len(names) == 1 or previous.fields.username not in names)
    )
