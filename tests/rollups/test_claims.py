"""Claims: how the buckets are shared by the workers."""

import contextlib

from app.privacy.projection import BUCKETS
from app.rollups import worker as rollups
from app.rollups.recomputation import query
from tests.reports.rows import sync
from tests.rollups import oracle
from tests.rollups.ledger import Ledger


def test_marks_in_every_bucket_are_a_few_steps(ledger: Ledger) -> None:
    """10,000 sessions over all buckets: a claim takes a quarter of the buckets, so nobody
    waits for more than four steps."""
    rows = [sync("failed", unit=f"user {number}", session=f"session {number}") for number in range(10_000)]
    for number, row in enumerate(rows):
        row["bucket"] = number % BUCKETS
    ledger.write([rows[part::20] for part in range(20)])
    assert ledger.query("SELECT count(DISTINCT bucket) FROM dirty_sessions") == [(BUCKETS,)]
    assert ledger.roll_up() == 4
    assert ledger.unit_days() == oracle.recompute(rows)


def test_four_workers_claim_a_quarter_each(ledger: Ledger) -> None:
    rows = [sync("failed", unit=str(number)) | {"bucket": number} for number in range(BUCKETS)]
    ledger.write([rows[part::8] for part in range(8)])
    claims = []
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(ledger.open())
            found = connection.execute(query("claim_buckets"), {"buckets": rollups.BUCKETS, "postponed": []})
            claims.append(set(found.scalars()))
    assert [len(claim) for claim in claims] == [BUCKETS // 4] * 4 + [0]
    assert set.union(*claims) == set(range(BUCKETS))
