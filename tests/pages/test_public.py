"""The pages for everybody: cacheable, without cookie or login, without numbers of
syncs; and what `demo` publishes."""

import datetime as dt
import re

import httpx
import pytest

from app.pages import frame
from app.pages.public import Months, group, make_row
from app.problems import Problem
from app.store.database import open_admin_engine, open_engine
from app.store.tables.publications import publications
from tests.conftest import ServiceFactory
from tests.service import Service

PAGES = ["/public", "/privacy"]


@pytest.fixture(scope="module")
def month(filled: Service) -> str:
    """The month that the demo published."""
    latest: str = httpx.get(f"{filled.url}/v1/public/connectors.json", timeout=30).json()["latest"]
    return latest


def test_the_root_leads_to_the_public_page(filled: Service) -> None:
    answer = httpx.get(filled.url, timeout=30)
    assert (answer.status_code, answer.headers["location"]) == (303, "/public")


@pytest.mark.parametrize("path", PAGES)
def test_public_pages_keep_the_policy_and_may_be_cached(filled: Service, path: str) -> None:
    answer = httpx.get(f"{filled.url}{path}", timeout=30)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"].startswith("public")
    assert answer.headers["content-security-policy"] == frame.POLICY
    assert not re.search(r"\sstyle=|<style", answer.text)
    assert answer.text.count("<h1") == 1
    again = httpx.get(f"{filled.url}{path}", headers={"if-none-match": answer.headers["etag"]}, timeout=30)
    assert again.status_code == 304


def test_demo_published_a_month_and_the_page_says_what_its_json_says(filled: Service, month: str) -> None:
    assert month
    text = httpx.get(f"{filled.url}/public/{month}", params={"all": "show"}, timeout=30).text
    rows = httpx.get(f"{filled.url}/v1/public/connectors/{month}.json", timeout=30).json()["rows"]
    shown = re.findall(
        r'<th scope="row" class="name">([^<]*)</th>\s*<td class="picture">[^<]*<div[^>]*><span>([^<]*)', text
    )
    assert len(rows) > 1
    assert [(name, int(users.replace(",", ""))) for name, users in shown] == [
        ("all others" if row["connector"] == "other" else row["connector"], row["units"]) for row in rows
    ]
    assert "Syncs</th>" not in text
    assert "Failed</th>" not in text


@pytest.mark.parametrize("name", ["2020-01", "2026-13", "<b>x"])
def test_another_month_is_not_published(filled: Service, name: str) -> None:
    answer = httpx.get(f"{filled.url}/public/{name}", timeout=30)
    assert answer.status_code == 404
    assert "<b>" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_before_the_first_month_it_says_when(make_service: ServiceFactory) -> None:
    service = make_service()
    assert "No month is published yet" in httpx.get(f"{service.url}/public", timeout=30).text
    done = service.run("demo", "--users", "12", "--days", "5")
    assert done.returncode == 0, done.stderr
    assert "published" in done.stdout


def test_demo_publishes_nothing_beside_other_events(make_service: ServiceFactory) -> None:
    service = make_service()
    for seed in ("1", "2"):
        done = service.run("demo", "--users", "12", "--days", "3", "--seed", seed)
        assert done.returncode == 0, done.stderr
    assert "published" not in done.stdout


def test_few_affected_users_are_hatched_over_what_they_may_be() -> None:
    row = {"role": "source", "connector": "source-faker", "units": 40, "affected_units": "<5"}
    assert make_row(row, is_rest=False)["more"] == 0.1
    rows = [{**row, "connector": f"source-{n}"} for n in range(20)] + [{**row, "connector": "other"}]
    shown = group(rows, "source", "Sources", shows_all=False)
    assert [each["connector"] for each in shown["rows"]][-1] == "all others"
    assert shown["is_cut"]


def test_a_published_month_is_made_once_and_served_while_the_database_is_away(
    filled: Service, month: str
) -> None:
    engine = open_engine(filled.database_url)
    months = Months(engine)
    first = months.find(month, "https://here", shows_all=False)
    assert months.find(month, "https://here", shows_all=False) is first
    assert b"https://there/v1/forget" in months.find(month, "https://there", shows_all=False)
    engine.dispose()
    months.engine = open_engine("postgresql://nobody@127.0.0.1:9/nothing")
    assert months.find(month, "https://here", shows_all=False) is first
    with pytest.raises(Problem, match="cannot answer"):
        months.find(month, "https://here", shows_all=True)


def test_another_list_of_months_makes_the_page_anew(filled: Service, month: str) -> None:
    # A month long before the demo's: those the service itself may publish while the tests run.
    early = dt.date(2019, 3, 1)
    engine = open_admin_engine(filled.database_url)
    months = Months(engine)
    try:
        assert b"March 2019" not in months.find(month, "https://here", shows_all=False)
        with engine.begin() as connection:
            connection.execute(
                publications.insert(), {"month": early, "published_at": dt.datetime.now(dt.UTC)}
            )
        assert b"March 2019" in months.find(month, "https://here", shows_all=False)
    finally:
        with engine.begin() as connection:
            connection.execute(publications.delete().where(publications.c.month == early))
        engine.dispose()
