"""A secret in the hands of a function that is called in any order, of an operator, and of bad luck.

After every call the state is compared with that before it: labels and values as Secrets Manager has them, and what the
database accepts. A login is tried once for every pair of a stored verifier and a password, which is all that decides it.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg
from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule
from moto.secretsmanager.exceptions import SecretsManagerClientError
from psycopg import sql

from local.aws_faults import Disturbance
from tests.functional.seen import Seen
from tests.functional.world import CURRENT, PENDING, STEPS, Deployed, JsonObject, Run, World

STRATEGIES = ("single-user", "single-user-by-superuser", "alternating-users")
REASONS = {
    "credential_unknown",
    "login_refused",
    "secret_malformed",
    "secret_not_rotatable",
    "target_mismatch",
    "version_not_pending",
}
"""All that a failure in this world can come from; anything else would be a defect."""
_MOST_UNLABELLED = 5
_MOST_REMEDIES = 4


@dataclass
class Figures:
    """What all sequences came to together."""

    sequences: int = 0
    survived: int = 0
    calls: int = 0
    failures: int = 0
    seen: int = 0
    healed: int = 0
    """Sequences after which the next clean rotation succeeded by itself."""
    remedied: int = 0
    """Sequences after which it did when the remedies of the reasons it failed for had been followed."""


@dataclass(frozen=True)
class State:
    """What Secrets Manager and the database hold at one moment."""

    labels: dict[str, str]
    versions: tuple[str, ...]
    """Oldest first."""
    values: dict[str, JsonObject]
    """Keys by version id; a version without a value is left out."""
    opening: frozenset[str]
    """Versions whose login the database accepts."""

    def opens(self, label: str) -> bool:
        return self.labels.get(label) in self.opening

    def value(self, label: str) -> JsonObject | None:
        return self.values.get(self.labels.get(label, ""))


class AnySequence(RuleBasedStateMachine):
    """One secret; every example has one of its own."""

    runs = Bundle("runs")

    def __init__(
        self,
        world: World,
        functions: Sequence[Deployed],
        administrator: "psycopg.Connection[Any]",
        superuser_arn: str,
        figures: Figures,
    ) -> None:
        super().__init__()
        self._world = world
        self._functions = functions
        self._administrator = administrator
        self._superuser_arn = superuser_arn
        self._figures = figures
        self._numbers = count(1)
        self._logins: dict[tuple[object, ...], bool] = {}
        self._backup: dict[str, str] = {}
        self._is_slow = False
        self._is_sound = True

    # The function is called

    @initialize(target=runs, strategy=st.sampled_from(STRATEGIES))
    def a_secret(self, strategy: str) -> Run:
        self._figures.sequences += 1
        self._world.forget()
        self._strategy = strategy
        superuser_arn = None if strategy == "single-user" else self._superuser_arn
        self._arn = self._world.new_secret(tag=strategy, masterarn=superuser_arn)
        self._owner = str(self._world.value(self._arn)["username"])
        self._backup = self._verifiers()
        return self._world.begin(self._arn)

    @rule(target=runs)
    def a_rotation_begins(self) -> Any:
        with suppress(SecretsManagerClientError):  # refused while another is under way
            return self._world.begin(self._arn)
        return multiple()

    @rule(run=runs, step=st.sampled_from(STEPS), environment=st.integers(0, 1))
    def a_step(self, run: Run, step: str, environment: int) -> None:
        self._call(run, step, environment)

    @rule(run=runs, environment=st.integers(0, 1))
    def a_sequence(self, run: Run, environment: int) -> None:
        self._sequence(run, environment)

    @rule(run=runs, environment=st.integers(0, 1), steps=st.integers(1, 3))
    def a_sequence_is_cut_short(self, run: Run, environment: int, steps: int) -> None:
        for step in STEPS[:steps]:
            if not self._call(run, step, environment).succeeded:
                break

    # Somebody intervenes, or something happens

    @rule(run=runs, label=st.sampled_from((CURRENT, PENDING)), word=st.sampled_from(("move", "remove")))
    def a_label_is_moved_by_hand(self, run: Run, label: str, word: str) -> None:
        state = self._state()
        # AWSCURRENT on a version without a value would be the operator's doing, and nothing that a rotation could mend.
        if label == CURRENT and run.token not in state.values:
            return
        moves = {"RemoveFromVersionId": state.labels[label]} if label in state.labels else {}
        if word == "move":
            moves["MoveToVersionId"] = run.token
        with suppress(ClientError):
            self._world.secrets_manager.update_secret_version_stage(SecretId=self._arn, VersionStage=label, **moves)

    @rule(
        happens=st.sampled_from(
            (
                "cancelled",
                "put by hand",
                "changed in the database alone",
                "owner dropped",
                "clone dropped",
                "backup made",
                "backup restored",
            )
        )
    )
    def a_mishap(self, happens: str) -> None:
        keys = self._world.value(self._arn)
        match happens:
            case "cancelled":
                self._world.secrets_manager.cancel_rotate_secret(SecretId=self._arn)
            case "put by hand":
                # An operator changes the password in both places.
                password = f"by-hand-{next(self._numbers)}"
                self._give(keys["username"], password)
                text = json.dumps({**keys, "password": password})
                self._world.secrets_manager.put_secret_value(SecretId=self._arn, SecretString=text)
            case "changed in the database alone":
                self._give(keys["username"], f"unknown-{next(self._numbers)}")
            case "owner dropped":
                self._execute("DROP ROLE IF EXISTS {}", self._owner)
            case "clone dropped":
                self._execute("DROP ROLE IF EXISTS {}", f"{self._owner}_clone")
            case "backup made":
                self._backup = self._verifiers()
            case "backup restored":
                self._restore()

    @rule(what=st.sampled_from(("emptied", "gone", "dropped", "slow", "well")))
    def the_table_is(self, what: str) -> None:
        self._heal_table()
        match what:
            case "emptied":
                self._world.forget()
            case "gone":
                self._world.aws.fail("dynamodb", code="ResourceNotFoundException", message="no such table")
            case "dropped":
                self._world.aws.disturb("dynamodb", by=Disturbance.DROP, times=2)
            case "slow":
                self._is_slow = True

    # What must hold

    def teardown(self) -> None:
        self._heal_table()
        if not self._is_sound:
            return  # what has failed is reported by the call that did
        self._rotate_cleanly()
        self._figures.survived += 1

    def _call(self, run: Run, step: str, environment: int) -> Seen:
        self._is_sound, before = False, self._state()
        if self._is_slow:
            self._world.aws.latency["dynamodb"] = 0.7
        seen = self._functions[environment].step(step, run)
        if self._is_slow:
            self._heal_table()
            # A lock whose answer came too late is known to nobody; it ends with the time of its invocation.
            self._world.let_locks_expire()
        self._figures.calls += 1
        after = self._state()
        if not seen.succeeded:
            self._check_failure(seen)
        else:
            self._check_success(seen, step, run, after)
        self._check_nothing_is_lost(before, after)
        self._is_sound = True
        return seen

    def _check_failure(self, seen: Seen) -> None:
        self._figures.failures += 1
        reasons = seen.reasons
        told = len(set(reasons.values())) == 1 and seen.metrics.get("Failures") == 1.0
        self._figures.seen += told
        assert told, reasons
        assert reasons["error"] in REASONS, seen.error
        assert seen.line["next_action"]

    def _check_success(self, seen: Seen, step: str, run: Run, after: State) -> None:
        """What is called done is done, in Secrets Manager and in the database."""
        if seen.outcome == "already_current":
            assert after.labels[CURRENT] == run.token
            return
        assert after.labels[CURRENT if step == "finishSecret" else PENDING] == run.token
        assert run.token in after.values
        if step != "createSecret":
            assert run.token in after.opening

    def _check_nothing_is_lost(self, before: State, after: State) -> None:
        """No call takes away what was there before it to log in with."""
        if self._strategy == "alternating-users":
            assert after.opens(CURRENT) or not before.opens(CURRENT)
        elif before.opens(CURRENT) or before.opens(PENDING):
            assert after.opens(CURRENT) or after.opens(PENDING)
        if before.opening:
            assert after.opening

    def _rotate_cleanly(self) -> None:
        """The next rotation heals what can be; what cannot names a reason, and following its remedy is enough."""
        before, run = self._state(), self._resume()
        can_be_healed = self._can_be_healed(before, run)
        remedies, seen = 0, self._sequence(run, 0)
        while not seen.succeeded:
            assert not can_be_healed, seen.error
            assert remedies < _MOST_REMEDIES, seen.error
            run = self._follow_the_remedy(seen, run)
            remedies, seen = remedies + 1, self._sequence(run, 0)
        value = self._world.value(self._arn)
        assert self._world.labels(self._arn)[CURRENT] == run.token
        assert self._world.opens(value)
        if remedies:
            self._figures.remedied += 1
        else:
            self._figures.healed += 1

    def _resume(self) -> Run:
        """The rotation under way, begun again with its own token, or a new one."""
        with self._world.aws.secrets_manager() as service:
            token = service.version_under_way(self._arn)
            if token is not None:
                service.rotate_secret(self._arn, token)
        return Run(self._arn, token) if token else self._world.begin(self._arn)

    def _can_be_healed(self, state: State, run: Run) -> bool:
        """Whether something that Secrets Manager still keeps opens the database, and nothing else is in the way."""
        current, pending = state.value(CURRENT), state.values.get(run.token)
        assert current is not None
        same_user = self._strategy != "alternating-users"
        if pending is not None and (pending["username"] == current["username"]) != same_user:
            return False
        if self._owner not in self._verifiers():
            return False
        unlabelled = [version for version in state.versions if version not in state.labels.values()]
        tried = {*state.labels.values(), *unlabelled[-_MOST_UNLABELLED:]}
        return bool(tried & state.opening)

    def _follow_the_remedy(self, seen: Seen, run: Run) -> Run:
        """What an operator does who reads the reason and its next action."""
        reason = seen.line["reason"]
        current = self._world.value(self._arn)
        if reason == "credential_unknown":
            self._give(current["username"], current["password"])
            return run
        assert reason == "target_mismatch", seen.error
        if self._owner not in self._verifiers():
            self._give(self._owner, f"unknown-{next(self._numbers)}")
            if f"{self._owner}_clone" in self._verifiers():
                self._execute("GRANT {} TO {}", self._owner, f"{self._owner}_clone")
            return run
        self._world.secrets_manager.update_secret_version_stage(
            SecretId=self._arn, VersionStage=PENDING, RemoveFromVersionId=run.token
        )
        return self._world.begin(self._arn)

    # Looking and doing

    def _sequence(self, run: Run, environment: int) -> Seen:
        for step in STEPS:
            seen = self._call(run, step, environment)
            if not seen.succeeded:
                break
        return seen

    def _state(self) -> State:
        with self._world.aws.secrets_manager() as service:
            versions = sorted(service.secret(self._arn).versions.values(), key=lambda version: version["createdate"])
            labels = {label: version["version_id"] for version in versions for label in version["version_stages"]}
            values = {
                version["version_id"]: json.loads(version["secret_string"])
                for version in versions
                if "secret_string" in version
            }
        verifiers = self._verifiers()
        opening = frozenset(version for version, keys in values.items() if self._opens(keys, verifiers))
        return State(labels, tuple(version["version_id"] for version in versions), values, opening)

    def _opens(self, keys: JsonObject, verifiers: dict[str, str]) -> bool:
        verifier = verifiers.get(keys["username"])
        if verifier is None:
            return False
        key = (keys["username"], verifier, keys["password"])
        if key not in self._logins:
            self._logins[key] = self._world.opens(keys)
        return self._logins[key]

    def _verifiers(self) -> dict[str, str]:
        """What the database keeps of the users' passwords."""
        users = [self._owner, f"{self._owner}_clone"]
        rows = self._administrator.execute(
            "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY (%s)", [users]
        ).fetchall()
        return dict(rows)

    def _restore(self) -> None:
        """The users are those of the backup, with the passwords they had; who is a member of whom is as it is."""
        for user in self._verifiers().keys() - self._backup.keys():
            self._execute("DROP ROLE {}", user)
        for user, verifier in self._backup.items():
            self._give(user, verifier)

    def _give(self, user: str, password: str) -> None:
        """Give a user a password, or a verifier as it was stored; one who is gone comes back."""
        if user not in self._verifiers():
            self._execute("CREATE ROLE {} LOGIN", user)
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(password))
        self._administrator.execute(statement)

    def _execute(self, statement: str, *names: str) -> None:
        self._administrator.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _heal_table(self) -> None:
        self._is_slow = False
        self._world.aws.clear_faults()
        self._world.aws.latency.clear()
