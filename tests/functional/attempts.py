"""Hostile attempts at the deployed function: refused within the tree, without effect, seen, and revealing nothing."""

from dataclasses import dataclass
from typing import Any

from rotation.errors import InternalError, error_classes
from tests.functional.seen import Seen
from tests.functional.world import Deployed, Run, World
from tests.verdict import Verdict

REASONS = {kind.__name__: kind.reason for kind in error_classes() if kind is not InternalError}
SENTINEL = "Sentinel-7f3a91c2-value"


@dataclass
class Attempts:
    """A function under attack.

    Attributes:
        hidden: What nobody may be told.
        is_timed: Whether the report tells how long the slowest took: where nothing has to be waited for.
    """

    world: World
    function: Deployed
    verdict: Verdict
    section: str
    hidden: tuple[str, ...] = (SENTINEL,)
    is_timed: bool = False

    def refused(self, event: Any, *, on: str | None = None) -> Seen:
        """Invoke with an event that has to be refused; `on` is the secret that it is about."""
        before = self._state(on)
        seen = self.function.invoke(event)
        self._judge(seen, is_untouched=self._state(on) == before)
        return seen

    def refused_step(self, step: str, run: Run) -> Seen:
        """Run a step that has to be refused."""
        return self.refused(run.event(step), on=run.secret_arn)

    def tried_step(self, step: str, run: Run) -> Seen:
        """Run a step that may be refused; if it is, then properly."""
        before = self._state(run.secret_arn)
        seen = self.function.step(step, run)
        if seen.succeeded:
            self.verdict.add(self.section, tried=1, survived=1, slowest_ms=self._duration_ms(seen))
        else:
            self._judge(seen, is_untouched=self._state(run.secret_arn) == before)
        return seen

    def _judge(self, seen: Seen, *, is_untouched: bool) -> None:
        reason = REASONS.get(seen.invocation.error_type or "")
        is_told = set(seen.reasons.values()) == {reason} and "Failures" in seen.metrics
        told = f"{seen.error}\n{seen.invocation.payload}\n" + "\n".join(seen.invocation.log_lines)
        datagrams = b"".join(self.world.xray.datagrams[-3:]).decode()
        leaked = sum(value in told or value in datagrams for value in self.hidden)
        self.verdict.add(
            self.section,
            tried=1,
            survived=int(reason is not None and is_untouched),
            failures=1,
            seen=int(is_told),
            leaked=leaked,
            slowest_ms=self._duration_ms(seen),
        )
        assert reason is not None, seen.error
        assert is_untouched
        assert is_told, seen.reasons
        assert leaked == 0
        assert all(line.isprintable() for line in seen.invocation.log_lines if line.startswith("{"))

    def _duration_ms(self, seen: Seen) -> int:
        return round(seen.invocation.duration_ms) if self.is_timed else 0

    def _state(self, secret_arn: str | None) -> object:
        """Everything that a rotation could change: the secret's versions and labels, and the database's roles."""
        versions: list[Any] = []
        if secret_arn is not None:
            with self.world.aws.secrets_manager() as service:
                versions = [
                    (version["version_id"], version.get("secret_string"), tuple(version["version_stages"]))
                    for version in service.secret(secret_arn).versions.values()
                ]
        return versions, self.world.execute("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1")
