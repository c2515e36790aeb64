"""The target makes the credential itself, and two of them overlap, so that the old one works until the next rotation.

createSecret lets the target make a key, because its value has to be stored before anything else can be done with it.
setSecret ends the one before the last, and not sooner than the new one is proven, unless the target holds only two: then it
has to end first. AWSCURRENT's key is proven before anything is done, also where a superuser does it, and never ended.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from rotation.models import CURRENT, SecretDocument
from rotation.protocols import CredentialLimitError, EngineTraits, Session
from rotation.settings import StrategyName
from rotation.strategies.change import Change, Creation, Work, is_same_target, login_of, settled

if TYPE_CHECKING:
    from rotation.protocols import Issuer

_IN_USE = 2
"""Keys of a user between rotations: AWSCURRENT's and AWSPREVIOUS's."""


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
            return creation.current.changed(**_issued(_issuer(session, creation), creation))

    def take_back(self, creation: Creation, document: SecretDocument) -> None:
        """End the key that nobody will use."""
        traits = creation.engine.traits
        with creation.engine.log_in(login_of(creation.current, traits)) as session:
            _issuer(session, creation).revoke(login_of(document, traits))

    def check_user(self, current: SecretDocument, pending: SecretDocument, traits: EngineTraits) -> None:
        """Whom a key belongs to only the target knows: it made the new one on the word of the old one."""

    def set_pending(self, change: Change) -> str:
        """Prove that the new key works, then end the one before the last, and what failed attempts left behind."""
        traits = change.engine.traits
        pending = login_of(change.pending, traits)
        with settled(change.engine, pending, lambda: change.pauses(traits.settles_within_seconds)) as session:
            issuer = _issuer(session, change)
            issuer.revoke_strays(change.rotation_id)
            _revoke_superseded(issuer, [change.previous()], (change.current, change.pending), traits)
        return CURRENT


def _issuer(session: Session, work: Work) -> "Issuer":
    issuer = cast("Issuer", session)
    issuer.call_on(lambda: work.superusers.login_for(work.current))
    return issuer


def _issued(issuer: "Issuer", creation: Creation) -> Mapping[str, str]:
    """A further key, for which room is made where the target holds a limited number.

    What earlier attempts may have left ends only after a refusal: to a repeated request that it recognises the target gives
    the key that the first one made, which has to be alive.
    """
    in_use, traits = (creation.current,), creation.engine.traits
    if issuer.most_credentials == _IN_USE:
        _revoke_superseded(issuer, [creation.previous()], in_use, traits)
    try:
        return issuer.issue(creation.rotation_id)
    except CredentialLimitError:
        issuer.revoke_strays(creation.rotation_id)
        _revoke_superseded(issuer, creation.unlabelled(), in_use, traits)
        return issuer.issue(creation.rotation_id)


def _revoke_superseded(
    issuer: "Issuer", candidates: Iterable[SecretDocument | None], in_use: tuple[SecretDocument, ...], traits: EngineTraits
) -> None:
    for document in candidates:
        if document is not None and _is_superseded(document, in_use, traits):
            issuer.revoke(login_of(document, traits))


def _is_superseded(document: SecretDocument, in_use: tuple[SecretDocument, ...], traits: EngineTraits) -> bool:
    """Whether a key is of this target, and neither its name nor its value is in use.

    Where all keys in use go by one name, it may be the owner's and tells nothing. Somebody may have stored the key in use a
    second time, with another key of the secret changed.
    """
    names = {each.fields.username for each in in_use}
    return (
        is_same_target(document, in_use[0], traits)
        and document.fields.password not in {each.fields.password for each in in_use}
        and (len(names) == 1 or document.fields.username not in names)
    )
