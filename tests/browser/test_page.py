"""The page as a file: every widget draws data, in light and dark, on a desk and on a phone, with no network at all."""

import pytest
from playwright.sync_api import Page, expect

from dashboards.preview.page import write_page
from dashboards.preview.watch import Watch
from tests.browser import scene
from tests.browser.open_page import OpenPage

PHONE = (390, 844)
# What shows that a widget drew something, by the kind of widget.
MARKS = ".trace, .slice, .indicatorlayer .value-arc, .number .value, .bars i, table.data tbody tr, .tile, .text > *"


def show(page: Page, tab: str) -> None:
    page.locator(f"[id='tab-{tab}']").click()
    expect(page.locator("#main")).to_have_attribute("data-shown", tab)


def widgets_without_data(page: Page) -> list[str]:
    names: list[str] = page.locator(".widget").evaluate_all(
        """(widgets, marks) => widgets
            .filter((widget) => !widget.querySelector(marks) || widget.querySelector(".nothing"))
            .map((widget) => widget.getAttribute("aria-label"))""",
        MARKS,
    )
    return names


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), PHONE], ids=["desk", "phone"])
def test_every_widget_draws_data(
    open_page: OpenPage, page_file: str, watch: Watch, scheme: str, size: tuple[int, int]
) -> None:
    page = open_page(page_file, scheme=scheme, size=size)
    for board in watch.dashboards:
        show(page, board.name)
        expect(page.locator(".widget")).to_have_count(len(board.body["widgets"]))
        assert widgets_without_data(page) == []
    assert open_page.complaints == []


def test_nothing_is_fetched(open_page: OpenPage, page_file: str) -> None:
    open_page(page_file)
    assert [url for url in open_page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_series_is_drawn_with_its_real_values(open_page: OpenPage, page_file: str) -> None:
    page = open_page(page_file)
    per_day = page.locator("[aria-label='Rotations per day'] .plot").evaluate("(plot) => plot.data")
    assert [trace["name"] for trace in per_day] == ["succeeded", "failed"]
    assert sum(value or 0 for value in per_day[0]["y"]) == 168
    assert sum(value or 0 for value in per_day[1]["y"]) == 3


def test_colours_follow_the_switch(open_page: OpenPage, page_file: str) -> None:
    page = open_page(page_file)
    background = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    switch = page.locator("#theme")
    switch.click()
    assert page.evaluate(background) == light
    switch.click()
    assert page.evaluate(background) != light
    assert widgets_without_data(page) == []


def test_the_phone_has_one_column_and_no_sideways_scrolling(open_page: OpenPage, page_file: str) -> None:
    page = open_page(page_file, size=PHONE)
    for tab in ("alarms", "rotations", "rotation-operations", "rotation-overview"):
        show(page, tab)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    lefts = page.locator(".widget").evaluate_all("(widgets) => widgets.map((w) => w.getBoundingClientRect().left)")
    assert len(set(lefts)) == 1


def test_the_alarm_wall_tells_what_rings_why_and_since_when(open_page: OpenPage, page_file: str) -> None:
    page = open_page(page_file)
    expect(page.locator("#health")).to_have_text("2 alarms ringing")
    page.locator(".tile", has_text="Step failed").click()
    alarm = page.locator("[data-alarm='rotation-step-failed']")
    expect(alarm).to_have_attribute("open", "")
    expect(alarm.locator(".changes tr")).to_have_count(4)
    expect(alarm.locator(".changes tr").first).to_contain_text("02 Mar, 03:07:00")
    expect(alarm.get_by_role("link", name="runbook")).to_have_attribute("href", "https://example.com/runbook#step-failed")
    expect(alarm).to_contain_text("ticket")
    expect(page.locator("[data-alarm='rotation-unhealthy']")).to_contain_text("in ALARM: rotation-step-failed")


def test_a_dropdown_changes_the_widgets_it_concerns(open_page: OpenPage, page_file: str) -> None:
    page = open_page(f"{page_file}#rotation-operations")
    highest = "(plot) => Math.max(...plot.data[2].y.filter((value) => value !== null))"
    plot = page.locator("[aria-label='Duration of the step'] .plot")
    before = plot.evaluate(highest)
    page.locator("select[name=step]").select_option("finishSecret")
    assert plot.evaluate(highest) < before
    slices = page.locator("[aria-label='Outcomes by engine'] .slice")
    expect(slices).to_have_count(3)
    page.locator("select[name=engine]").select_option("postgres")
    expect(slices).to_have_count(2)


def test_a_waterfall_per_rotation_shows_where_it_broke(open_page: OpenPage, page_file: str) -> None:
    page = open_page(f"{page_file}#rotations")
    expect(page.locator(".rotation")).to_have_count(4)
    broken = page.locator(".rotation", has=page.locator(".state.ALARM"))
    expect(broken).to_have_attribute("open", "")
    expect(broken.locator(".span.root")).to_have_count(2)
    expect(broken.locator(".span.fault .why")).to_have_text("TargetError: password authentication failed")


def test_tabs_work_from_the_keyboard(open_page: OpenPage, page_file: str) -> None:
    page = open_page(page_file)
    page.locator("#tabs [aria-selected=true]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tabs [aria-selected=true]")).to_have_text("Operations")
    expect(page.locator("#tabs [aria-selected=true]")).to_be_focused()


def test_markup_in_the_data_is_shown_and_not_obeyed(
    open_page: OpenPage, watch: Watch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = watch.page(scene.NOW)
    evil = "</script><img src=x onerror=document.title='broken'>"
    model["problems"] = [evil]
    path = tmp_path_factory.mktemp("evil") / "page.html"
    write_page(model, path)
    page = open_page(path.as_uri())
    expect(page.locator(".problems")).to_contain_text(evil)
    expect(page).to_have_title("Secret rotation")
