"""The pages in Firefox, against the real server filled by `demo`. Skipped where none is installed."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from tests.conftest import ServiceFactory
from tests.look import wait_until
from tests.pages.bidi import FIREFOX, Firefox
from tests.pages.test_browser import PATHS, WIDTHS
from tests.pages.test_live import send
from tests.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(FIREFOX is None, reason="no Firefox is installed: the pages are not driven in it"),
]
ENTER, ESCAPE, ARROW_LEFT = "\ue007", "\ue00c", "\ue012"  # of WebDriver


@pytest.fixture(params=["light", "dark"])
def firefox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Firefox]:
    """A browser of either theme. What its console says, and requests of other hosts, fail the test."""
    with Firefox(tmp_path / "profile", dark=request.param == "dark") as browser:
        yield browser
        assert [each for each in browser.complaints if "404" not in each] == []


def enter(firefox: Firefox, service: Service) -> None:
    """Follow the banner's link."""
    firefox.visit(f"{service.url}/reports?token={service.report_token}")
    assert service.report_token not in firefox.ask("location.href")


def test_every_page_fits_and_keeps_the_policy(firefox: Firefox, filled: Service) -> None:
    enter(firefox, filled)
    assert firefox.ask("matchMedia('(prefers-color-scheme: dark)').matches") in (True, False)
    for width in WIDTHS:
        firefox.resize(width)
        for path in PATHS:
            firefox.visit(f"{filled.url}{path}")
            assert firefox.ask("document.fonts.ready.then(() => innerWidth)") == width
            assert firefox.ask("document.documentElement.scrollWidth") <= width, (path, width)
            assert firefox.ask("document.querySelectorAll('h1').length") == 1, path
            assert firefox.ask("violations") == [], path
    assert [url for url in firefox.requests if not url.startswith((filled.url, "data:"))] == []


def test_axe_finds_nothing(firefox: Firefox, filled: Service) -> None:
    """Its rules are those of Chromium's run over all pages: here the pages of the most kinds of parts."""
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    enter(firefox, filled)
    firefox.resize(1600)
    for path in ("/reports", "/reports/connectors/source-faker", "/reports/live", "/public"):
        firefox.visit(f"{filled.url}{path}")
        firefox.ask("document.querySelectorAll('details.table').forEach((each) => { each.open = true; })")
        firefox.send("script.evaluate", expression=axe, target={"context": firefox.page}, awaitPromise=False)
        found = firefox.ask("axe.run().then((all) => all.violations.map((each) => each.id))")
        assert found == [], path


def test_keys_sort_filter_close_and_read_out(firefox: Firefox, filled: Service) -> None:
    firefox.resize(1440)
    enter(firefox, filled)
    firefox.ask("document.querySelector('figure svg.days').focus()")
    firefox.press(ARROW_LEFT)
    assert "syncs" in firefox.ask("document.querySelector('figure output').textContent")
    firefox.ask("document.querySelector('details.filter summary').click()")
    assert firefox.ask("document.querySelectorAll('details.filter[open]').length") == 1
    firefox.press(ESCAPE)
    assert firefox.ask("document.querySelectorAll('details.filter[open]').length") == 0
    firefox.visit(f"{filled.url}/reports/recovery")
    firefox.ask("document.querySelector('th[data-sort=failed_units] a').focus()")
    firefox.press(ENTER)
    values = firefox.ask(
        "[...document.querySelectorAll('tbody tr[data-name] td:nth-child(3)')].map((e) => +e.dataset.v)"
    )
    assert values == sorted(values, reverse=True)
    assert len(values) > 1
    firefox.press("/", *"faker")
    assert (
        firefox.ask("[...document.querySelectorAll('tbody tr[data-name]')].filter((e) => !e.hidden).length")
        == 1
    )


def test_the_live_list_moves(make_service: ServiceFactory, firefox: Firefox) -> None:
    service = make_service()
    enter(firefox, service)
    firefox.visit(f"{service.url}/reports/live")
    wait_until(
        lambda: firefox.ask("document.querySelector('[data-state]').textContent") == "Live", "not live"
    )
    send(service, state="failed", exception={"class": "AirbyteConnectorFailedError"})
    row = "document.querySelector('.stream li.failed-row')?.textContent ?? ''"
    wait_until(lambda: "AirbyteConnectorFailedError" in firefox.ask(row), "the event is not shown")
