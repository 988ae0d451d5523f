"""The made-up fleet: the same for a seed, in time order, and each event with the
verdict that it is tagged with."""

import datetime as dt
from collections import Counter
from itertools import pairwise

import orjson
import pytest

from app.contract.document import ParsedEvent
from app.contract.limits import EVENT_BYTES
from app.contract.vocabulary import shipped_connectors
from app.demo.fleet import FleetEvent, generate_events
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge

UNTIL = dt.datetime(2026, 11, 23, 15, tzinfo=dt.UTC).timestamp()


def small_fleet(seed: int = 7, users: int = 400, until: float = UNTIL) -> list[FleetEvent]:
    return list(generate_events(shipped_connectors(), users=users, days=20, seed=seed, until=until))


@pytest.fixture(scope="module")
def fleet() -> list[FleetEvent]:
    return small_fleet()


def test_same_seed_gives_the_same_bytes(fleet: list[FleetEvent]) -> None:
    again = small_fleet()
    assert [orjson.dumps(event.body) for event in fleet] == [orjson.dumps(event.body) for event in again]
    assert fleet == again


def test_order_of_the_vocabulary_does_not_matter() -> None:
    names = sorted(shipped_connectors())
    arguments = {"users": 30, "days": 3, "seed": 1, "until": UNTIL}
    forwards = list(generate_events(names, **arguments))  # type: ignore[arg-type]
    backwards = list(generate_events(names[::-1], **arguments))  # type: ignore[arg-type]
    assert forwards == backwards


def test_another_seed_gives_other_events(fleet: list[FleetEvent]) -> None:
    assert fleet[0].body != small_fleet(seed=8)[0].body


def test_events_come_in_time_order_within_the_window(fleet: list[FleetEvent]) -> None:
    assert all(earlier.at <= later.at for earlier, later in pairwise(fleet))
    assert fleet[0].at >= UNTIL - 21 * 86_400
    assert fleet[-1].at < UNTIL


def test_every_event_gets_the_verdict_that_it_is_tagged_with(fleet: list[FleetEvent]) -> None:
    verdict_context = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
    seen: set[bytes] = set()
    for event in fleet:
        arrival = Arrival(
            dt.datetime.fromtimestamp(UNTIL, dt.UTC), 1, b"key", historical=event.route == "import"
        )
        verdict = judge(ParsedEvent(event.body), arrival, verdict_context)
        assert verdict.rejected == (event.outcome == "rejected"), (verdict.reason, verdict.path)
        assert sorted(verdict.withheld) == sorted(event.withheld) or verdict.rejected
        assert (verdict.row["message_key"] in seen) == (event.outcome == "duplicate")
        seen.add(verdict.row["message_key"])
        assert len(orjson.dumps(event.body)) < EVENT_BYTES


def test_fleet_has_something_for_every_report(fleet: list[FleetEvent]) -> None:
    outcomes = Counter(event.outcome for event in fleet)
    assert min(outcomes["rejected"], outcomes["duplicate"]) > 0
    bodies = [event.body for event in fleet]
    properties = [body["properties"] for body in bodies]
    kinds = Counter((body["event"], part["state"]) for body, part in zip(bodies, properties, strict=True))  # type: ignore[index]
    assert kinds.keys() >= {
        *(("sync", state) for state in ("started", "succeeded", "failed", "canceled")),
        *((event, state) for event in ("install", "validate", "check") for state in ("succeeded", "failed")),
    }
    assert any("destination" in part and "source" not in part for part in properties)  # type: ignore[operator]
    versions = {part["version"] for part in properties}  # type: ignore[index]
    assert versions >= {"0.30.0", "0.10.5"}
    withheld = {path for event in fleet for path in event.withheld}
    assert withheld >= {"properties.source.name", "properties.cache.type"}


def test_wrong_clocks_go_the_live_route_and_tell_their_drift(fleet: list[FleetEvent]) -> None:
    live = [event for event in fleet if event.route == "batch"]
    assert live
    for event in live:
        skew = dt.datetime.fromisoformat(str(event.body["sentAt"])).timestamp() - UNTIL
        assert abs(skew) >= 3_600
        timestamp = dt.datetime.fromisoformat(str(event.body["timestamp"])).timestamp()
        assert timestamp - skew == pytest.approx(event.at, abs=3.0)


def test_a_loop_fails_over_and_over_as_one_user(fleet: list[FleetEvent]) -> None:
    failures = Counter(
        event.body["anonymousId"]
        for event in fleet
        if event.body["properties"]["state"] == "failed"  # type: ignore[index]
        and isinstance(event.body["anonymousId"], str)
    )
    (_, most), (_, second) = failures.most_common(2)
    assert most >= 300
    assert most > 5 * second
