"""`rotation preview --live`, the command itself: real rotations on the page, and failures that the page really causes."""

import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.open_page import OpenPage
from tests.browser.test_page import show, widgets_without_data

ROTATION = Path(sys.executable).with_name("rotation")
LONG = 30_000
"""Milliseconds; far more than it takes, even on a busy machine."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the program has its temporary files; the account that runs the database has to get there."""
    with tempfile.TemporaryDirectory(prefix="live-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def program(folder: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": str(folder)}
    command = [str(ROTATION), "preview", "--live"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def first_line(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def is_listening(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def processes_in(folder: Path) -> list[str]:
    """The processes that were told of the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if str(folder).encode() in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                found.append(process.name)
    return found


def alarm(page: Page, name: str) -> Locator:
    return page.locator(f".tile[title='drill-{name}']")


def test_failures_that_the_page_switches_ring_and_clear(
    open_page: OpenPage, program: subprocess.Popen[str], folder: Path
) -> None:
    page = open_page(first_line(program))
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("[aria-label='Oldest credential'] .value")).to_have_text(re.compile(r"^19"), timeout=LONG)
    expect(page.locator("[aria-label='Succeeded'] .value")).to_have_text(re.compile(r"^\d\d"), timeout=LONG)
    assert widgets_without_data(page) == []
    expect(page.locator("#health")).to_have_text("All quiet")

    page.locator("[data-fault=database-down]").click()
    for name in ("rotation-failed", "rotation-unhealthy", "cause-network"):
        expect(alarm(page, name)).to_have_class("tile ALARM", timeout=LONG)
    show(page, "drill-operations")
    refusal = page.locator("[aria-label^='Latest failures']").get_by_text("refuses connections").first.inner_text()
    port = int(refusal.rsplit(maxsplit=1)[-1])
    assert not is_listening(port)

    show(page, "drill-overview")
    page.locator("[data-fault=probe-dead]").click()
    expect(page.locator("[data-fault=database-down]")).to_have_attribute("aria-checked", "false")
    expect(alarm(page, "rotation-failed")).to_have_class("tile OK", timeout=LONG)
    assert is_listening(port)
    expect(alarm(page, "probe-silent")).to_have_class("tile ALARM", timeout=LONG)

    page.locator("[data-fault=probe-dead]").click()
    expect(page.locator("#health")).to_have_text("All quiet", timeout=LONG)
    show(page, "rotations")
    expect(page.locator(".rotation", has=page.locator(".state.ALARM")).first).to_be_visible()
    assert open_page.complaints == []

    show(page, "drill-overview")
    page.locator("[data-fault=import-error]").click()
    expect(alarm(page, "function-broken")).to_have_class("tile ALARM", timeout=LONG)
    program.send_signal(signal.SIGINT)
    told, said = program.communicate(timeout=LONG / 1000)
    assert program.returncode == 130
    assert "nothing is left running" in said
    for line in ("ALARM  drill-rotation-failed", "OK     drill-rotation-failed", "ALARM  drill-probe-silent"):
        assert line in told
    assert processes_in(folder) == []
    assert list(folder.iterdir()) == []
