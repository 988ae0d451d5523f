"""Several people may read reports, each with a token of their own that is taken away without a restart."""

import httpx
import pytest

from app.pages.session import COOKIE, Session
from app.privacy.pseudonyms import Pseudonyms
from app.problems import Problem
from app.reports.readers import Readers
from tests.conftest import Service
from tests.look import Look, wait_until

PSEUDONYMS = Pseudonyms("a hash key of thirty-two characters or more")
REFUSED = (401, 429)  # the second after some tries


def make(service: Service, *arguments: str) -> str:
    made = service.run("tokens", "create", *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def status(service: Service, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{service.url}/v1/reports/data-quality", headers=headers, timeout=60).status_code


def test_tokens_come_and_go_without_a_restart(service: Service, look: Look) -> None:
    grafana, jane = make(service, "grafana"), make(service, "jane", "--expires", "30d")
    every = [grafana, jane, service.report_token]
    wait_until(lambda: {status(service, token) for token in every} == {200}, "a new token does not work")
    with httpx.Client(base_url=service.url, follow_redirects=True, timeout=60) as browser:
        assert browser.get("/reports/meaning", params={"token": grafana}).status_code == 200
        assert browser.get("/reports/meaning").status_code == 200, "logged in by cookie"
        assert service.run("tokens", "revoke", "grafana").stdout == "Revoked.\n"
        wait_until(lambda: status(service, grafana) in REFUSED, "a revoked token still works")
        assert browser.get("/reports/meaning").status_code == 401, "its logins end with it"
    assert [status(service, token) for token in (jane, service.report_token)] == [200, 200]
    look.run("UPDATE report_tokens SET expires_at = now() + interval '2 seconds' WHERE name = 'jane'")
    wait_until(lambda: status(service, jane) in REFUSED, "a token outlives its end")
    stored = look.rows("SELECT name, token_hash::text FROM report_tokens")
    assert not any(token in text for token in (grafana, jane) for _, text in stored)


def test_the_list_names_tokens_and_shows_none(service: Service) -> None:
    token = make(service, "grafana")
    assert service.run("tokens", "create", "grafana").stderr.startswith(
        "Error: There is a report token of that name"
    )
    assert service.run("tokens", "revoke", "nobody").returncode == 1
    listed = service.run("tokens", "list").stdout
    assert "grafana" in listed
    assert token not in listed


def test_a_write_key_is_no_report_token(service: Service) -> None:
    key = service.run("keys", "create", "staging").stdout.strip()
    assert status(service, key) in REFUSED
    assert status(service, service.write_key) in REFUSED


def test_a_cookie_is_its_own_tokens() -> None:
    known = {
        PSEUDONYMS.report_token(name): (number, float("inf")) for number, name in ((1, "one"), (2, "two"))
    }
    readers = Readers("setting", PSEUDONYMS, lambda: known)
    readers.learn()
    session = Session(readers)
    cookies = {
        name: session.make_cookie(session.readers.require(name, "10.0.0.1"), secure=False)
        .split(";")[0]
        .removeprefix(f"{COOKIE}=")
        for name in ("setting", "one", "two")
    }
    assert all(session.is_open(cookie) for cookie in cookies.values())
    expiry, _, digest = cookies["one"].split(".")
    assert not session.is_open(f"{expiry}.2.{digest}"), "a login by one is none by the other"
    del known[PSEUDONYMS.report_token("one")]
    readers.learn()
    assert [session.is_open(cookies[name]) for name in ("setting", "one", "two")] == [True, False, True]
    with pytest.raises(Problem):
        session.readers.require("one", "10.0.0.1")
