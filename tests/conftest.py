"""A real Postgres for the whole run, a migrated database for each test, and the service as a real process."""

import functools
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx
import hypothesis
import psycopg
import pytest
from sqlalchemy import make_url

from app import postgres
from app.privacy.pseudonyms import Pseudonyms
from app.store import migrations
from app.store.journal import Journal
from app.store.schema import METADATA
from tests import citus
from tests.look import Look
from tests.samples import basic
from tests.service import Service

__all__ = ["Service", "ServiceFactory"]

# No test asserts a time: what is quick on an idle machine takes long beside others.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TEMPLATE = "migrated"
KEPT = {"hash_key_check", "write_keys", "rollup_buckets"}
# The tests never crash the operating system, so nothing need reach the disk.
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """Let httpx read the authorities' certificates once a process: with every client, thus every
    `httpx.get`, it took 30 ms of CPU, and whoever waits for a start asks every 20 ms."""
    with pytest.MonkeyPatch.context() as patch:
        module = "httpx._transports.default.create_ssl_context"
        patch.setattr(module, functools.cache(httpx.create_ssl_context))
        yield


class ServiceFactory(Protocol):
    """Starts a service on the test's database, or with an embedded one, with further settings."""

    def __call__(self, environment: Mapping[str, str] | None = None, *, embed: bool = False) -> Service:
        """The running service."""


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """The URL of a Postgres of the test run's own; the database in it is for administration."""
    if citus.DSN:
        yield make_url(citus.DSN).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return
    with (
        tempfile.TemporaryDirectory(prefix="telemetry-tests-") as folder,
        postgres.open_server(Path(folder), settings=QUICK) as server,
    ):
        yield server.url


@pytest.fixture(scope="session")
def administer(cluster_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A connection that may create and drop databases, with a migrated one to copy."""
    with psycopg.connect(cluster_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
        template = name_database(cluster_url, TEMPLATE)
        if citus.DSN:
            with psycopg.connect(template.replace("+psycopg", ""), autocommit=True) as inside:
                inside.execute("CREATE EXTENSION citus")
        migrations.migrate(template)
        if citus.DSN:
            citus.distribute(template)
        yield connection


def name_database(cluster_url: str, name: str) -> str:
    """The URL of another database of the cluster."""
    return make_url(cluster_url).set(database=name).render_as_string(hide_password=False)


# Folders and files of tests that start processes without one of the fixtures here.
SLOW = {
    *("deploy", "faults", "postgres", "serving", "siege"),
    *("test_launcher.py", "test_wheel.py", "test_processes.py", "test_last_mile.py", "test_pyairbyte.py"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what needs a Postgres or starts something else that takes seconds."""
    if citus.DSN:
        citus.skip(items)
        citus.spare_examples(items)
    for item in items:
        within = set(item.path.relative_to(Path(__file__).parents[1]).parts)
        needs = {"cluster_url", "make_service", "service"} & set(getattr(item, "fixturenames", ()))
        if needs or within & SLOW:
            item.add_marker("slow")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a test sent to a cluster if it passed."""
    if sent and report.when == "call":
        sent.end(passed=report.passed)


def pytest_sessionfinish() -> None:
    """Write down what ran on a cluster."""
    if sent and citus.DSN:
        with psycopg.connect(citus.DSN) as connection:
            version = str(connection.execute("SELECT citus_version()").fetchall()[0][0])
        sent.record(version.split(" on ", maxsplit=1)[0])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which statements were never run on a cluster as they are now."""
    is_whole = terminalreporter.config.args_source is not pytest.Config.ArgsSource.ARGS
    if is_whole and (changed := citus.changed_since()):
        shown = ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")
        terminalreporter.write_line(f"Changed since the tests last ran on a cluster: {shown}")


numbers = itertools.count(1)
sent = citus.Sent() if citus.DSN else None


@contextmanager
def copied_database(
    cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]", name: str | None = None
) -> Iterator[str]:
    """A migrated, empty database that is dropped again."""
    name = name or f"test_{next(numbers)}"
    if citus.DSN:
        citus.copy(administer, TEMPLATE, name)
    else:
        administer.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield name_database(cluster_url, name)
    if citus.DSN:
        citus.drop(administer, name)
    else:
        administer.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]") -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    with copied_database(cluster_url, administer) as url:
        yield url


@pytest.fixture
def make_service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceFactory]:
    """Start services of the test's own; they are gone when the test ends."""
    services: list[Service] = []

    def make(environment: Mapping[str, str] | None = None, *, embed: bool = False) -> Service:
        folder = tmp_path / f"service-{len(services)}"
        folder.mkdir()
        database_url = None if embed else request.getfixturevalue("database_url")
        services.append(Service(folder, database_url, environment or {}))
        services[-1].start()
        return services[-1]

    yield make
    for service in services:
        service.clean_up()


@pytest.fixture(scope="session")
def shared_service(
    cluster_url: str,
    administer: "psycopg.Connection[tuple[object, ...]]",
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """One service for all tests that only talk to it: a start costs more than most of these tests."""
    with copied_database(cluster_url, administer) as url:
        # Where a busy machine commits slowly, an event would be `queued`, which is no fault of these tests.
        service = Service(tmp_path_factory.mktemp("service"), url, {"TELEMETRY_DEADLINE_MS": "10000"})
        service.start()
        yield service
        service.clean_up()


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    """A running service on an empty database; on the test's `database_url` if the test uses that, too."""
    if "database_url" in request.fixturenames:
        make: ServiceFactory = request.getfixturevalue("make_service")
        return make()
    shared: Service = request.getfixturevalue("shared_service")
    if not shared.is_healthy():  # the test before stopped it
        shared.start()
    journal = Journal(shared.data_dir, Pseudonyms(shared.hash_key))
    with (
        journal.locked()
    ):  # else the service finds what is forgotten in one of the two places and mends the other
        empty_database(shared.database_url)
        journal.file.unlink(missing_ok=True)
    return shared


def empty_database(url: str) -> None:
    """Delete what events left; the installation and the service's own write keys stay."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        # The claim of the rollups' worker, for all buckets: deleting in its midst is a deadlock.
        connection.execute("SELECT FROM rollup_buckets FOR UPDATE")
        for table in reversed(METADATA.sorted_tables):
            if table.name not in KEPT:
                connection.execute(f'DELETE FROM "{table.name}"'.encode())
        connection.execute("DELETE FROM write_keys WHERE name NOT LIKE 'setting-%'")


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=10) as client:
        yield client


@pytest.fixture
def look(service: Service) -> Iterator[Look]:
    look = Look(service.database_url)
    yield look
    look.engine.dispose()


@pytest.fixture
def bare(database_url: str) -> Iterator[Look]:
    """A migrated database without a service."""
    look = Look(database_url)
    yield look
    look.engine.dispose()
