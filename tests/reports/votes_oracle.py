"""Versions that are compared, and the votes on both, in plain Python from docs/metrics.md: what the
tests compare the SQL with."""

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from app.reports.parameters import Parameters
from tests.reports.oracle import CONFIG, DAY, connector_of, is_asked_for, lane_of, pairs_of, time_of
from tests.reports.rows import Stored

Key = tuple[str, str]  # kind, connector
UNTOLD = {"", "unknown", "latest", "other"}


@dataclass
class Done:
    """What a user did on a day with a version."""

    settled: int = 0
    ranked: int = 0
    succeeded: int = 0


@dataclass
class Compared:
    """A new version, the one before it, and each vote: with what the same user had before, of a new one."""

    old: str
    since: dt.date
    new_votes: dict[int, tuple[float, float | None]] = field(default_factory=dict)
    old_votes: dict[int, float] = field(default_factory=dict)


# Version, user, day.
Uses = dict[tuple[str, int, dt.date], Done]


def uses_of(rows: Iterable[Stored], asked: Parameters) -> dict[Key, Uses]:
    """Return what users did by kind and connector."""
    found: dict[Key, Uses] = defaultdict(lambda: defaultdict(Done))
    for _, pair in pairs_of(rows):
        pair.sort(key=lambda row: (time_of(row), row["state"] != "started", row["message_key"]))
        starts = [row for row in pair if row["state"] == "started"]
        for start, end in zip_longest(starts, [row for row in pair if row["state"] != "started"]):
            first = start or end
            if first["anonymous_id"] is None or not is_asked_for(first, asked):
                continue
            for key, version in kinds_of(first):
                done = found[key][version, first["anonymous_id"], time_of(first).date()]
                done.settled += 1
                if end is not None and end["state"] == "succeeded":
                    done.succeeded += 1
                if end is not None and end["state"] == "failed":
                    done.ranked += not CONFIG.fullmatch(end["exception_class"] or "")
    return found


def kinds_of(first: Stored) -> Iterator[tuple[Key, str]]:
    if (source := connector_of(first, "source")) not in (None, "unknown", "custom"):
        yield ("source", str(source)), first["source_version"] or ""
    if lane_of(first) == "write" and first["destination_name"] not in ("unknown", "custom"):
        yield ("destination", first["destination_name"]), first["destination_version"] or ""
    yield ("pyairbyte", "pyairbyte"), first["version"] or ""


def first_day(uses: Uses, version: str) -> dt.date:
    """Return the day by which a version's second user, and a fiftieth of its users, had come."""
    firsts: dict[int, dt.date] = {}
    for each, unit, day in uses:
        if each == version:
            firsts[unit] = min(day, firsts.get(unit, day))
    days = sorted(firsts.values())
    return days[min(len(days), max(2, math.ceil(len(days) / 50))) - 1]


def compare(
    rows: Iterable[Stored], asked: Parameters, now: dt.datetime
) -> dict[tuple[str, str, str], Compared]:
    """Return the comparisons by kind, connector and new version."""
    found = uses_of(rows, asked)
    reported = Counter(day for uses in found.values() for _, _, day in uses)
    if not reported:
        return {}
    data_from = min(day for day, number in reported.items() if 20 * number >= max(reported.values()))
    compared = {}
    for key, uses in found.items():
        firsts = {version: first_day(uses, version) for version, _, _ in uses if version not in UNTOLD}
        for new, since in firsts.items():
            if asked.first_day <= since <= asked.until and since >= data_from + 28 * DAY:
                users: dict[str, set[int]] = defaultdict(set)
                for version, unit, day in uses:
                    if version in firsts and version != new and since - 28 * DAY <= day < since:
                        users[version].add(unit)
                if users:
                    old = max(users, key=lambda version: (len(users[version]), firsts[version], version))
                    one = compared[*key, new] = Compared(old, since)
                    old_since = max(firsts[old], data_from + 28 * DAY)
                    vote_all(one, uses, new, old_since, min(asked.until, now.date() - DAY))
    return compared


def vote_all(one: Compared, uses: Uses, new: str, old_since: dt.date, last: dt.date) -> None:
    for version, since in ((new, one.since), (one.old, old_since)):
        for unit in {unit for _, unit, _ in uses}:
            days = [day for each, who, day in uses if (each, who) == (version, unit) and day >= since]
            came_back = any(
                done.succeeded and who == unit and since - 28 * DAY <= day < since
                for (_, who, day), done in uses.items()
            )
            if not days or not came_back or min(days) + 6 * DAY > last:
                continue
            start = min(days)
            vote = share_of(uses, unit, start, start + 6 * DAY, version)
            assert vote is not None
            if version == new:
                one.new_votes[unit] = (vote, share_of(uses, unit, start - 28 * DAY, start - DAY, None))
            else:
                one.old_votes[unit] = vote


def share_of(uses: Uses, unit: int, first: dt.date, last: dt.date, version: str | None) -> float | None:
    chosen = [
        done
        for (each, who, day), done in uses.items()
        if who == unit and first <= day <= last and version in (None, each)
    ]
    settled = sum(done.settled for done in chosen)
    return sum(done.ranked for done in chosen) / settled if settled else None
