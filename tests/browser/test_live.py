"""Live mode: the page follows the stage, and switches its failures."""

import json
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from dashboards.preview.server import PreviewServer
from tests.browser.fake_stage import FakeStage
from tests.browser.open_page import OpenPage


def test_an_alarm_turns_red_and_back(open_page: OpenPage, server: PreviewServer, stage: FakeStage) -> None:
    page = open_page(server.url)
    health, tile = page.locator("#health"), page.locator(".tile", has_text="Step failed")
    expect(page.locator("#link")).to_have_text("live")
    expect(health).to_have_text("All quiet")
    expect(tile).to_have_class("tile OK")

    switch = page.locator("[data-fault=login]")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    stage.rotate(2)
    server.publish()
    expect(health).to_have_text("2 alarms ringing")
    expect(tile).to_have_class("tile ALARM")
    expect(page.locator("[aria-label='Failures by reason']")).to_contain_text("login")

    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    stage.rotate(20)
    server.publish()
    expect(health).to_have_text("All quiet")
    expect(tile).to_have_class("tile OK")
    assert open_page.complaints == []


def test_charts_grow_while_rotations_run(open_page: OpenPage, server: PreviewServer, stage: FakeStage) -> None:
    page = open_page(server.url)
    count = page.locator("[aria-label='Rotations in 14 days'] .value").first
    expect(count).to_have_text("20")
    stage.rotate(5)
    server.publish()
    expect(count).to_have_text("25")


def test_what_the_reader_opened_stays_open(open_page: OpenPage, server: PreviewServer, stage: FakeStage) -> None:
    page = open_page(f"{server.url}#alarms")
    alarm = page.locator("[data-alarm='rotation-overdue']")
    alarm.locator("summary").click()
    expect(page.locator("#clock")).to_have_text("16 Feb, 03:32 UTC")
    stage.rotate(1)
    server.publish()
    expect(page.locator("#clock")).to_have_text("16 Feb, 03:33 UTC")
    expect(alarm).to_have_attribute("open", "")


def test_a_dropdown_asks_the_server(open_page: OpenPage, server: PreviewServer) -> None:
    page = open_page(f"{server.url}#rotation-operations")
    slices = page.locator("[aria-label='Outcomes by engine'] .slice")
    expect(slices).to_have_count(2)
    page.locator("select[name=engine]").select_option("postgres")
    expect(slices).to_have_count(1)


def test_the_page_says_when_the_stage_is_gone(open_page: OpenPage, stage: FakeStage) -> None:
    with PreviewServer(stage) as server:
        page = open_page(server.url)
        expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#link")).to_have_text("connection lost")


def answer(url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None) -> int:
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def token(server: PreviewServer) -> str:
    with urllib.request.urlopen(server.url, timeout=5) as response:
        page = response.read().decode()
    start = page.index('type="application/json">') + len('type="application/json">')
    return str(json.loads(page[start : page.index("</script>", start)])["live"]["token"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("faults/login", b'{"on": true}', 200),
        ("faults/login", b'{"on": "yes"}', 400),
        ("faults/login", b"nothing", 400),
        ("faults/absent", b'{"on": true}', 400),
        ("elsewhere/login", b'{"on": true}', 404),
    ],
)
def test_switching(server: PreviewServer, stage: FakeStage, path: str, body: bytes, status: int) -> None:
    assert answer(f"{server.url}{path}", headers={"X-Preview-Token": token(server)}, body=body) == status
    assert stage.faults()[0].on is (status == 200)


def test_only_the_page_may_switch(server: PreviewServer, stage: FakeStage) -> None:
    for headers in ({}, {"X-Preview-Token": "guessed"}):
        assert answer(f"{server.url}faults/login", headers=headers, body=b'{"on": true}') == 403
    assert not stage.faults()[0].on


def test_another_host_name_is_not_served(server: PreviewServer) -> None:
    assert answer(server.url, headers={"Host": "rebound.example.com"}) == 403
    assert answer(f"{server.url}model.json") == 200
    assert answer(f"{server.url}absent") == 404
