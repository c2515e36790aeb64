"""The demonstration: a secret is rotated as Secrets Manager does it, and what was promised is looked for.

With a step to fail, the cause is real and comes just before that step; it is repaired before Secrets Manager's retry.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from local.demo_failures import failures_on
from local.demo_plan import Plan
from local.demo_proof import Proof, Secrecy
from local.demo_reading import attempt_seen, statistics_of, step_seen
from local.demo_report import AttemptSeen, Check, Demonstration, FailureSeen, LoginSeen, Statistics
from local.demo_screen import Screen
from local.demo_stage import ROTATION_RULES, SECRET_NAME, DemoStage, Line, demo_stage
from local.invocation import Invocation
from local.secrets_manager_rotation import RotationReport, RotationService
from rotation.models import CURRENT, Step
from rotation.settings import StrategyName


def demonstrate(plan: Plan, screen: Screen, check_interruption: Callable[[], None]) -> Demonstration:
    """Set the stage and show what the plan asks for.

    `check_interruption` is called wherever nothing is half done, and may raise to end it there.
    """

    @contextmanager
    def doing(name: str, text: str) -> Iterator[Line]:
        check_interruption()
        with screen.doing(name, text) as line:
            yield line

    began = time.perf_counter()
    screen.heading("Stage")
    strategy = StrategyName(plan.strategy) if plan.strategy else None
    with demo_stage(plan.engine, strategy, doing) as stage:
        seen = perform(plan, stage, screen, check_interruption)
    seen = seen.model_copy(update={"seconds": round(time.perf_counter() - began, 2)})
    screen.verdict(seen)
    return seen


def perform(plan: Plan, stage: DemoStage, screen: Screen, check_interruption: Callable[[], None]) -> Demonstration:
    """Do what the plan asks for on a stage that is set for its strategy."""
    performance = _Performance(stage, screen, check_interruption)
    return performance.rotate_many(plan.count) if plan.count > 1 else performance.rotate_once(plan.fail)


class _Performance:
    """One run on a stage that is set."""

    def __init__(self, stage: DemoStage, screen: Screen, check_interruption: Callable[[], None]) -> None:
        self._stage = stage
        self._screen = screen
        self._check_interruption = check_interruption
        self._service = RotationService(stage.aws, stage.function, self._on_step)
        self._secrecy = Secrecy(stage)
        self._rotation_token = ""
        self._failures = failures_on(stage.target)
        self._to_break: Step | None = None

    def rotate_once(self, fail: Step | None) -> Demonstration:
        """Rotate the secret; with a step to fail, by way of its failure and the retry after that."""
        proof = Proof(self._stage)
        self._to_break = fail
        self._screen.heading("Rotation")
        attempt = self._seen(self._rotate())
        failure, checks = None, []
        if fail is not None:
            failure = self._failure_seen(fail, attempt)
            checks = [*proof.of_failure(failure)]
            self._screen.failure(failure)
            if attempt.failed_step == fail:
                attempt = self._seen(self._repair_and_retry(fail))
        logins = proof.logins()
        seen = self._concluded(attempt, logins, [*checks, *proof.of_rotation(attempt, *logins)], failure=failure)
        self._screen.proof(seen)
        if failure is None or attempt.failed_step:
            self._screen.evidence(attempt)
        return seen

    def rotate_many(self, count: int) -> Demonstration:
        """Rotate the secret again and again, proving every rotation; the first that is not as it should be is the last."""
        durations: dict[str, list[float]] = defaultdict(list)
        seconds, proven = 0.0, 0
        with self._screen.counting(count) as advance:
            while proven < count:
                proof = Proof(self._stage)
                began = time.perf_counter()
                report = self._rotate()
                seconds += time.perf_counter() - began
                for step, invocation in report.invocations.items():
                    durations[step].append(invocation.duration_ms)
                attempt, logins = self._seen(report, traced=False), proof.logins()
                checks = [*proof.of_rotation(attempt, *logins)]
                if not all(check.holds for check in checks):
                    break
                proven += 1
                advance()
        counted = Check(claim=f"{proven} of {count} rotations were proven so", holds=proven == count)
        statistics = statistics_of(durations, seconds)
        seen = self._concluded(attempt, logins, [*checks, counted], statistics=statistics)
        self._screen.statistics(statistics)
        self._screen.proof(seen)
        if attempt.failed_step:
            self._screen.evidence(attempt)
        return seen

    def _rotate(self) -> RotationReport:
        # The service sends one for other accounts and assumed roles, and then the function has to hand it on.
        self._rotation_token = secrets.token_urlsafe(32)
        return self._service.rotate(SECRET_NAME, rotation_token=self._rotation_token, rotation_rules=ROTATION_RULES)

    def _repair_and_retry(self, failed: Step) -> RotationReport:
        self._screen.heading("Repair, and Secrets Manager's retry with the same token")
        with self._screen.doing("repair", self._failures[failed].repair):
            self._failures[failed].mend_it(self._stage)
        return self._service.retry(SECRET_NAME)

    def _on_step(self, name: str, invocation: Invocation | None) -> None:
        if invocation is not None:
            self._screen.step_ended(step_seen(name, invocation))
        self._check_interruption()
        if invocation is None:
            self._break_if_due(Step(name))
            self._screen.step_began(name)

    def _break_if_due(self, step: Step) -> None:
        if step is self._to_break:
            self._to_break = None
            with self._screen.harming(self._failures[step].cause):
                self._failures[step].break_it(self._stage)

    def _seen(self, report: RotationReport, *, traced: bool = True) -> AttemptSeen:
        """Turn a report into what is shown, and look for what must not be in it.

        To find a trace takes the longer the more there are, so it is left out of many.
        """
        self._secrecy.look(report.log_lines, self._rotation_token)
        traces = [invocation.trace_id for invocation in report.invocations.values()]
        return attempt_seen(report, self._stage.xray.trace_tree(*traces) if traced else ())

    def _failure_seen(self, step: Step, attempt: AttemptSeen) -> FailureSeen:
        failure = self._failures[step]
        return FailureSeen(
            step=step.value,
            cause=failure.cause,
            expected_reason=failure.error.reason,
            attempt=attempt,
            labels=self._stage.labels(),
            login=self._stage.log_in(CURRENT, *self._stage.version(CURRENT)),
            repair=failure.repair,
        )

    def _concluded(
        self,
        attempt: AttemptSeen,
        logins: Sequence[LoginSeen],
        checks: list[Check],
        *,
        failure: FailureSeen | None = None,
        statistics: Statistics | None = None,
    ) -> Demonstration:
        checks = [*checks, self._secrecy.check()]
        return Demonstration(
            engine=self._stage.engine,
            target=self._stage.target.title,
            strategy=self._stage.strategy.name.value,
            secret=attempt.secret,
            failure=failure,
            rotation=attempt,
            statistics=statistics,
            labels=self._stage.labels(),
            logins=tuple(logins),
            checks=tuple(checks),
            ok=all(check.holds for check in checks),
        )
