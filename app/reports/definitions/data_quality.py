"""The report `data-quality`: how far the other reports can be trusted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.reports import ranking
from app.reports.model import FILTERS, SCOPE, Answers, Column, Counts, Heading, Report, Row, Series, Value
from app.reports.parameters import TODAY, Parameters

COLUMNS: Final = (
    Column(
        "section",
        "text",
        "attempts (by lane), users, outcome (of events), rejected (events, by reason), withheld (fields "
        "of accepted events), "
        "by key (events, by outcome and write key), refused (requests), client_dropped (by clients, as "
        "they report it: unverified, at most 10,000 a request), envelope (events with transport keys, "
        "which are dropped), new_word (versions beyond the budget of new words, stored as other; route, "
        "environment and pair: combinations beyond it, stored with unknown words), rollups.",
    ),
    Column("key", "text", "What is counted, by a name that stays: `orphans`, `accepted`, a field, a reason."),
    Column("lane", "text", "Of attempts: their lane."),
    Column("write_key", "text", "By key: the name of the write key."),
    Column("item", "text", "What is counted, in words."),
    Column("count", "number", "How many; of `lag`, seconds."),
    Column("before", "number", "How many in the window before; null of what is as of now."),
    Column("of", "integer", "Of how many, where that makes sense."),
    Column("share", "number", "count / of."),
)
ATTEMPTS: Final = {
    "orphans": "whose start never arrived",
    "abandoned": "that nothing was heard of for 24 hours",
    "in_flight": "in flight",
    "corrected": "of a clock that was off by 55 minutes or more",
    "from_ledger": "known from an event that was refused",
    "nobodys": "of users without an id",
}


def shape(answers: Answers, _: Parameters) -> list[Row]:
    """Return the rows, section by section."""
    attempts, units, events = (split(answers[name]) for name in ("attempts", "units", "events"))
    names = {key["id"]: key["name"] for key in answers["names"]}
    rows = [*list_attempts(*attempts), *list_units(*units), *list_events(*events)]
    rows += [*list_keys(*split(answers["keys"]), names), *list_rollups(answers["freshness"])]
    return ranking.select(rows, COLUMNS)


def split(counts: Sequence[Counts]) -> tuple[list[Counts], list[Counts]]:
    """Return the counts of the window, and of the one before."""
    return [count for count in counts if count["is_current"]], [
        count for count in counts if not count["is_current"]
    ]


def line(section: str, key: str, count: float, whole: int | None = None, **further: Value) -> Row:
    """Return one row."""
    share = None if whole is None else ranking.share(count, whole)
    row: Row = {
        "section": section,
        "key": key,
        "lane": None,
        "write_key": None,
        "item": key,
        "count": float(count),
        "before": None,
    }
    return row | {"of": whole, "share": share} | further


def list_attempts(now: Iterable[Counts], before: Iterable[Counts]) -> Iterable[Row]:
    """Yield orphans, abandoned and the rest, by lane."""
    prior = {count["lane"]: count for count in before}
    for count in now:
        lane = count["lane"]
        for key, words in ATTEMPTS.items():
            was = float(prior[lane][key]) if lane in prior else 0.0
            item = f"{lane}: {words}"
            yield line("attempts", key, count[key], count["attempts"], lane=lane, item=item, before=was)


def list_units(now: Sequence[Counts], before: Sequence[Counts]) -> Iterable[Row]:
    """Yield users who were never seen again: a container mints a new id each run."""
    units, ephemeral = (sum(count[name] for count in now) for name in ("units", "ephemeral"))
    was = float(sum(count["ephemeral"] for count in before))
    item = "ephemeral: every session a first run"
    yield line("users", "ephemeral", ephemeral, units, item=item, before=was)


def list_events(now: Iterable[Counts], before: Iterable[Counts]) -> Iterable[Row]:
    """Yield outcomes as shares of what was received, reasons as shares of what was rejected."""
    prior = {(count["section"], count["item"]): float(count["count"]) for count in before}
    sections: dict[str, dict[str, int]] = {}
    for count in now:
        sections.setdefault(count["section"], {})[count["item"]] = count["count"]
    outcomes = sections.pop("outcome", {})
    received, rejected, accepted = (outcomes.get(name, 0) for name in ("received", "rejected", "accepted"))
    for key, number in sorted(outcomes.items(), key=lambda each: -each[1]):
        yield line("outcome", key, number, received, before=prior.get(("outcome", key), 0.0))
    wholes = {"rejected": rejected, "withheld": accepted}
    for section, items in sorted(sections.items()):
        for key, number in sorted(items.items(), key=lambda each: (-each[1], each[0])):
            yield line(section, key, number, wholes.get(section), before=prior.get((section, key), 0.0))


def list_keys(now: Iterable[Counts], before: Iterable[Counts], names: Mapping[int, str]) -> Iterable[Row]:
    """Yield outcomes under each write key, as shares of what was received under it."""
    prior = {(count["write_key"], count["item"]): float(count["count"]) for count in before}
    keys: dict[int, dict[str, int]] = {}
    for count in now:
        keys.setdefault(count["write_key"], {})[count["item"]] = count["count"]
    for number, outcomes in sorted(keys.items(), key=lambda each: names.get(each[0], "")):
        name, received = names.get(number, "none"), outcomes.get("received", 0)
        for key, found in sorted(outcomes.items(), key=lambda each: -each[1]):
            fields: Row = {
                "write_key": name,
                "item": f"{name}: {key}",
                "before": prior.get((number, key), 0.0),
            }
            yield line("by key", key, found, received, **fields)


def shape_days(answers: Answers, _: Parameters) -> list[Row]:
    """Return what the report counts, day by day: attempts by the day of their start,
    events by that of their arrival."""
    rows: list[Row] = [
        {"section": "attempts", "key": key, "lane": count["lane"], "day": count["day"], "count": count[key]}
        | {"of": count["attempts"]}
        for count in answers["attempt_days"]
        for key in ATTEMPTS
        if count[key]
    ]
    rows += [
        {"section": count["section"], "key": count["item"], "lane": None, "day": count["day"]}
        | {"count": count["count"], "of": None}
        for count in answers["event_days"]
    ]
    return ranking.select(rows, SERIES.columns)


def list_rollups(counts: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """Return how far behind the figures are."""
    for count in counts:
        yield line("rollups", "lag_seconds", round(float(count["lag_seconds"]), 1), item="lag, seconds")
        yield line("rollups", "waiting", count["waiting"], item="sessions that wait")


SERIES: Final = Series(
    columns=(
        *(column for column in COLUMNS if column.name in ("section", "key", "lane")),
        Column(
            "day",
            "text",
            "UTC day: of the attempts' start, of the events' arrival; those without any are left out.",
        ),
        Column("count", "integer", "How many."),
        Column("of", "integer", "Of attempts: of how many of the day and lane."),
    ),
    queries={
        "attempt_days": (*SCOPE, "attempt_counts", "quality_attempt_days"),
        "event_days": ("event_counts", "quality_event_days"),
    },
    shape=shape_days,
)
DATA_QUALITY: Final = Report(
    name="data-quality",
    summary="How far the other reports can be trusted: orphans, clocks, duplicates, what was withheld "
    "and refused, rollup lag.",
    queries={
        "attempts": (*SCOPE, "attempt_counts", "quality_attempts"),
        "units": (*SCOPE, "quality_units"),
        "events": ("event_counts", "quality_events"),
        "keys": ("event_counts", "quality_keys"),
        "names": ("key_names",),
        "freshness": ("freshness",),
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("section", ("section",), "text"),
        Heading("what", ("item",), "name"),
        Heading("count", ("count",), "quantity"),
        Heading("before", ("before",), "quantity"),
        Heading("of", ("of",)),
        Heading("%", ("share",), "percent"),
    ),
    parameters=(*FILTERS, "series", "limit"),
    series=SERIES,
    sorts={"section": "section"},
    default_sort="section",
    note="Attempts and users are those that the filters leave; events and requests are all that arrived "
    "in the window (under the write key, if one "
    "is asked for).",
    terms=("attempt", "refused events", "in flight"),
    compares=True,
    defaults={"until": TODAY},  # whoever asks whether data comes in asks about today, too
)
