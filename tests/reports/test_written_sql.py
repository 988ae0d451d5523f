"""`report NAME --sql`: what it prints is what the report runs, and Postgres plans it as it stands."""

import re

import pytest
from sqlalchemy import create_engine, text

from app.reports.registry import REPORTS
from tests.reports.rows import Store, sync
from tests.reports.test_command import call

UNREACHABLE = "postgresql://127.0.0.1:1/none"
FILTERS = ("--until", "2026-11-23", "--window", "7d", "--version", "0.71.3", "--connector", "source-faker")


def statements(name: str, *arguments: str) -> dict[str, str]:
    """Return the printed statements by name, without their comments."""
    given = [*arguments, *(("--name", "source-faker") if "name" in REPORTS[name].parameters else ())]
    done = call(name, "--sql", *given, TELEMETRY_DATABASE_URL=UNREACHABLE)
    assert (done.returncode, done.stderr) == (0, "")
    found = list(re.finditer(f"^-- {name}: (.+)$", done.stdout, re.MULTILINE))
    ends = [head.start() for head in found[1:]] + [len(done.stdout)]
    return {head[1]: done.stdout[head.end() : end].strip() for head, end in zip(found, ends, strict=True)}


@pytest.mark.parametrize("name", REPORTS)
def test_postgres_explains_every_statement_as_it_is_printed(reports_url: str, name: str) -> None:
    taken = REPORTS[name].parameters
    filters = [
        word
        for option in range(0, len(FILTERS), 2)
        if FILTERS[option][2:] in taken
        for word in FILTERS[option : option + 2]
    ]
    printed = statements(name, *filters)
    assert set(REPORTS[name].queries) == set(printed) - {"for the planner"}
    engine = create_engine(reports_url)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        for said, statement in printed.items():
            prefix = "" if said == "for the planner" else "EXPLAIN "
            driver.execute(prefix + statement)
    engine.dispose()


def test_what_is_printed_answers_what_the_report_answers(store: Store, reports_url: str) -> None:
    store.write([sync("failed"), sync("succeeded", unit="bob", source="source-file")])
    printed = statements("connectors", "--until", "2026-11-23")
    engine = create_engine(reports_url)
    with engine.connect() as connection:
        rows = (
            connection.execute(text(printed["connectors"].rstrip(";").replace(":", r"\:"))).mappings().all()
        )
    engine.dispose()
    assert {row["connector"] for row in rows} == {"source-faker", "source-file"}
