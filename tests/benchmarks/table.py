"""The one table that is printed."""

from rich.table import Table

from tests.benchmarks.contestants import Rotation
from tests.benchmarks.figures import CALL_TARGETS, COLD_TARGET, WALL_TARGET, Comparison, Figures

_PHASES = {"secretsmanager": "Secrets Manager", "dynamodb": "DynamoDB", "target": "PostgreSQL"}


def table_of(figures: Figures) -> Table:
    """Every figure of a run, with a verdict where there is a target."""
    table = Table(title="One rotation (four steps): the product with everything on, against the bare baseline")
    table.add_column("")
    for heading in ("product", "bare", "ratio of medians", "median of ratios", "target"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    _warm(table, figures)
    _cold(table, figures)
    _footprint(table, figures)
    _imports(table, figures)
    return table


def _warm(table: Table, figures: Figures) -> None:
    table.add_section()
    wall = figures.compare_warm(lambda rotation: rotation.wall_ms)
    _compared(table, "warm: wall time, ms", wall, WALL_TARGET)
    for phase, name in _PHASES.items():
        table.add_row(f"warm: of that in calls to {name}, ms", f"{figures.phase_ms(phase):.1f}")
    _compared(table, "warm: CPU time of the function, ms", figures.compare_warm(lambda rotation: rotation.cpu_ms))
    for service, most in CALL_TARGETS.items():
        product, bare = figures.calls(service)
        table.add_row(
            f"warm: {_PHASES[service]} calls", str(product), str(bare), "", "", f"≤ {most}", _verdict(met=product <= most)
        )
    for service in CALL_TARGETS:
        calls = figures.every_step_cold.calls[service]
        table.add_row(f"every step cold: {_PHASES[service]} calls", str(calls))


def _cold(table: Table, figures: Figures) -> None:
    table.add_section()
    floor = figures.runtime_alone_ms
    _compared(table, "cold: process start to end of createSecret, ms", figures.compare_cold())
    table.add_row("cold: of that the runtime itself, ms", f"{floor:.1f}", f"{floor:.1f}")
    difference = figures.compare_cold(floor_ms=floor)
    _compared(table, "cold: import to end of createSecret, ms", difference, COLD_TARGET)


def _footprint(table: Table, figures: Figures) -> None:
    table.add_section()
    _compared(table, "memory high-water mark, MB", figures.compare_warm(lambda rotation: rotation.memory_mb))
    for name, measure in (("log, bytes a rotation", _log_bytes), ("trace, bytes a rotation", _trace_bytes)):
        product, bare = figures.medians(measure)
        table.add_row(name, f"{product:.0f}", f"{bare:.0f}")
    table.add_row("artefact unpacked, MB", f"{figures.unpacked_bytes / 1e6:.1f}")
    table.add_row("artefact zipped, MB", f"{figures.zipped_bytes / 1e6:.1f}")


def _imports(table: Table, figures: Figures) -> None:
    table.add_section()
    total = sum(figures.imports_ms.values())
    table.add_row("imports (slowed by profiling), ms and share", f"{total:.1f}", "", "100 %")
    for owner, milliseconds in figures.imports_ms.items():
        table.add_row(f"  {owner}", f"{milliseconds:.1f}", "", f"{milliseconds / total:.0%}")


def _compared(table: Table, name: str, comparison: Comparison, target: float | None = None) -> None:
    goal = ("", "") if target is None else (f"≤ {target:.1f} x", _verdict(met=comparison.meets(target)))
    ratios = f"{comparison.ratio:.2f} x", f"{comparison.pairwise_ratio:.2f} x"
    table.add_row(name, f"{comparison.product:.1f}", f"{comparison.baseline:.1f}", *ratios, *goal)


def _log_bytes(rotation: Rotation) -> float:
    return rotation.log_bytes


def _trace_bytes(rotation: Rotation) -> float:
    return rotation.trace_bytes


def _verdict(*, met: bool) -> str:
    return "[green]met[/]" if met else "[red]missed[/]"
