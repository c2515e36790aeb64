"""The command `rotation drill`."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dashboards.drill.screen import Screen
from local.interruption import Interruption

if TYPE_CHECKING:
    from dashboards.drill.report import DrillReport
    from dashboards.drill.scenario import Scenario


def drill(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="SCENARIO", help="Run this scenario alone; may be given several times. --list names them."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name all scenarios, with the alarms that have to ring.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with all verdicts instead.")] = False,
) -> None:
    """Cause every failure for real, and see which alarms ring.

    Runs the three functions of the template with a real PostgreSQL server and a local AWS on a simulated clock, and
    evaluates the template's own alarms minute by minute: what has to ring must ring, nothing else may, and all must be
    clear again once the cause is gone. Then it looks for alarms that nothing rang, and for metrics that never came.
    The exit code is 0 if all is as it should be, and 1 if anything is not.
    """
    # Imported now: moto and boto3 take their time, and `--help` does not need them.
    from dashboards.drill.scenarios import ALL, GROUPS  # noqa: PLC0415

    screen = Screen(Console(quiet=as_json), {one.name: heading for heading, group in GROUPS.items() for one in group})
    if listed:
        screen.catalogue(GROUPS)
        raise typer.Exit
    by_name = {scenario.name: scenario for scenario in ALL}
    if unknown := sorted({*(only or ())} - by_name.keys()):
        raise typer.BadParameter(f"there is no scenario {', '.join(unknown)}: see --list", param_hint="--only")
    screen.title()
    report = _perform([by_name[name] for name in only] if only else ALL, screen)
    if as_json:
        sys.stdout.write(report.model_dump_json(indent=2) + "\n")
    raise typer.Exit(0 if report.ok else 1)


def _perform(chosen: Sequence["Scenario"], screen: Screen) -> "DrillReport":
    """Run the drill; end the program with a sentence where that cannot be done."""
    from dashboards.drill.deployment import Deployment  # noqa: PLC0415
    from dashboards.drill.perform import perform  # noqa: PLC0415
    from dashboards.preview.documents import PreviewError  # noqa: PLC0415
    from local.server_process import ServerError  # noqa: PLC0415

    with Interruption() as interruption:
        try:
            return perform(Deployment(), chosen, screen, interruption.check)
        except (PreviewError, ServerError, OSError) as error:
            sys.exit(f"rotation drill: the stage could not be set: {error}")
        except SystemExit:
            if interruption.noted:
                sys.stderr.write(f"rotation drill: ended by {interruption.noted.name}; nothing is left running\n")
            raise
