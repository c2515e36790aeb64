"""A headless Chromium, and the page in its two forms: a file, and served live.

Chromium is Debian's (`apt-get install chromium`). Where tests run unattended (CI=true) a missing one is a failure.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from dashboards.preview.page import write_page
from dashboards.preview.server import PreviewServer
from dashboards.preview.watch import Watch
from tests.browser import scene
from tests.browser.fake_stage import FakeStage
from tests.browser.open_page import OpenPage

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        message = "these tests need a browser: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    before = set(browser.contexts)
    pages = OpenPage(browser)
    yield pages
    for context in set(browser.contexts) - before:
        context.close()


@pytest.fixture(scope="session")
def watch() -> Watch:
    filled = scene.load_watch()
    scene.fill(filled)
    return filled


@pytest.fixture(scope="session")
def page_file(watch: Watch, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(watch.page(scene.NOW), path)
    return path.as_uri()


@pytest.fixture
def stage() -> FakeStage:
    return FakeStage()


@pytest.fixture
def server(stage: FakeStage) -> Iterator[PreviewServer]:
    with PreviewServer(stage) as serving:
        yield serving
