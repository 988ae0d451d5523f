"""The definitions of the ranking in plain Python, written without a look at the SQL:
what the tests compare it with."""

import datetime as dt
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

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
    # What the succeeded ones took in ms, by what they are averaged over: user, day, route, environment, …
    lasted: dict[tuple[object, ...], list[int]] = field(default_factory=lambda: defaultdict(list))
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
        if start is not None:
            time_taken(total, start, end)
    unit = (start or end or {})["anonymous_id"]
    if unit is not None:
        counts = total.units[unit]
        counts[0] += 1
        counts[1] += outcome != "in_flight"
        counts[2] += outcome == "failed" and not config


TOGETHER = (
    *("bucket", "anonymous_id", "application_hash", "source_version", "destination_version", "cache_type"),
    *("version", "python_version", "os", "ci", "notebook_runtime"),
    *("source_executor_type", "destination_executor_type"),
)


def time_taken(total: Totals, start: Stored, end: Stored) -> None:
    """Note how long a sync took by the sender's own clock; no time, less, and over a week say nothing."""
    milliseconds = (end["occurred_at"] - start["occurred_at"]) // dt.timedelta(milliseconds=1)
    if 0 < milliseconds <= 7 * 86_400_000:
        roles = (connector_of(start, "source"), connector_of(start, "destination"), lane_of(start))
        day = (time_of(start).date(), *roles, *(start[name] or None for name in TOGETHER))
        total.lasted[day].append(milliseconds)


def durations_of(total: Totals) -> tuple[int, float | None, float | None]:
    """How many syncs are timed, the median and the nine tenths in seconds, within a class or so."""
    weighed: list[float] = []
    for taken in total.lasted.values():
        mean = math.exp(sum(map(math.log, taken)) / len(taken)) / 1000
        weighed += [mean] * min(len(taken), CAP)
    weighed.sort()
    places = [math.ceil(len(weighed) * share) - 1 for share in (0.5, 0.9)]
    middle, slow = (weighed[place] if weighed else None for place in places)
    return sum(map(len, total.lasted.values())), middle, slow


CAP = 5  # attempts that a user weighs


@dataclass
class Person:
    """A user as reports count them: an id that was kept, or all ids of one setup that never were."""

    is_ephemeral: bool
    attempts: int = 0
    settled: int = 0
    failures: int = 0

    @property
    def weight(self) -> int:
        return min(self.settled, CAP)


def people_of(total: Totals, known: Mapping[tuple[int, int], tuple[Any, ...]]) -> list[Person]:
    """Whoever used a connector. `known` is what the rollups' oracle knows of each id."""
    by_id = {unit: (setup, lasts) for (_, unit), (_, _, setup, lasts, *_) in known.items()}
    people: dict[object, Person] = {}
    for unit, (attempts, settled, failures) in total.units.items():
        setup, lasts = by_id[unit]
        person = people.setdefault(unit if lasts else setup or unit, Person(not lasts))
        person.attempts += attempts
        person.settled += settled
        person.failures += failures
    return list(people.values())


def capped_rate(people: Iterable[Person]) -> float | None:
    shares = [(one.weight, one.weight * one.failures / one.settled) for one in people if one.settled]
    weight = sum(weight for weight, _ in shares)
    return sum(share for _, share in shares) / weight if weight else None


def weigh(people: Iterable[Person]) -> float:
    """How many users they are: an ephemeral one counts as far as its attempts
    go, beside those of who lasts."""
    lasting = [one.weight for one in people if not one.is_ephemeral]
    mean = (sum(lasting) + CAP) / (len(lasting) + 1)
    return len(lasting) + sum(min(1.0, one.weight / mean) for one in people if one.is_ephemeral)
