"""Behind a proxy that serves us under a path everything that we send leads there: links,
files, redirections, cookies."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.pages import site
from app.pages.session import COOKIE
from app.web.peers import Peers, parse_networks
from app.web.prefix import Prefixes, place
from tests.pages.prefixing import PrefixingProxy
from tests.samples import USER, basic, clean_event
from tests.service import Service

PREFIX = "/tools/telemetry"
CONNECTOR = f"{site.CONNECTORS.path}/source-faker"
LINK = re.compile(r'(?<! value)="(/[^"]*)"')
MOST = 60  # links that are followed


@pytest.fixture(scope="module")
def trusting(filled: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that believes a proxy on this machine, on the database of the made-up fleet."""
    settings = {"TELEMETRY_TRUSTED_PROXIES": "127.0.0.1"}
    service = Service(tmp_path_factory.mktemp("trusting"), filled.database_url, settings)
    service.start()
    yield service
    service.clean_up()


@pytest.fixture(params=["strips", "keeps"])
def proxy(request: pytest.FixtureRequest, trusting: Service) -> Iterator[PrefixingProxy]:
    """A proxy that strips the prefix from what it sends on, and one that does not."""
    proxy = PrefixingProxy(trusting, PREFIX, strips=request.param == "strips")
    yield proxy
    proxy.close()


@pytest.fixture
def browser(proxy: PrefixingProxy) -> Iterator[httpx.Client]:
    """Whoever logged in through the proxy."""
    with httpx.Client(base_url=proxy.url, timeout=60) as client:
        entered = client.get(f"{PREFIX}/reports", params={"token": proxy.service.report_token})
        assert (entered.status_code, entered.headers["location"]) == (303, f"{PREFIX}/reports")
        assert f"Path={PREFIX}/reports;" in entered.headers["set-cookie"]
        yield client


