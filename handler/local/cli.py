"""The command line `rotation`. Each command imports what it needs when it is called, so that help is there at once."""

import errno
import re
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from local.demo_plan import Plan, Strategy
from local.demo_report import Demonstration
from local.demo_screen import THEME, WIDTH, Screen
from local.interruption import Interruption
from local.plain_characters import allow_any_encoding
from local.targets import TARGETS
from rotation.models import Step


def _new_app(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,  # a traceback with the values of variables would show passwords
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


app = _new_app(no_args_is_help=True)


def _one_of(choices: type[StrEnum]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}"


def _known_engine(name: str) -> str:
    if name not in TARGETS:
        raise typer.BadParameter(f"there is no server for {name} here: choose of {', '.join(TARGETS)}.")
    return name


_DEMO_ENDING = """
**Exit codes**

- 0: all that was promised was seen; with --fail also the failure, its report and the retry
- 1: something was not, and its check is marked; or the stage could not be set
- 2: wrong arguments
- 130, 143: ended by Ctrl-C or SIGTERM, with nothing left running
"""


@app.callback()
def rotation() -> None:
    """Rotate secrets on this machine: the deployed handler, a real database, and no AWS account."""


@app.command(epilog=_DEMO_ENDING)
def demo(
    *,
    engine: Annotated[
        str,
        typer.Option(metavar="ENGINE", callback=_known_engine, help=f"Of which the secret is: {', '.join(TARGETS)}."),
    ] = "postgres",
    strategy: Annotated[
        Strategy | None,
        typer.Option(
            metavar="STRATEGY",
            help=f"Which user gets the new password, and from whom: {_one_of(Strategy)}. By default the engine's simplest.",
        ),
    ] = None,
    fail: Annotated[
        Step | None,
        typer.Option(
            metavar="STEP",
            help=f"Cause a real failure in a step ({_one_of(Step)}), show what an operator sees, repair the cause, retry.",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, metavar="N", help="Rotate the secret N times in a row, and show how long steps take.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with all that was seen instead.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--svg", metavar="FILE", dir_okay=False, writable=True, help="Save what is shown as a picture, too."),
    ] = None,
) -> None:
    """Rotate a secret before your eyes, in seconds, and prove it with logins.

    Starts a server and the parts of AWS that a rotation needs, invokes the function step by step as Secrets Manager
    does, and shows the metrics, the log and the trace it leaves. No password is ever shown.
    """
    if fail is not None and count > 1:
        raise typer.BadParameter("it shows one rotation: leave out --count.", param_hint="--fail")
    recorder = Console(record=True, file=StringIO(), width=WIDTH, theme=THEME) if picture else None
    seen = _perform(Plan(strategy, engine, fail, count), Screen(Console(quiet=as_json, theme=THEME), recorder))
    if as_json:
        sys.stdout.write(seen.model_dump_json(indent=2) + "\n")
    if picture and recorder:
        svg = recorder.export_svg(title="rotation demo")
        # Without the reference to a font on the web: the picture is to need no network.
        picture.write_text(re.sub(r"@font-face {.*?}", "", svg, flags=re.DOTALL))
    raise typer.Exit(0 if seen.ok else 1)


_PREVIEW_ENDING = """
**Examples**

- `aws logs tail /aws/lambda/NAME --since 14d | rotation preview - --open`
- `rotation preview --live --open`

**Exit codes**

- 0: the page is written
- 1: something could not be read or started, or holds no metric; the message says what
- 2: wrong arguments
- 130, 143: ended by Ctrl-C or SIGTERM, with nothing left running
"""


@app.command(epilog=_PREVIEW_ENDING)
def preview(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Files of log lines, as the functions wrote them; - is standard input."),
    ] = None,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Start the stage, rotate, and serve a page that switches failures.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="With --live: the page's port, by default a free one.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PAGE", dir_okay=False, help="Where the page goes, by default a temporary file."
        ),
    ] = None,
    is_opened: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            metavar="NAME=VALUE",
            help="A parameter of the template that was not left at its default; repeatable.",
        ),
    ] = None,
    stack_name: Annotated[
        str | None,
        typer.Option("--stack-name", metavar="NAME", help="The stack's name, by default the metrics' dimension service."),
    ] = None,
    log_groups: Annotated[
        list[str] | None,
        typer.Option(
            "--log-group",
            metavar="NAME",
            help="The files' log group, by default the rotation function's; repeatable, one a file.",
        ),
    ] = None,
    traces: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="X-Ray segments, one a line or as `aws xray batch-get-traces` answers; repeatable."
        ),
    ] = None,
) -> None:
    """Show the template's own dashboards and alarms without AWS: of recorded log lines, or live.

    The alarms are evaluated minute by minute over what the lines hold. What AWS measures itself (Lambda's errors, throttles)
    is in no log line, so that only the live page has it.
    """
    if live:
        if files or output or parameters or stack_name or log_groups or traces:
            raise typer.BadParameter("it makes its own rotations: leave out all but --port and --open.", param_hint="--live")
        _preview_live(port or 0, is_opened=is_opened)
    if port is not None:
        raise typer.BadParameter("a page in a file has none: add --live.", param_hint="--port")
    if not files:
        raise typer.BadParameter("name files of log lines, or - for standard input, or choose --live.", param_hint="FILE")
    with _all_installed("preview"):
        from dashboards.preview.command import Recording, parse_parameters, write_preview  # noqa: PLC0415
        from dashboards.preview.documents import PreviewError  # noqa: PLC0415
    try:
        recording = Recording(files, log_groups or (), traces or (), stack_name, parse_parameters(parameters or ()))
        page = write_preview(recording, output)
    except PreviewError as error:
        sys.exit(f"rotation preview: {error}")
    sys.stdout.write(f"{page}\n")
    if is_opened:
        webbrowser.open(page.resolve().as_uri())


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def drill(context: typer.Context) -> None:
    """Cause every failure for real, and see which alarms ring. Takes some minutes."""
    with _all_installed("drill"):
        from dashboards.drill import command  # noqa: PLC0415
    # It declares its own options; here they are only passed on, because to import it takes a second.
    drilling = _new_app()
    drilling.command()(command.drill)
    drilling(context.args, prog_name=context.command_path)


