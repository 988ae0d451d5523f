"""The pages over HTTP: login, policy, refusals, twins. By the real server."""

import csv
import html
import io
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.pages import frame, site
from tests.conftest import ServiceFactory
from tests.look import wait_until
from tests.pages.test_live import send
from tests.service import Service

STAFF = [page.path for page in site.PAGES if page.path.startswith(site.BASE)]
ALL = [*STAFF, "/reports/connectors/source-faker", "/reports/connectors?low=show&sort=name&window=7d"]
REFUSED = [
    "/reports/nothing",
    "/reports/connectors/source-nothing",
    "/reports/connectors?window=x",
    "/reports/connectors?low=all",
    "/reports/regressions?q=x",
    "/reports/live?x=1",
    "/reports/meaning?x=1",
    "/reports?x=<b>",
]


@pytest.fixture
def stranger(filled: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=filled.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("path", [*ALL, *REFUSED])
def test_every_page_keeps_the_policy(reader: httpx.Client, path: str) -> None:
    answer = reader.get(path)
    assert answer.status_code == (404 if "nothing" in path else 400 if path in REFUSED else 200), answer.text
    for name, value in frame.SECURITY.items():
        assert answer.headers[name] == value
    assert answer.headers["cache-control"].startswith(("private, no-cache", "no-store"))
    text = answer.text
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text)
    assert re.search(r"<script(?![^>]*></script>)", text) is None
    assert not re.search(r'(?:src|action|srcset)="(?:https?:)?//', text)
    assert not re.search(r'<link[^>]+href="(?:https?:)?//', text)
    assert text.count("<h1") == 1
    assert "<b>" not in text


