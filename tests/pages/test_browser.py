"""The pages in a real browser, against the real server filled by `demo`: every page at three widths, both
themes, with and without script. Skipped where no Chromium is installed.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import httpx
import pytest

from app.pages import site
from tests.conftest import ServiceFactory
from tests.pages.test_live import send
from tests.service import Service

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (360, 1024, 1600)
EDGES = (641, 833, 1201)  # where columns come back, or the navigation beside them
THEMES = ("light", "dark")
STAFF = [page.path for page in site.PAGES if page.path.startswith(site.BASE)]
PATHS = [
    *STAFF,
    site.MEANING.path,
    "/reports/connectors/source-faker",
    "/reports/connectors/destination-bigquery",
    "/reports/connectors?low=show",
    "/reports/nothing",
    "/public",
    "/privacy",
]
# Of one template one page: what else is in PATHS differs in its rows.
AXE_PATHS = [path for path in PATHS if "low=show" not in path and "bigquery" not in path]
SETTLED = "document.fonts.ready.then(() => true)"
# Rows of a table are alike: of a long one its beginning and its end are looked at.
OPEN_AND_SHORTEN = """() => {
  document.querySelectorAll("details.table").forEach((each) => { each.open = true; });
  for (const rows of document.querySelectorAll("tbody, ol, ul")) {
    [...rows.children].slice(6, -6).forEach((each) => each.remove());
  }
}"""
# By the rules named, by all of them if none is. Returns what was found and where.
RUN_AXE = """async (rules) => {
  const options = {resultTypes: ["violations"], ...(rules.length ? {runOnly: rules} : {})};
  const found = await axe.run(document, options);
  const where = (each) => each.nodes.slice(0, 3).map((node) => node.html.slice(0, 120));
  return found.violations.map((each) => [each.id, where(each)]);
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium is installed: the pages are not driven in a browser"
    ),
]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def enter(browser: Any, filled: Service) -> Iterator[Open]:
    """Open a page as somebody who followed the banner's link. What the browser
    complains of fails the test."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def listen(page: Any, service: Service) -> None:
        page.on("console", lambda message: note(message, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complain_of_strangers(request.url, service, complaints))

    def enter_page(service: Service = filled, **settings: Any) -> Any:
        context = browser.new_context(**settings)
        contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        listen(page, service)
        page.goto(f"{service.url}/reports?token={service.report_token}")
        assert service.report_token not in page.url
        return page

    yield enter_page
    for context in contexts:
        context.close()
    assert [each for each in complaints if "404" not in each] == []


def note(message: Any, complaints: list[str]) -> None:
    """Errors and warnings: violations of the policy are errors."""
    if message.type in ("error", "warning"):
        complaints.append(f"{message.type}: {message.text}")


def complain_of_strangers(url: str, service: Service, complaints: list[str]) -> None:
    if not url.startswith((service.url, "data:")):
        complaints.append(f"request of {url}")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_every_page_fits_and_keeps_the_policy(enter: Open, filled: Service, script: bool) -> None:
    page = enter(java_script_enabled=script)
    for path in PATHS:
        page.goto(f"{filled.url}{path}", wait_until="load")
        assert page.locator("h1").count() == 1, path
        assert page.locator("[hidden]:visible").count() == 0, path
        if script:
            assert page.evaluate(SETTLED)
        for width, theme in [*product(WIDTHS, THEMES), *((width, "light") for width in EDGES)]:
            show(page, width, theme)
            assert page.locator("html").bounding_box()["width"] <= width, (path, theme)
            if script:
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, theme)


def test_axe_finds_nothing(enter: Open, filled: Service) -> None:
    """Of the rules only that of contrast depends on the theme. What is seen depends on the width."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = enter(bypass_csp=True)
    for path in [*AXE_PATHS, "/reports/login"]:
        page.goto(f"{filled.url}{path}")
        page.evaluate("document.querySelectorAll('details.table').forEach((each) => { each.open = true; })")
        page.evaluate(axe.axe_script)
        for width, theme in product((1600, 360), THEMES):
            show(page, width, theme)
            found = page.evaluate(RUN_AXE, [] if theme == "light" else ["color-contrast"])
            assert found == [], (path, width, theme)