_VERIFY_ENDING = """
**Exit codes**

- 0: no test failed, and in no section anything was lost, silent or leaked
- 1: otherwise
- 2: wrong arguments
- 130, 143: ended by Ctrl-C or SIGTERM
"""


@app.command(epilog=_VERIFY_ENDING)
def verify(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PYTEST ARGUMENT]", help="pytest's own, such as a file to run instead of all; after --."),
    ] = None,
    *,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Try everything there is to try, however long it takes.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as JSON; - is standard output.", allow_dash=True)
    ] = None,
) -> None:
    """Try faults, duplicates, lack of time and hostile input, and count what was lost, silent or leaked.

    Runs the tests of the checkout that carry the marker `reliability`, with a real PostgreSQL and a local AWS.
    """
    from local.verify import NoCheckoutError  # noqa: PLC0415
    from local.verify import verify as run  # noqa: PLC0415

    with Interruption() as interruption:
        try:
            verification = run(arguments or (), interruption, thorough=thorough)
        except NoCheckoutError as error:
            sys.exit(f"rotation verify: {error}")
    if json == Path("-"):
        sys.stdout.write(verification.to_json())
    elif json is not None:
        json.write_text(verification.to_json())
    sys.stderr.write(f"{verification.sentence()}\n")
    if not verification.is_clean:
        sys.exit(1)


def main() -> None:
    """Run the command that the arguments name."""
    allow_any_encoding(sys.stdout)
    app()


def _perform(plan: Plan, screen: Screen) -> Demonstration:
    """Run the demonstration; end the program with a sentence where that cannot be done."""
    with Interruption() as interruption, closing(screen):
        screen.title(plan.engine, plan.strategy)
        # Imported under the title's eyes: moto and boto3 take their time.
        from local.demo import demonstrate  # noqa: PLC0415
        from local.demo_stage import StrategyImpossibleError  # noqa: PLC0415
        from local.server_process import ServerError  # noqa: PLC0415

        try:
            return demonstrate(plan, screen, interruption.check)
        except StrategyImpossibleError as error:
            raise typer.BadParameter(str(error), param_hint="--strategy") from None
        except (ServerError, OSError) as error:
            sys.exit(f"rotation demo: the stage could not be set: {error}")
        except SystemExit:
            if interruption.noted:
                sys.stderr.write(f"rotation demo: ended by {interruption.noted.name}; nothing is left running\n")
            raise


def _preview_live(port: int, *, is_opened: bool) -> NoReturn:
    """Serve the live page until a signal ends it."""
    with Interruption() as interruption:
        sys.stderr.write("Starting PostgreSQL, a local AWS and the three functions ...\n")
        with _all_installed("preview"):
            from dashboards.live.command import run_live  # noqa: PLC0415
            from local.server_process import ServerError  # noqa: PLC0415
        try:
            run_live(port, interruption.check, is_opened=is_opened)
        except (ServerError, OSError) as error:
            is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            told = f"--port {port} is taken: choose another, or leave it out" if is_taken else error
            sys.exit(f"rotation preview: {told}")
        except SystemExit:
            if interruption.noted:
                sys.stderr.write(f"rotation preview: ended by {interruption.noted.name}; nothing is left running\n")
            raise


@contextmanager
def _all_installed(command: str) -> Iterator[None]:
    """End the program with a sentence where a package is missing that the block imports."""
    try:
        yield
    except ModuleNotFoundError as missing:
        sys.exit(
            f"rotation {command}: the package {missing.name} is not installed: run it with `uv run`, or `uv sync` first"
        )