@pytest.mark.parametrize("path", [path for path in ALL if path != site.LIVE.path])
def test_a_page_is_small_and_known_by_its_tag(reader: httpx.Client, path: str) -> None:
    for _ in range(3):  # its figures may be renewed between two looks
        answer = reader.get(path, headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        again = reader.get(path, headers={"if-none-match": answer.headers["etag"]})
        if again.status_code != 200:
            break
    assert again.status_code == 304
    assert int(answer.headers["content-length"]) <= 20_000 or "low=show" in path
    assert len(re.findall(r"<[a-z]", answer.text)) <= 3_000 or "low=show" in path


@pytest.mark.parametrize(
    "path", [*STAFF, "/reports/connectors/source-faker", "/reports/nothing", "/reports/home.json"]
)
def test_a_stranger_learns_a_title_and_nothing_else(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'property="og:title"' in answer.text
    way = "/reports" if "nothing" in path else path  # nothing of an address comes back that no page has
    assert f'name="next" value="{way}"' in answer.text
    assert "source-faker" not in answer.text.replace(f'value="{path}"', "")


def test_the_banners_link_logs_in_and_keeps_no_token(filled: Service, stranger: httpx.Client) -> None:
    answer = stranger.get("/reports/connectors", params={"token": filled.report_token, "window": "7d"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/reports/connectors?window=7d")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/reports" in cookie
    assert "Secure" not in cookie  # on loopback
    assert filled.report_token not in cookie
    assert stranger.get("/reports").status_code == 200


def test_a_cookie_of_another_host_needs_tls(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_HOSTS": "telemetry.example"})
    with httpx.Client(base_url=service.url, timeout=60) as client:
        answer = client.get(
            "/reports", params={"token": service.report_token}, headers={"host": "telemetry.example"}
        )
    assert "Secure" in answer.headers["set-cookie"]


def test_login_goes_where_one_wanted_and_logout_ends_it(filled: Service, stranger: httpx.Client) -> None:
    form = {"token": filled.report_token, "next": "/reports/regressions"}
    answer = stranger.post("/reports/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/reports/regressions")
    assert stranger.get("/reports/regressions").status_code == 200
    assert stranger.post("/reports/logout", headers={"origin": "http://evil.example"}).status_code == 403
    assert stranger.get("/reports").status_code == 200
    assert stranger.post("/reports/logout", headers={"origin": filled.url}).status_code == 303
    assert stranger.get("/reports").status_code == 401


def test_a_form_of_another_site_does_not_log_in(filled: Service, stranger: httpx.Client) -> None:
    form = {"token": filled.report_token}
    answer = stranger.post("/reports/login", data=form, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_forms_and_links_that_nobody_made_by_hand_are_no_fault(
    filled: Service, stranger: httpx.Client
) -> None:
    token = filled.report_token
    many = "&".join(f"field{number}=1" for number in range(50))
    assert stranger.post("/reports/login", content=many).status_code in (401, 429)
    brackets = stranger.post("/reports/login", data={"token": token}, headers={"origin": "http://[::1"})
    assert brackets.status_code == 403
    answer = stranger.post("/reports/login", data={"token": token, "next": "//[x"})
    assert answer.headers["location"] == "/reports"
    link = stranger.get("/reports/\N{WHITE SMILING FACE}", params={"token": token})
    assert (link.status_code, link.headers["location"]) == (303, "/reports/%E2%98%BA")


def test_wrong_tokens_are_bounded(make_service: ServiceFactory) -> None:
    service = make_service()
    with httpx.Client(base_url=service.url) as client:
        found = [client.post("/reports/login", data={"token": "wrong"}).status_code for _ in range(7)]
    assert found == [401] * 5 + [429] * 2


@pytest.mark.parametrize(
    "path", ["/reports/connectors", "/reports/regressions", "/reports/connectors/source-faker"]
)
def test_twins_hold_the_same_rows(reader: httpx.Client, path: str) -> None:
    found = reader.get(f"{path}.json?window=7d")
    assert found.status_code == 200
    rows = found.json()["rows"]
    lines = list(csv.DictReader(io.StringIO(reader.get(f"{path}.csv?window=7d").text)))
    assert len(lines) == len(rows)
    assert reader.get(f"{path}.parquet?window=7d").content[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/reports/connectors.json?window=x", 400, "invalid_parameter"),
        ("/reports/nothing.csv", 404, "unknown_page"),
        ("/reports/nothing/days.svg", 404, "unknown_page"),
    ],
)
def test_a_file_is_refused_as_json(reader: httpx.Client, path: str, status: int, code: str) -> None:
    answer = reader.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("name", ["source-fakr", "Faker", "SOURCE_FAKER", "airbyte%2Fsource-faker"])
def test_a_wrong_name_is_told_what_is_close(reader: httpx.Client, name: str) -> None:
    answer = reader.get(f"/reports/connectors/{name}")
    assert answer.status_code == 404
    assert name not in answer.text
    assert '<a\n  href="/reports/connectors/source-faker"' in answer.text


def test_reports_without_a_page_of_their_own_lead_to_the_page_they_stand_on(reader: httpx.Client) -> None:
    assert reader.get("/reports/home?window=7d").headers["location"] == "/reports?window=7d"
    assert reader.get("/reports/caches").headers["location"] == "/reports/pairs"


def test_an_address_that_is_none_is_a_page_for_people_and_a_problem_for_programs(
    stranger: httpx.Client,
) -> None:
    for path in ("/nothing", "/public/2026/10", "/static/x"):
        shown = stranger.get(path, headers={"accept": "text/html,*/*;q=0.8"})
        assert shown.status_code == 404
        assert "<h1>No such page</h1>" in shown.text
        assert shown.headers["content-security-policy"] == frame.POLICY
        assert stranger.get(path).json()["code"] == "not_found"
    at_the_api = stranger.get("/v1/nothing", headers={"accept": "text/html"})
    assert at_the_api.json()["code"] == "not_found"


def test_a_connector_links_what_the_registry_names(
    filled: Service, reader: httpx.Client, tmp_path: Path
) -> None:
    documented = "https://docs.example.org/integrations/sources/faker"
    reported = {"dockerRepository": "airbyte/source-faker", "githubIssueLabel": "source-faker"}
    hostile = {"dockerRepository": "airbyte/source-github", "documentationUrl": "javascript:alert(1)"}
    file = tmp_path / "registry.json"
    file.write_text(json.dumps({"sources": [reported | {"documentationUrl": documented}, hostile]}))
    assert filled.run("connectors", "refresh", str(file)).returncode == 0
    page = "/reports/connectors/source-faker"
    wait_until(lambda: documented in reader.get(page).text, "the documentation is not linked")
    assert "q=is%3Aissue+is%3Aopen+source-faker" in reader.get(page).text
    assert "javascript:" not in reader.get("/reports/connectors/source-github").text


def test_what_is_filtered_by_is_escaped(reader: httpx.Client) -> None:
    answer = reader.get("/reports/connectors", params={"q": '"><script>alert(1)</script>'})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert (
        html.escape('"><script>alert(1)</script>').replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        in answer.text
    )


def test_one_readers_parameters_are_not_anothers(reader: httpx.Client) -> None:
    week = reader.get("/reports/connectors.json?window=7d").json()
    month = reader.get("/reports/connectors.json").json()
    assert (week["parameters"]["window"], month["parameters"]["window"]) == ("7d", "28d")


def test_static_files_are_kept_for_ever(stranger: httpx.Client) -> None:
    for name in frame.STATICS.files:
        answer = stranger.get(frame.STATICS.address(name))
        assert answer.content == frame.STATICS.files[name]
        assert "immutable" in answer.headers["cache-control"]
    assert stranger.get("/static/000000000000/../../etc/passwd").status_code == 404
    assert "immutable" not in stranger.get("/static/000000000000/pages.css").headers["cache-control"]


def test_before_the_first_event_there_are_three_steps(make_service: ServiceFactory) -> None:
    service = make_service()
    with httpx.Client(base_url=service.url, follow_redirects=True, timeout=60) as client:
        text = client.get("/reports", params={"token": service.report_token}).text
        assert "No events yet" in text
        command = html.unescape(re.findall(r"<code>(curl .*?)</code>", text, re.DOTALL)[0])
        assert f"{service.url}/v1/track" in command
        done = subprocess.run(
            ["bash", "-c", command],
            env={**os.environ, "WRITE_KEY": service.write_key},
            capture_output=True,
            check=False,
        )
        assert b'"accepted"' in done.stdout, done.stdout
        wait_until(
            lambda: "of 1 user" in client.get("/reports/connectors/source-faker").text,
            "the sync is not counted",
        )


def test_a_kept_page_is_each_readers_own(reader: httpx.Client) -> None:
    for _ in range(2):
        for query, said in (("?window=7d", "7 days"), ("", "28 days"), ("?window=7d&q=faker", "7 days")):
            text = reader.get(f"/reports/connectors{query}").text
            assert f"<span>Window</span> {said}" in text
            assert ('value="faker"' in text) == ("faker" in query)


def test_a_kept_page_changes_with_its_figures(make_service: ServiceFactory) -> None:
    service = make_service()
    with httpx.Client(base_url=service.url, follow_redirects=True, timeout=60) as client:
        client.get("/reports", params={"token": service.report_token})
        send(service)
        shown = "/reports/data-quality"
        wait_until(lambda: "1 received" in client.get(shown).text, "the event is not counted")
        headers = {"authorization": f"Bearer {service.report_token}", "cache-control": "no-cache"}
        send(service, session_id="01M8322HVQJ1FKNYHW4HTKE73J")
        wait_until(
            lambda: (
                '"received"' in client.get("/v1/reports/data-quality", headers=headers).text
                and "2 received" in client.get(shown).text
            ),
            "the page keeps old figures",
        )
