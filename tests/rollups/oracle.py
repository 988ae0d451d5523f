"""What `unit_days` should hold, in plain Python from the definitions, written without a look at the SQL."""

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import zip_longest

from tests.reports.oracle import is_timely, lane_of, time_of
from tests.reports.rows import Stored

NOBODY = 0
# day, bucket, unit, application, the words of the route, those of the environment,
# exception class (None: no failure).
Key = tuple[dt.date, int, int, int, tuple[str, ...], tuple[object, ...], str | None]
Sums = Counter[str]
# Of a unit: the hour of its first arrival, the day of its last, the least hash that links first runs, whether
# it lasts, came in a crowd, the bits of its write keys, whether it is settled.
Known = tuple[dt.datetime, dt.date, int | None, bool, bool, int, bool]
ROUTE = (
    "event",
    "lane",
    "source_name",
    "source_version",
    "destination_name",
    "destination_version",
    "cache_type",
)
TOLD = (
    "version",
    "python_version",
    "os",
    "notebook_runtime",
    "source_executor_type",
    "destination_executor_type",
)


def recompute(rows: Iterable[Stored]) -> dict[Key, Sums]:
    """The sums by everything that they are kept by; what is zero is left out."""
    sums: dict[Key, Sums] = defaultdict(Counter)
    for pair in pairs_of(rows):
        pair.sort(key=lambda row: (time_of(row), row["state"] != "started", row["message_key"]))
        starts = [row for row in pair if row["state"] == "started"]
        ends = [row for row in pair if row["state"] != "started"]
        for start, end in zip_longest(starts, ends):
            add(sums, start, end)
    return {
        key: Counter({name: number for name, number in found.items() if number})
        for key, found in sums.items()
    }


def pairs_of(rows: Iterable[Stored]) -> Iterable[list[Stored]]:
    pairs: dict[tuple[object, ...], list[Stored]] = defaultdict(list)
    for row in filter(is_timely, rows):
        key: tuple[object, ...] = (row["message_key"],)
        if row["session_key"] is not None:
            key = (row["anonymous_id"], row["session_key"], row["event"], *connectors_of(row), lane_of(row))
        elif row["event"] != "sync" or row["state"] != "started":
            continue
        pairs[key].append(row)
    return pairs.values()


def connectors_of(row: Stored) -> tuple[str, str]:
    source = row["source_name"] or ("unknown" if lane_of(row) == "cache" else "")
    return source, row["destination_name"] if lane_of(row) == "write" else ""


def add(sums: dict[Key, Sums], start: Stored | None, end: Stored | None) -> None:
    first = start or end
    assert first is not None
    outcome = end["state"] if end else "open"
    failure = (end["exception_class"] or "") if end and outcome == "failed" else None
    found = sums[key_of(first, failure)]
    found[outcome] += 1
    found["orphans"] += start is None and first["event"] == "sync"
    found["from_ledger"] += any(row is not None and "reason" in row for row in (start, end))
    found["first_runs"] += first["first_run"]
    found["corrected"] += first["corrected_at"] is not None
    if end and outcome == "succeeded":
        found["records"] += end["number_of_records"] or 0
        if (lasted := class_of(start, end)) is not None:
            found["timed"] += 1
            found["durations"] += lasted


def class_of(start: Stored | None, end: Stored) -> int | None:
    """The class of what a sync took by the sender's own clock: four a doubling, from 1 ms on."""
    if start is None:
        return None
    milliseconds = (end["occurred_at"] - start["occurred_at"]) // dt.timedelta(milliseconds=1)
    if not 0 < milliseconds <= 7 * 86_400_000:
        return None
    return 1 + math.floor(4 * math.log2(milliseconds))


def key_of(first: Stored, failure: str | None) -> Key:
    source, destination = connectors_of(first)
    route = (
        first["event"],
        lane_of(first),
        source,
        first["source_version"] or "",
        destination,
        (first["destination_version"] or "") if destination else "",
        first["cache_type"] or "",
    )
    environment = (bool(first["ci"]), *(first[name] or "" for name in TOLD))
    people = (first["anonymous_id"] or NOBODY, first["application_hash"] or NOBODY)
    return (time_of(first).date(), first["bucket"], *people, route, environment, failure)


def know(rows: Iterable[Stored]) -> dict[tuple[int, int], Known]:
    """What is known of each unit, by bucket and unit."""
    signals: dict[tuple[int, int], list[Stored]] = defaultdict(list)
    for pair in pairs_of(rows):
        for row in pair:
            if row["anonymous_id"] is not None:
                signals[row["bucket"], row["anonymous_id"]].append(row)
    return {unit: sum_up(of_unit) for unit, of_unit in signals.items()}


def sum_up(rows: list[Stored]) -> Known:
    arrivals = [row["received_at"] for row in rows]
    first, last = min(arrivals), max(arrivals)
    link = min((link for row in rows if (link := link_of(row)) is not None), default=None)
    lasts = any(not row["first_run"] for row in rows)
    is_crowded = any(row["crowded"] for row in rows)
    is_settled = (last.date() - first.date()).days >= 7
    return (
        first.replace(minute=0, second=0, microsecond=0),
        last.date(),
        link,
        lasts,
        is_crowded,
        mask_keys(row["write_key"] for row in rows),
        is_settled,
    )


def mask_keys(numbers: Iterable[int]) -> int:
    """A bit for each write key; the first for those that have none of their own."""
    mask = 0
    for number in numbers:
        mask |= 1 << number if 1 <= number <= 62 else 1
    return mask


def link_of(row: Stored) -> int | None:
    """The hash of configurations and application of a first run that has them."""
    link: int | None = row["setup"] if row["first_run"] else None
    return link
