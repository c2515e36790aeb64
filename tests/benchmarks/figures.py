"""The measurement itself, and what it is brought down to: medians, ratios and verdicts."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local.build_artefact import unpacked_bytes, zipped_bytes
from tests.benchmarks.contestants import Field, Rotation
from tests.benchmarks.deployments import Deployments
from tests.benchmarks.import_profile import import_profile

type Measure = Callable[[Rotation], float]

_WARM_UP = 3
WALL_TARGET, COLD_TARGET = 1.0, 1.6
CALL_TARGETS = {"secretsmanager": 11, "dynamodb": 9}


@dataclass(frozen=True)
class Pair:
    """One rotation by each, run next to each other so that whatever else the machine does weighs on both."""

    product: Rotation
    baseline: Rotation


@dataclass(frozen=True)
class Comparison:
    """Medians of both, and two ways to compare them."""

    product: float
    baseline: float
    pairwise_ratio: float

    @property
    def ratio(self) -> float:
        return self.product / self.baseline

    def meets(self, target: float) -> bool:
        """Whether both ratios are at or below the target."""
        return max(self.ratio, self.pairwise_ratio) <= target


@dataclass(frozen=True)
class Figures:
    """All that one run measured; `imports_ms` by dependency, sizes of the artefact."""

    unpacked_bytes: int
    zipped_bytes: int
    warm: Sequence[Pair]
    cold: Sequence[Pair]
    every_step_cold: Rotation
    runtime_alone_ms: float
    imports_ms: dict[str, float]

    def compare_warm(self, measure: Measure) -> Comparison:
        return _compare(self.warm, measure)

    def medians(self, measure: Measure) -> tuple[float, float]:
        """For what cannot be divided, since the baseline has none of it."""
        return (
            statistics.median(measure(pair.product) for pair in self.warm),
            statistics.median(measure(pair.baseline) for pair in self.warm),
        )

    def compare_cold(self, *, floor_ms: float = 0.0) -> Comparison:
        """Cold starts, less what both have in common."""
        return _compare(self.cold, lambda rotation: rotation.cold_start_ms - floor_ms)

    def calls(self, service: str) -> tuple[int, int]:
        """Calls per warm rotation, of product and baseline; the most there were."""
        return (
            max(pair.product.calls[service] for pair in self.warm),
            max(pair.baseline.calls[service] for pair in self.warm),
        )

    def phase_ms(self, phase: str) -> float:
        """What the product's log lines say it waited for a service."""
        return statistics.median(pair.product.phases_ms[phase] for pair in self.warm)

    @property
    def missed(self) -> list[str]:
        """The targets that were not met."""
        verdicts = {
            "warm wall time": self.compare_warm(lambda rotation: rotation.wall_ms).meets(WALL_TARGET),
            "cold start": self.compare_cold(floor_ms=self.runtime_alone_ms).meets(COLD_TARGET),
            **{f"{service} calls": self.calls(service)[0] <= most for service, most in CALL_TARGETS.items()},
        }
        return [name for name, met in verdicts.items() if not met]


def measure(deployed: Deployments, stage: Field, *, rotations: int, cold_starts: int) -> Figures:
    """Take turns, cold then warm; who goes first changes from pair to pair."""
    runtime_alone, cold = [], []
    for number in range(cold_starts):
        cold.append(_pair(stage, number, cold=True))
        runtime_alone.append(stage.runtime_alone_ms())
    for number in range(_WARM_UP):
        _pair(stage, number)
    warm = [_pair(stage, number) for number in range(rotations)]
    return Figures(
        unpacked_bytes=unpacked_bytes(deployed.product.folder),
        zipped_bytes=zipped_bytes(deployed.product.folder),
        warm=warm,
        cold=cold,
        every_step_cold=stage.product.rotate(every_step_cold=True),
        runtime_alone_ms=statistics.median(runtime_alone),
        imports_ms=import_profile(deployed.product.folder, stage.variables, runs=min(cold_starts, 7)),
    )


def _pair(stage: Field, number: int, *, cold: bool = False) -> Pair:
    if number % 2:
        baseline = stage.baseline.rotate(cold=cold)
        return Pair(stage.product.rotate(cold=cold), baseline)
    return Pair(stage.product.rotate(cold=cold), stage.baseline.rotate(cold=cold))


def _compare(pairs: Sequence[Pair], measure: Measure) -> Comparison:
    both = [(measure(pair.product), measure(pair.baseline)) for pair in pairs]
    product, baseline = zip(*both, strict=True)
    return Comparison(
        statistics.median(product), statistics.median(baseline), statistics.median(ours / bare for ours, bare in both)
    )
