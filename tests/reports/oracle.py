"""The definitions of the ranking in plain Python, written without a look at the SQL: what the tests compare it with."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest

from app.reports.parameters import Parameters
from tests.reports.rows import Stored

CONFIG = re.compile(
    "PyAirbyteInputError|PyAirbyteNoStreamsSelectedError|.*ValidationFailedError|.*CheckFailedError"
    "|.*ConfigurationMissingError|.*SecretNotFoundError|.*StreamNotFoundError"
)
DAY = dt.timedelta(days=1)


@dataclass
class Totals:
    """The counts of one connector, and attempts, ranked failures of each user."""

    attempts: int = 0
    succeeded: int = 0
    failed: int = 0
    failed_config: int = 0
    canceled: int = 0
    in_flight: int = 0
    abandoned: int = 0
    orphans: int = 0
    records: int = 0
    from_ledger: int = 0
    units: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))


def lane_of(row: Stored) -> str:
    if row["session_key"] is None:
        return "direct"
    if row["destination_name"] not in (None, "unknown"):
        return "write"
    return "cache" if row["cache_type"] not in (None, "streaming") else "direct"


def time_of(row: Stored) -> dt.datetime:
    moment = row["corrected_at"] or row["occurred_at"]
    assert isinstance(moment, dt.datetime)
    return moment


def is_timely(row: Stored) -> bool:
    """Whether a row counts: what arrived over 90 days late (imported: 400), or two days early, never does."""
    late = row["received_at"] - time_of(row)
    assert isinstance(late, dt.timedelta)
    return dt.timedelta(days=-2) <= late <= dt.timedelta(days=400 if row["imported"] else 90)


def pairs_of(rows: Iterable[Stored]) -> Iterable[tuple[tuple[object, ...], list[Stored]]]:
    pairs: dict[tuple[object, ...], list[Stored]] = defaultdict(list)
    for row in rows:
        if row["event"] != "sync" or not is_timely(row):
            continue
        if row["session_key"] is None:
            if row["state"] == "started":
                pairs[row["message_key"],].append(row)
            continue
        names = (connector_of(row, "source"), connector_of(row, "destination"))
        pairs[row["anonymous_id"], row["session_key"], *names, lane_of(row)].append(row)
    return pairs.items()


def is_prerelease(version: str) -> bool:
    return version == "0.0.0" or bool(re.search(r"[a-z+]", version.replace("post", "")))


def is_asked_for(first: Stored, asked: Parameters) -> bool:
    in_window = asked.first_day <= time_of(first).date() <= asked.until
    in_lane = lane_of(first) in {"rated": ("cache", "write")}.get(asked.lane, (asked.lane,))
    ci_fits = asked.ci == "include" or bool(first["ci"]) == (asked.ci == "only")
    version_fits = asked.version in (None, first["version"])
    release_fits = asked.prerelease == "include" or (
        first["version"] is not None and is_prerelease(first["version"]) == (asked.prerelease == "only")
    )
    return in_window and in_lane and ci_fits and version_fits and release_fits


def recompute(rows: Iterable[Stored], asked: Parameters, now: dt.datetime) -> dict[str, Totals]:
    totals: dict[str, Totals] = defaultdict(Totals)
    for _, pair in pairs_of(rows):
        pair.sort(key=lambda row: (time_of(row), row["state"] != "started", row["message_key"]))
        latest = max(time_of(row) for row in pair)
        starts = [row for row in pair if row["state"] == "started"]
        ends = [row for row in pair if row["state"] != "started"]
        for start, end in zip_longest(starts, ends):
            first = start or end
            name = connector_of(first, asked.role)
            if name is not None and is_asked_for(first, asked):
                add(totals[name], start, end, open_for_good=now - latest >= DAY)
    return dict(totals)


def connector_of(row: Stored, role: str) -> str | None:
    if role == "destination":
        return row["destination_name"] if lane_of(row) == "write" else None
    return row["source_name"] or ("unknown" if lane_of(row) == "cache" else None)


def add(total: Totals, start: Stored | None, end: Stored | None, *, open_for_good: bool) -> None:
    outcome = end["state"] if end else "abandoned" if open_for_good else "in_flight"
    setattr(total, outcome, getattr(total, outcome) + 1)
    config = bool(outcome == "failed" and end and CONFIG.fullmatch(end["exception_class"] or ""))
    total.attempts += 1
    total.failed_config += config
    total.orphans += start is None
    total.from_ledger += any(row is not None and "reason" in row for row in (start, end))
    if outcome == "succeeded" and end:
        total.records += end["number_of_records"] or 0
    unit = (start or end or {})["anonymous_id"]
    if unit is not None:
        counts = total.units[unit]
        counts[0] += 1
        counts[1] += outcome != "in_flight"
        counts[2] += outcome == "failed" and not config


def capped_rate(total: Totals) -> float | None:
    settled = [(attempts, failures) for _, attempts, failures in total.units.values() if attempts]
    weight = sum(min(attempts, 20) for attempts, _ in settled)
    return (
        sum(min(attempts, 20) * failures / attempts for attempts, failures in settled) / weight
        if weight
        else None
    )
