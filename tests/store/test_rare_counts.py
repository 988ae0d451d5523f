"""Nobody reads a count whose zero (or one) stands as NULL without saying so."""

import pytest

from app.store.tables.rollups import COUNTS
from tests.look import Look
from tests.store.rare import RARE, find_bare_reads
from tests.store.test_distribution import composed

BARE = {
    "SELECT day, open FROM unit_days": ["open as it is, in the answer"],
    "SELECT sum(d.open) FROM unit_days AS d": ["d.open"],
    "SELECT sum(succeeded + open) FROM unit_days": ["unit_days.open", "unit_days.succeeded"],
    "SELECT day FROM unit_days WHERE canceled = 0": ["unit_days.canceled"],
    "SELECT least(orphans, 5) AS orphans FROM unit_days": ["unit_days.orphans"],
    "SELECT CASE WHEN corrected > 0 THEN 1 END AS c FROM unit_days": ["unit_days.corrected"],
    "SELECT sum(x.open) FROM (SELECT * FROM unit_days) AS x": ["x.open"],
    "SELECT sum(o) FROM (SELECT open AS o FROM unit_days UNION ALL SELECT 0) AS x": ["x.o"],
    "WITH days AS (SELECT unit, open FROM unit_days) SELECT sum(open) FROM days": ["days.open"],
    "SELECT 1 FROM attempts AS a JOIN unit_days AS d ON d.day = a.day AND d.open > a.times": [
        "a.times",
        "d.open",
    ],
    "DELETE FROM unit_days WHERE succeeded + open = 0": ["unit_days.open", "unit_days.succeeded"],
    "UPDATE unit_days SET open = open + 1": ["unit_days.open"],
    "INSERT INTO retracted (times) SELECT times FROM attempts": ["times as it is, in an INSERT"],
    "SELECT 1 FROM units AS u WHERE 0 < (SELECT open FROM unit_days AS d WHERE d.unit = u.unit)": [
        "open as it is, of a subquery"
    ],
    "INSERT INTO unit_days (open) SELECT 1 ON CONFLICT (day) DO UPDATE SET open = unit_days.open + 1": [
        "unit_days.open"
    ],
    "SELECT 1 FROM unit_days ORDER BY open": ["unit_days.open"],
}
SAID = (
    "SELECT coalesce(sum(open), 0) + sum(coalesce(canceled, 0)) FROM unit_days",
    "SELECT day FROM unit_days WHERE open IS NOT NULL AND canceled IS DISTINCT FROM 1",
    "INSERT INTO unit_days (open) SELECT open FROM unit_days",
    "WITH attempts AS (SELECT 1 AS times) SELECT times FROM attempts",
    "WITH taken AS (DELETE FROM attempts RETURNING times) SELECT coalesce(times, 1) FROM taken",
    "SELECT open FROM (SELECT coalesce(open, 0) AS open FROM unit_days) AS d",
)


@pytest.mark.parametrize("statement", BARE)
def test_a_bare_read_is_found(statement: str) -> None:
    assert find_bare_reads(statement) == BARE[statement]


@pytest.mark.parametrize("statement", SAID)
def test_what_says_what_null_stands_for_is_none(statement: str) -> None:
    assert find_bare_reads(statement) == []


def test_which_columns_these_are() -> None:
    assert {*COUNTS, "records"} == RARE["unit_days"]
    assert {"times", "records"} <= RARE["attempts"]


def test_no_statement_reads_one() -> None:
    """What Python composes is looked at where it is sent: `test_what_is_sent_can_be_distributed`."""
    assert {name: faults for name, text in composed() if (faults := find_bare_reads(text))} == {}


def test_no_view_reads_one(bare: Look) -> None:
    system = "('pg_catalog', 'information_schema')"
    views = bare.rows(f"SELECT viewname, definition FROM pg_views WHERE schemaname NOT IN {system}")
    assert views
    assert {name: faults for name, text in views if (faults := find_bare_reads(text))} == {}
