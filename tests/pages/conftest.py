"""A service of the pages' tests' own, filled by `demo`, and a reader who is logged in."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.conftest import copied_database
from tests.look import Look, wait_until
from tests.service import Service

USERS, DAYS = "250", "60"


@pytest.fixture(scope="session")
def filled(
    cluster_url: str,
    administer: "psycopg.Connection[tuple[object, ...]]",
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A running service with a small made-up fleet, everything rolled up."""
    with copied_database(cluster_url, administer) as url:
        service = Service(tmp_path_factory.mktemp("pages"), url, {})
        service.start()
        done = service.run("demo", "--users", USERS, "--days", DAYS)
        assert done.returncode == 0, done.stderr
        look = Look(url)
        wait_until(lambda: look.value("SELECT count(*) FROM dirty_sessions") == 0, "not rolled up")
        look.engine.dispose()
        renew(service)
        yield service
        service.clean_up()


def renew(service: Service) -> None:
    """Have the overview's tables made anew: each is kept by itself, and some date from while the demo ran."""
    headers = {"authorization": f"Bearer {service.report_token}", "cache-control": "no-cache"}
    for asked in ("home", "connectors?series=day", "connectors?role=destination&series=day"):
        httpx.get(f"{service.url}/v1/reports/{asked}", headers=headers, timeout=60).raise_for_status()


@pytest.fixture
def reader(filled: Service) -> Iterator[httpx.Client]:
    """Whoever followed the banner's link."""
    with httpx.Client(base_url=filled.url, timeout=60) as client:
        entered = client.get("/reports", params={"token": filled.report_token})
        assert entered.status_code == 303
        yield client
