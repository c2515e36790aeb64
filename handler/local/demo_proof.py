"""What makes a demonstration more than a claim: logins, staging labels, and a search for passwords where none may be."""

import json
from collections.abc import Iterator, Sequence
from secrets import token_hex

from local.demo_report import AttemptSeen, Check, FailureSeen, LoginSeen
from local.demo_stage import USER, DemoStage, Document
from local.targets.target import WithOwners
from rotation.models import CURRENT, PREVIOUS, SecretDocument

_CHANGED_KEYS = {"username", "password"}
_LOG, _TRACES, _SERVER_LOG = "log lines", "trace documents", "lines of the target's own log"


class Proof:
    """Compares the world after a rotation with the one before; made before, asked after.

    Nothing here asks the function: labels and values come from Secrets Manager, the logins are made at the server.
    """

    def __init__(self, stage: DemoStage) -> None:
        self._stage = stage
        self._version_id, self._document = stage.version(CURRENT)

    def logins(self) -> tuple[LoginSeen, LoginSeen]:
        """Try what clients hold that have read the secret anew, and what those hold that have not."""
        new = self._stage.log_in(CURRENT, *self._stage.version(CURRENT))
        label = next((name for name, version in self._stage.labels().items() if version == self._version_id), "")
        return new, self._stage.log_in(label, self._version_id, self._document)

    def of_failure(self, failure: FailureSeen) -> Iterator[Check]:
        """Say what was promised of a rotation that is made to fail, and whether it is so."""
        attempt, reason = failure.attempt, failure.expected_reason
        failed_so = attempt.failed_step == failure.step and attempt.steps[-1].reason == reason
        yield Check(claim=f"{failure.step} failed, and gave {reason} as the reason", holds=failed_so)
        untouched = self._stage.version(CURRENT) == (self._version_id, self._document)
        yield Check(claim="The failure left AWSCURRENT as it was", holds=untouched)
        yield _event_check(attempt, "RotationFailed")

    def of_rotation(self, rotation: AttemptSeen, new: LoginSeen, old: LoginSeen) -> Iterator[Check]:
        """Say what was promised of a rotation, and whether it is so."""
        labels = self._stage.labels()
        _, document = self._stage.version(CURRENT)
        moved = labels.get(CURRENT) == rotation.version_id and labels.get(PREVIOUS) == self._version_id
        yield Check(claim="AWSCURRENT is the new version, AWSPREVIOUS the old one", holds=moved)
        yield Check(claim="The new credential opens the target", holds=new.accepted)
        if self._stage.old_works_on:
            yield Check(claim="The old one does too, until the next rotation: no client is cut off", holds=old.accepted)
        else:
            yield Check(claim="The old one is refused", holds=not old.accepted)
        if document["username"] != self._document["username"] and isinstance(self._stage.target, WithOwners):
            shared = new.accepted and self._is_shared(self._stage.target, document)
            yield Check(claim=f"What the new user creates belongs to {USER}, as before", holds=shared)
        unchanged = _rest(document) == _rest(self._document)
        yield Check(claim="All other keys of the secret are as they were", holds=unchanged)
        yield _event_check(rotation, "RotationSucceeded")

    def _is_shared(self, target: WithOwners, document: Document) -> bool:
        """Whether the old user may do to the new one's objects what only their owner may."""
        name = f"created_{token_hex(4)}"
        try:
            target.create_object(SecretDocument.parse(json.dumps(document), "new"), name)
            target.change_object(SecretDocument.parse(json.dumps(self._document), "old"), name)
        except Exception:  # noqa: BLE001 - whatever the target's driver raises, it is not shared
            return False
        return True


class Secrecy:
    """Looks for passwords and RotationTokens wherever the function and the server have written."""

    def __init__(self, stage: DemoStage) -> None:
        self._stage = stage
        self._clear_texts: set[str] = set()
        self._searched = dict.fromkeys((_LOG, _TRACES, _SERVER_LOG), 0)
        self._found = False

    def look(self, log_lines: Sequence[str], rotation_token: str) -> None:
        """Search the function's log lines, and what traces and the server's log have gained since the last time."""
        in_play = {*self._stage.passwords(), rotation_token}
        self._clear_texts |= in_play
        traces = [datagram.decode() for datagram in self._stage.xray.datagrams[self._searched[_TRACES] :]]
        server_log = self._stage.target.log().splitlines()[self._searched[_SERVER_LOG] :]
        for place, texts in ((_LOG, log_lines), (_TRACES, traces), (_SERVER_LOG, server_log)):
            self._found = self._found or _is_in(texts, in_play)
            self._searched[place] += len(texts)

    def check(self) -> Check:
        """Search the function's table as well, and sum up."""
        items = self._stage.aws.client("dynamodb").scan(TableName=self._stage.table)["Items"]
        found = self._found or _is_in([json.dumps(items)], self._clear_texts)
        searched = self._searched | {"items of the idempotency table": len(items)}
        places = ", ".join(f"{count} {place}" for place, count in searched.items())
        return Check(claim=f"No password in {places}", holds=not found and all(searched.values()))


def _is_in(texts: Sequence[str], clear_texts: set[str]) -> bool:
    return any(clear_text in text for text in texts for clear_text in clear_texts)


def _event_check(attempt: AttemptSeen, name: str) -> Check:
    return Check(claim=f"Secrets Manager published {name}", holds=attempt.event_names[-1] == name)


def _rest(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in _CHANGED_KEYS}
