"""After a rotation of the hash key every figure is what it was, and a rebuild gives the same."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from app.admin.rotation import wrap_everything
from app.reports.parsing import parse
from app.reports.registry import REPORTS
from app.reports.run import reading, run
from app.rollups.rebuild import rebuild
from tests.reports.rows import DAY, NOW, Stored, refuse, sync
from tests.rollups.ledger import Ledger

KEY = b"a-new-key-of-thirty-two-or-more-characters"
MARK_ALL = """
    INSERT INTO dirty_sessions (received_at, occurred_at, bucket, session_key, message_key)
    SELECT received_at, occurred_at, bucket, session_key, CASE WHEN session_key IS NULL THEN message_key END
    FROM (
        SELECT received_at, occurred_at, bucket, session_key, message_key FROM events
        UNION ALL
        SELECT received_at, occurred_at, bucket, session_key, message_key FROM rejections
    ) AS stored
"""


def fleet() -> list[Stored]:
    """Days of twelve users: what succeeded, failed, was left open, was refused, and is of nobody or of no
    session, as the oldest releases sent it."""
    rows = []
    for number in range(12):
        for days in (1, 2, 9):
            at, own = NOW - days * DAY, {"unit": f"user {number}", "session": f"{number} of {days}"}
            rows.append(sync("started", at, **own))
            rows.append(sync("failed" if number < 5 else "succeeded", at + DAY / 24, **own))
            rows.append(sync("started", at + DAY / 12, **own))
        alone: dict[str, Any] = {"session": None, "application_hash": None, "version": "0.7.0", "cache": None}
        rows.append(sync("started", NOW - 3 * DAY, unit=None, **alone))
        rows.append(refuse(sync("failed", NOW - 4 * DAY, session=None, unit=f"user {number}")))
    return rows


def figures(ledger: Ledger) -> Counter[tuple[Any, ...]]:
    """The daily sums with their words, and without the pseudonyms."""
    return Counter(
        (key[0], key[1], *key[4:], tuple(sorted(sums.items()))) for key, sums in ledger.unit_days().items()
    )


def connectors(ledger: Ledger) -> list[Any]:
    report = REPORTS["connectors"]
    with reading(ledger.engine) as connection:
        return run(report, parse(report, {}.items(), NOW), connection, NOW).rows


@pytest.mark.parametrize("rotations", [1, 2])
def test_all_figures_stay_what_they_were(ledger: Ledger, rotations: int) -> None:
    ledger.write([fleet()])
    ledger.roll_up()
    before, ranked, units = figures(ledger), connectors(ledger), len(ledger.units())
    assert sum(before.values()) > 12 * 5
    assert ranked
    for _ in range(rotations):
        with ledger.engine.begin() as connection:
            wrap_everything(connection, KEY)
    assert figures(ledger) == before
    assert connectors(ledger) == ranked

    with ledger.engine.begin() as connection:  # as a late event of each session does
        connection.execute(text(MARK_ALL))
    ledger.roll_up()
    assert figures(ledger) == before
    assert connectors(ledger) == ranked
    contributed = ledger.attempts()

    rebuild(ledger.connection, None, lambda _done, _total: None)
    assert figures(ledger) == before
    assert connectors(ledger) == ranked
    assert ledger.attempts() == contributed
    assert len(ledger.units()) == units
