"""Batches committed as one: each is fenced by its own id, and one that fails fails alone."""

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Sequence

import psycopg
from psycopg.rows import scalar_row

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Verdict, VerdictContext, judge
from app.store.database import open_write_engine
from app.store.events import INSERT_BATCH, Batch, Tally, insert, make_parameters
from app.store.merging import insert_all
from tests.look import Look
from tests.samples import clean_event, spoil

NOW = dt.datetime(2026, 11, 25, 12, 30, tzinfo=dt.UTC)
VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
BATCHES = 12


def verdict_on(name: str, **properties: object) -> Verdict:
    event = clean_event(**properties) | {"messageId": name}
    return judge(ParsedEvent(event), Arrival(NOW, 1, b"key"), VERDICT_CONTEXT)


def refused(name: str) -> Verdict:
    event = spoil("anonymousId", "jane@example.com") | {"messageId": name}
    return judge(ParsedEvent(event), Arrival(NOW, 1, b"key"), VERDICT_CONTEXT)


def batch_of(number: int) -> Batch:
    """Two events, one of which every batch has, a refused one, one with a withheld
    field, and a count of its own."""
    verdicts = [
        verdict_on(f"own-{number}"),
        verdict_on("of-all"),
        refused(f"refused-{number}"),
        verdict_on(f"withheld-{number}", source={"name": "source-acme"}),
    ]
    return Batch(verdicts, Counter({Tally(NOW.replace(minute=0), 1, "client_dropped", ""): number}))


def commit(url: str, batches: Sequence[Batch]) -> list[str]:
    async def run() -> list[str]:
        engine = open_write_engine(url)
        async with engine.connect() as connection:
            outcomes = await insert_all(connection, batches)
        await engine.dispose()
        return outcomes

    return asyncio.run(run())


def alone(url: str, batches: Sequence[Batch]) -> list[str]:
    return [outcome for batch in batches for outcome in commit(url, [batch])]


def tallies(look: Look) -> dict[tuple[str, str], int]:
    rows = look.rows("SELECT kind, reason, sum(count) FROM tallies GROUP BY 1, 2")
    return {(kind, reason): int(count) for kind, reason, count in rows}


def check_books(look: Look) -> None:
    assert look.outcomes() == {
        "received": 4 * BATCHES,
        "accepted": 2 * BATCHES + 1,
        "duplicate": BATCHES - 1,
        "rejected": BATCHES,
    }
    assert tallies(look) == {
        ("client_dropped", ""): sum(range(BATCHES)),
        ("withheld", "properties.source.name"): BATCHES,
    }
    assert look.value("SELECT count(*) FROM events") == 2 * BATCHES + 1
    assert look.value("SELECT count(*) FROM rejections") == BATCHES


def test_all_are_committed_by_one_transaction(bare: Look, database_url: str) -> None:
    outcomes = commit(database_url, [batch_of(number) for number in range(BATCHES)])
    assert Counter(outcomes) == {
        "accepted": 2 * BATCHES + 1,
        "duplicate": BATCHES - 1,
        "rejected": BATCHES,
    }
    assert outcomes[2::4] == ["rejected"] * BATCHES
    check_books(bare)
    assert bare.value("SELECT count(DISTINCT xmin::text) FROM events") == 1


def test_what_was_committed_before_is_left_out_and_the_rest_goes_on(bare: Look, database_url: str) -> None:
    batches = [batch_of(number) for number in range(BATCHES)]
    alone(database_url, batches[3:5])
    commit(database_url, [*batches[7:9], batches[0]])
    outcomes = commit(database_url, batches)
    assert len(outcomes) == 4 * BATCHES
    check_books(bare)


def test_committed_again_together_or_alone_nothing_changes(bare: Look, database_url: str) -> None:
    batches = [batch_of(number) for number in range(BATCHES)]
    commit(database_url, batches)
    commit(database_url, batches)
    alone(database_url, batches)
    commit(database_url, batches[::-1])
    check_books(bare)


def test_a_batch_of_counts_alone_is_fenced_too(bare: Look, database_url: str) -> None:
    hour = NOW.replace(minute=0)
    counts = [Batch([], Counter({Tally(hour, 0, "refused", "malformed"): 1})) for _ in range(3)]
    commit(database_url, counts[1:])
    commit(database_url, [batch_of(0), *counts])
    commit(database_url, counts)
    assert tallies(bare)["refused", "malformed"] == 3


def test_a_row_that_postgres_will_not_take_is_refused_and_costs_nobody_else(
    bare: Look, database_url: str
) -> None:
    batches = [batch_of(number) for number in range(BATCHES)]
    bad = verdict_on("bad")
    bad.row["number_of_records"] = 10**13  # more than any event may have
    worse = verdict_on("worse")
    worse.row["os"] = "nul\0"
    batches[5] = Batch([*batches[5].verdicts, bad], batches[5].tallies)
    batches[9] = Batch([*batches[9].verdicts, worse], batches[9].tallies)
    for _ in range(2):
        outcomes = commit(database_url, batches)
    assert Counter(outcomes)["rejected"] == BATCHES + 2
    assert bare.value("SELECT count(*) FROM events") == 2 * BATCHES + 1
    assert bare.value("SELECT count(*) FROM rejections WHERE reason = 'internal'") == 2
    bare.check_law()
    assert bare.outcomes()["received"] == 4 * BATCHES + 2
    assert tallies(bare)["client_dropped", ""] == sum(range(BATCHES))


def test_a_batch_that_commits_after_we_looked(bare: Look, database_url: str) -> None:
    """Its statement was left behind and is under way: the merged one waits for it, and
    then leaves that batch out."""
    batches = [batch_of(number) for number in range(BATCHES)]
    url = database_url.replace("+psycopg", "")

    async def run() -> list[str]:
        engine = open_write_engine(database_url)
        with psycopg.connect(url, row_factory=scalar_row) as behind, psycopg.connect(url) as watch:
            watch.autocommit = True
            behind.execute(INSERT_BATCH.encode(), make_parameters(batches[4].verdicts, batches[4]))
            async with engine.connect() as connection:
                merged = asyncio.create_task(insert_all(connection, batches))
                began = time.monotonic()
                waiting = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
                while not watch.execute(waiting).fetchall():
                    assert time.monotonic() < began + 30
                    assert not merged.done()
                    await asyncio.sleep(0.01)
                behind.commit()
                outcomes = await merged
        await engine.dispose()
        return outcomes

    assert len(asyncio.run(run())) == 4 * BATCHES
    check_books(bare)


def test_one_batch_goes_as_ever(bare: Look, database_url: str) -> None:
    batch = batch_of(0)

    async def run() -> list[str]:
        engine = open_write_engine(database_url)
        async with engine.connect() as connection:
            outcomes = await insert(connection, batch)
        await engine.dispose()
        return outcomes

    assert commit(database_url, [batch]) == asyncio.run(run())
    assert bare.outcomes()["received"] == 4
