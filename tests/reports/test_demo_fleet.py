"""The demo's fleet has new versions that fail more often, planted: the report finds those, and no other."""

import datetime as dt

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.demo import catalog
from app.demo.fleet import build_world, generate_events, start_random
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from tests.reports.rows import Store

USERS, DAYS, SEED = 6000, 60, 7  # the seed of `demo`
RANKS = range(5, 12)  # of popularity; the first ones have most of the events
AS_OF = dt.datetime(2026, 11, 18, 4, tzinfo=dt.UTC)
UNTIL = 1_795_000_000.0  # a few hours later


def test_the_planted_regressions_are_found_and_no_other(store: Store) -> None:
    world = build_world(start_random(SEED), shipped_connectors(), DAYS, UNTIL)
    chosen = {rank: world.sources[rank] for rank in RANKS}
    names = {source.name for source in chosen.values()}
    verdict_context = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
    rows = []
    for event in generate_events(shipped_connectors(), users=USERS, days=DAYS, seed=SEED, until=UNTIL):
        properties = event.body["properties"]
        assert isinstance(properties, dict)
        if event.body["event"] == "sync" and (properties.get("source") or {}).get("name") in names:
            arrival = Arrival(dt.datetime.fromtimestamp(event.at, dt.UTC), 1, b"key", historical=True)
            verdict = judge(ParsedEvent(event.body), arrival, verdict_context)
            if event.outcome == "accepted" and not verdict.rejected:
                rows.append(verdict.row)
    store.write(rows)
    table = store.ask({"until": "2026-11-17", "scope": "source"}, AS_OF, "regressions")
    planted = {
        (chosen[rank].name, chosen[rank].releases[-1].version)
        for rank in RANKS
        if rank in catalog.REGRESSED_RANKS
    }
    found = {(row["connector"], row["new_version"]) for row in table.rows if row["verdict"] == "regression"}
    assert len(planted) == 2
    assert found == planted
    reported = {(row["connector"], row["new_version"]): row for row in table.rows}
    for rank, source in chosen.items():
        if (
            rank not in catalog.REGRESSED_RANKS
            and (key := (source.name, source.releases[-1].version)) in reported
        ):
            assert reported[key]["verdict"] == "not enough data"