def show(page: Any, width: int, theme: str) -> None:
    """Let a page that is there be so wide, light or dark."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)


def test_sorting_and_filtering_in_place(enter: Open, filled: Service) -> None:
    page = enter(viewport={"width": 1440, "height": 900})
    page.goto(f"{filled.url}/reports/connectors")
    heading = page.locator('th[data-sort="units"]')
    heading.locator("a").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    values = [
        float(v)
        for v in page.locator("tbody tr td:nth-child(3)").evaluate_all("all => all.map(e => e.dataset.v)")
    ]
    assert values == sorted(values, reverse=True)
    assert "sort=units" in page.url
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("faker")
    assert page.locator("tbody tr:visible").count() == 1
    assert re.fullmatch(r"1 of \d+ connectors", page.locator("[data-status]").inner_text())
    page.keyboard.press("Enter")
    page.wait_for_url("**q=faker**")
    assert page.locator("tbody tr").first.get_attribute("data-name") == "source-faker"


def test_filters_close_on_escape_and_one_is_open_at_a_time(enter: Open, filled: Service) -> None:
    page = enter(viewport={"width": 1440, "height": 900})
    first, second = page.locator("details.filter").nth(0), page.locator("details.filter").nth(1)
    first.locator("summary").click()
    second.locator("summary").click()
    assert first.get_attribute("open") is None
    assert second.get_attribute("open") is not None
    page.keyboard.press("Escape")
    assert second.get_attribute("open") is None
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    first.locator("summary").click()
    first.get_by_text("7 days").click()
    page.wait_for_url("**window=7d")
    assert page.locator("details.filter.changed").count() == 1


def test_the_menu_of_a_narrow_page(enter: Open, filled: Service) -> None:
    page = enter(viewport={"width": 360, "height": 800})
    page.get_by_text("Menu", exact=True).click()
    page.locator("details.menu a", has_text="Funnel").click()
    page.wait_for_url("**/reports/funnel")


def test_arrow_keys_read_a_picture_out(enter: Open, filled: Service) -> None:
    page = enter(viewport={"width": 1440, "height": 900})
    chart = page.locator("figure svg.days")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    last = page.locator("figure output").inner_text()
    page.keyboard.press("ArrowLeft")
    before = page.locator("figure output").inner_text()
    assert "syncs" in last
    assert "syncs" in before
    assert last != before


def test_logging_out_and_in_by_hand(enter: Open, filled: Service) -> None:
    page = enter(viewport={"width": 1440, "height": 900})
    page.goto(f"{filled.url}/reports/regressions")
    page.locator(".side-foot").get_by_text("Log out").click()
    page.wait_for_url("**/reports/login")
    page.locator("#token").fill(filled.report_token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/reports")
    assert page.locator("h1").inner_text() == "What to fix first"


def test_the_live_list_moves_and_can_be_paused(make_service: ServiceFactory, enter: Open) -> None:
    service = make_service()
    page = enter(service, viewport={"width": 1440, "height": 900})
    page.goto(f"{service.url}/reports/live")
    page.get_by_text("Live", exact=True).last.wait_for()
    send(service, state="failed", exception={"class": "AirbyteConnectorFailedError"})
    row = page.locator(".stream li.failed-row", has_text="AirbyteConnectorFailedError")
    row.first.wait_for()
    page.locator("[data-pause]").click()
    assert page.locator("[data-pause]").get_attribute("aria-pressed") == "true"
    send(service, session_id="01M8322HVQJ1FKNYHW4HTKE73J", source={"name": "source-github"})
    page.locator("[data-total=accepted]", has_text="2").wait_for()
    assert page.locator(".stream li", has_text="source-github").count() == 0
    page.locator("[data-pause]").click()
    page.locator(".stream li", has_text="source-github").first.wait_for()


def test_the_empty_page_turns_by_itself(make_service: ServiceFactory, enter: Open) -> None:
    service = make_service()
    page = enter(service, viewport={"width": 1024, "height": 900})
    assert page.locator("h1").inner_text() == "No events yet"
    send(service)
    page.get_by_text("What to fix first").wait_for()


def test_numbers_of_the_overview_are_those_of_its_twin(
    enter: Open, filled: Service, reader: httpx.Client
) -> None:
    page = enter(viewport={"width": 1600, "height": 900})
    rows = reader.get("/reports/home.json").json()["rows"]
    fleet = {row["item"]: row["value"] for row in rows if row["section"] == "fleet"}
    shown = page.locator("dl.figures dd.number").all_inner_texts()
    assert shown[0].replace("\u00a0", " ") == f"{fleet['capped rate'] * 100:.1f} %"
    assert shown[1].split()[0] == f"{fleet['affected users']:,.0f}"
    assert shown[2] == f"{fleet['users']:,.0f}"
    assert shown[3] == f"{fleet['attempted syncs']:,.0f}"
    top = [row for row in rows if row["section"] == "top"]
    names = page.locator("section[aria-labelledby=top] tbody th a").all_inner_texts()
    assert [name.partition(",")[0] for name in names] == [row["item"] for row in top]
    burdens = page.locator("section[aria-labelledby=top] tbody td:last-child span").all_inner_texts()
    assert burdens == [f"{row['value']:,.1f}" for row in top]
    days = [row for row in rows if row["section"] == "day"][28:]
    page.locator("details.table summary").first.click()
    table = page.locator("details.table tbody tr td:nth-child(2)").all_inner_texts()
    assert table == [f"{row['attempts']:,}" for row in reversed(days)]


def test_numbers_of_a_connector_are_those_of_its_twin(
    enter: Open, filled: Service, reader: httpx.Client
) -> None:
    page = enter(viewport={"width": 1600, "height": 900})
    page.goto(f"{filled.url}/reports/connectors/source-faker")
    rows = reader.get("/reports/connectors/source-faker.json").json()["rows"]
    [total] = [row for row in rows if row["section"] == "total"]
    shown = page.locator("dl.figures dd.number").all_inner_texts()
    assert shown[:3] == [f"{total['burden']:,.1f}", f"{total['units']:,}", f"{total['attempts']:,}"]
    errors = [row for row in rows if row["section"] == "error"]
    failures = page.locator("th.exception + td").all_inner_texts()
    assert failures == [f"{row['failed']:,}" for row in errors[:7]]
    page.locator("details.markdown summary").click()
    text = page.locator("details.markdown code").inner_text()
    assert f"for {total['affected_units']:,} of {total['units']:,} users" in text
    assert f"{filled.url}/reports/connectors/source-faker" in text


def test_it_prints_without_navigation(enter: Open, filled: Service) -> None:
    page = enter(viewport={"width": 1024, "height": 900})
    page.emulate_media(media="print")
    assert not page.locator("header.side").is_visible()
    assert page.locator("table").first.is_visible()