def test_every_link_leads_under_the_prefix_and_is_answered(browser: httpx.Client) -> None:
    pages = [*sorted(site.PATHS), CONNECTOR, "/public", "/privacy", "/reports/nothing-here"]
    found: set[str] = set()
    for path in pages:
        page = browser.get(f"{PREFIX}{path}", follow_redirects=True)
        links = LINK.findall(page.text)
        assert links, f"{path} has no links"
        assert not [link for link in links if not link.startswith(f"{PREFIX}/")], path
        found.update(link.partition("#")[0].replace("&amp;", "&") for link in links)
    assert any(link.startswith(f"{PREFIX}/static/") for link in found)
    followed = sorted(link for link in found if "/stream" not in link and "/log" not in link)
    for link in followed[:: max(1, len(followed) // MOST)]:
        answer = browser.get(link, follow_redirects=True)
        assert answer.status_code in (200, 501), f"{link}: {answer.status_code}"


def test_login_and_logout_stay_under_the_prefix(browser: httpx.Client, proxy: PrefixingProxy) -> None:
    left = browser.post(f"{PREFIX}/reports/logout")
    assert (left.status_code, left.headers["location"]) == (303, f"{PREFIX}/reports/login")
    assert not browser.cookies.get(COOKIE)
    asked = browser.get(f"{PREFIX}/reports/errors")
    assert f'action="{PREFIX}/reports/login"' in asked.text
    way = re.search(r'name="next" value="([^"]*)"', asked.text)
    assert way is not None
    form = {"token": proxy.service.report_token, "next": way[1]}
    back = browser.post(f"{PREFIX}/reports/login", data=form)
    assert (back.status_code, back.headers["location"]) == (303, f"{PREFIX}/reports/errors")
    assert browser.get(back.headers["location"]).status_code == 200


def test_docs_and_their_document_work_under_the_prefix(browser: httpx.Client) -> None:
    page = browser.get(f"{PREFIX}/docs")
    for name in re.findall(r'(?:href|src)="(docs/[^"]+|openapi.json)"', page.text):
        assert browser.get(f"{PREFIX}/{name}").status_code == 200
    document = browser.get(f"{PREFIX}/openapi.json").json()
    assert document["servers"] == [{"url": PREFIX}]


def test_events_are_taken_and_receipts_found(proxy: PrefixingProxy) -> None:
    at = f"{proxy.url}{PREFIX}"
    sent = httpx.post(
        f"{at}/v1/validate", json=clean_event(), headers=basic(proxy.service.write_key), timeout=60
    )
    assert sent.status_code == 200
    asked = httpx.post(f"{at}/v1/forget", json={"anonymousId": USER.replace("1M9", "1MB")}, timeout=60).json()
    assert asked["url"].startswith(f"{PREFIX}/v1/receipts/")
    assert httpx.get(f"{proxy.url}{asked['url']}", timeout=60).status_code == 200


def test_the_document_is_nobody_elses(trusting: Service, proxy: PrefixingProxy) -> None:
    assert httpx.get(f"{proxy.url}{PREFIX}/openapi.json", timeout=60).json()["servers"]
    assert "servers" not in httpx.get(f"{trusting.url}/openapi.json", timeout=60).json()


def test_a_proxy_that_is_not_trusted_says_nothing(filled: Service) -> None:
    proxy = PrefixingProxy(filled, PREFIX)
    page = httpx.get(f"{proxy.url}{PREFIX}/reports/login", timeout=60)
    proxy.close()
    assert 'action="/reports/login"' in page.text
    assert PREFIX not in page.text


@pytest.mark.parametrize("strips", [True, False])
def test_the_setting_says_the_same(
    filled: Service, tmp_path_factory: pytest.TempPathFactory, strips: bool
) -> None:
    settings = {"TELEMETRY_PATH_PREFIX": f"{PREFIX}/"}
    service = Service(tmp_path_factory.mktemp("set"), filled.database_url, settings)
    service.start()
    proxy = PrefixingProxy(service, PREFIX, strips=strips, says=False)
    try:
        page = httpx.get(f"{proxy.url}{PREFIX}/reports/login", timeout=60)
        assert f'action="{PREFIX}/reports/login"' in page.text
        sent = httpx.post(
            f"{proxy.url}{PREFIX}/v1/validate",
            content=json.dumps(clean_event()),
            headers=basic(service.write_key),
            timeout=60,
        )
        assert sent.status_code == 200
        service.environment["TELEMETRY_PATH_PREFIX"] = "/reports/x"
        assert "TELEMETRY_PATH_PREFIX: takes a path" in service.run("doctor").stderr
    finally:
        proxy.close()
        service.clean_up()


@pytest.mark.parametrize(
    "reported",
    [
        ['/x"><script>'],
        ["//evil.example"],
        ["/../x"],
        ["/v1"],
        ["/reports/x"],
        ["x"],
        ["/a\r\nx: y"],
        ["/one", "/two"],
        ["/a" * 9],
        [""],
    ],
)
def test_what_is_no_prefix_is_ignored(reported: list[str]) -> None:
    scope: dict[str, Any] = {
        "client": ("10.0.0.1", 1),
        "headers": [(b"x-forwarded-prefix", each.encode()) for each in reported],
    }
    assert Prefixes("", Peers(parse_networks(["10.0.0.0/8"]))).find(scope) == ""
    scope["headers"] = [(b"x-forwarded-prefix", b"/fine/")]
    assert Prefixes("", Peers(parse_networks(["10.0.0.0/8"]))).find(scope) == "/fine"
    assert Prefixes("/set", Peers(())).find(scope) == "/set"


def test_a_path_that_only_begins_alike_is_left_alone() -> None:
    async def send(_message: Any) -> None:
        return

    for path, wanted in (("/t", "/"), ("/t/", "/"), ("/t/v1/track", "/v1/track"), ("/tx/y", "/tx/y")):
        scope, _ = place({"path": path}, send, "/t")
        assert scope["path"] == wanted
