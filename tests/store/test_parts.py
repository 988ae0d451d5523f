"""A part for one node of a cluster is written in steps: they store and count what the one statement does."""

from collections import Counter
from dataclasses import replace
from typing import Any

from app.store.events import Batch, bucket_of
from app.store.shards import Placement, split
from tests.look import Look
from tests.store.test_merging import NOW, batch_of, commit, verdict_on

TABLES = ("events", "rejections", "dirty_sessions", "outcomes", "tallies")
BATCHES = 6


def books(look: Look) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every row that a commit writes, but for where and when it was counted."""
    hidden = "- 'batch_id' - 'written_at'"
    queries = {name: f"SELECT CAST(to_jsonb(t) {hidden} AS text) FROM {name} AS t" for name in TABLES}
    for name in ("outcomes", "tallies"):
        queries[name] = queries[name].replace(hidden, f"{hidden} - 'bucket'")
    return {name: Counter(look.rows(query)) for name, query in queries.items()}


def make() -> list[Batch]:
    forgotten, expired, odd = verdict_on("forgotten"), verdict_on("expired"), verdict_on("odd")
    forgotten.row["anonymous_id"] = 4711
    expired.row["occurred_at"] = NOW.replace(year=2025)
    odd.row["occurred_at"] = NOW.replace(year=2026, month=1)
    lonely = verdict_on("lonely")
    lonely.row["session_key"] = None
    return [*(batch_of(number) for number in range(BATCHES)), Batch([forgotten, expired, odd, lonely])]


def test_steps_write_what_the_one_statement_does(bare: Look, database_url: str) -> None:
    bucket = make()[-1].verdicts[0].row["bucket"]
    bare.run(
        "INSERT INTO tombstones (bucket, anonymous_id, requested_at) VALUES (:bucket, 4711, now())",
        bucket=bucket,
    )
    bare.run("INSERT INTO dropped_ranges VALUES ('2025-11-01', '2025-12-01', now())")
    reported = commit(database_url, make())
    whole = books(bare)
    for table in TABLES:
        bare.run(f"DELETE FROM {table}")
    bare.run("UPDATE tombstones SET met_at = NULL")
    parts = [replace(batch, bucket=7) for batch in make()]
    assert commit(database_url, parts) == reported
    assert {"forgotten", "expired", "duplicate", "rejected", "accepted"} <= set(reported)
    assert books(bare) == whole
    assert bare.value("SELECT met_at IS NOT NULL FROM tombstones")
    commit(database_url, parts[:3])  # again: the fences hold, together and alone
    commit(database_url, parts[3:4])
    assert books(bare) == whole


def test_a_batch_is_split_by_node_and_always_alike() -> None:
    placement = Placement.of([1 + bucket % 3 for bucket in range(4096)])
    [batch] = make()[:1]
    for number, verdict in enumerate(batch.verdicts):
        verdict.row["bucket"] = number % 2
    parts = split(batch, placement)
    again = split(Batch(batch.verdicts, batch.tallies, batch.batch_id), placement)
    assert parts == again
    assert len({part.batch_id for part in parts.values()} | {batch.batch_id}) == len(parts) + 1
    for group, part in parts.items():
        assert {placement.groups[each.row["bucket"]] for each in part.verdicts} <= {group}
        assert placement.groups[part.counted_in] == group
        assert split(part, placement) == {group: part}
    assert sum(len(part.verdicts) for part in parts.values()) == len(batch.verdicts)
    [tallied] = [group for group, part in parts.items() if part.tallies]
    assert tallied == placement.groups[bucket_of(batch.batch_id)]
