"""`rotation preview --live`: starts the stage, serves the page, and says on the terminal what rings."""

import sys
import webbrowser
from collections.abc import Callable
from typing import NoReturn

from dashboards.live.observed_stage import observed_stage
from dashboards.live.session import MINUTES_PER_TURN, SECONDS_PER_TURN, Session
from dashboards.preview.alarms import AlarmState
from dashboards.preview.server import PreviewServer
from dashboards.preview.watch import Options

_EXPLANATION = f"""\
The function, the database, rotations and failures are real, and so are the times they take.
What lies in between is skipped: {SECONDS_PER_TURN:g} second here is {MINUTES_PER_TURN} minutes on the page's clock.
Failures are switched on the page. Ctrl-C ends it.
"""
_TITLE = f"Secret rotation, live: {SECONDS_PER_TURN:g} s = {MINUTES_PER_TURN} min"


def run_live(port: int, check_interruption: Callable[[], None], *, is_opened: bool) -> NoReturn:
    """Serve the page until `check_interruption` raises; it is called after every turn.

    Raises:
        OSError: the port is taken.
        ServerError: the database does not start.
    """
    with (
        observed_stage(Options(_TITLE, fitted=True)) as stage,
        Session(stage) as session,
        PreviewServer(session, port) as server,
    ):
        sys.stdout.write(f"{server.url}\n{_EXPLANATION}")
        sys.stdout.flush()
        if is_opened:
            webbrowser.open(server.url)
        told = 0

        def after_turn() -> None:
            nonlocal told
            check_interruption()
            server.publish()
            for change in stage.transitions[told:]:
                if AlarmState.ALARM in {change.before, change.after}:
                    sys.stdout.write(f"{change.time:%d %b %H:%M}  {change.after:5}  {change.alarm}\n")
            sys.stdout.flush()
            told = len(stage.transitions)

        session.run(after_turn)
