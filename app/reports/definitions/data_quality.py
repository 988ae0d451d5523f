"""The report `data-quality`: how far the other reports can be trusted."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.reports import ranking
from app.reports.model import FILTERS, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

COLUMNS: Final = (
    Column(
        "section",
        "text",
        "attempts (by lane), users, outcome (of events), rejected (events, by reason), withheld (fields of accepted events), "
        "refused (requests), client_dropped (by clients, as they tell: unverified, at most 10,000 a request), envelope (events with transport keys, which are "
        "dropped), rollups.",
    ),
    Column("item", "text", "What is counted."),
    Column("count", "number", "How many; of `lag`, seconds."),
    Column("of", "integer", "Of how many, where that makes sense."),
    Column("share", "number", "count / of."),
)
ATTEMPTS: Final = {
    "orphans": "whose start never arrived",
    "abandoned": "that nothing was heard of for 24 hours",
    "in_flight": "in flight",
    "corrected": "of a clock that was off by 55 minutes or more",
    "from_ledger": "known from an event that was refused",
    "nobodys": "of nobody who can be told",
}


def shape(answers: Answers, _: Parameters) -> list[Row]:
    """Section by section."""
    rows = [*tell_attempts(answers["attempts"]), *tell_units(answers["units"])]
    rows += [*tell_events(answers["events"]), *tell_rollups(answers["freshness"])]
    return ranking.select(rows, COLUMNS)


def line(section: str, item: str, count: float, whole: int | None = None) -> Row:
    """One row."""
    share = None if whole is None else ranking.share(count, whole)
    return {"section": section, "item": item, "count": float(count), "of": whole, "share": share}


def tell_attempts(counts: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """Orphans, abandoned and the rest, by lane."""
    for count in counts:
        for name, words in ATTEMPTS.items():
            yield line("attempts", f"{count['lane']}: {words}", count[name], count["attempts"])


def tell_units(counts: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """Users who were never seen again: a container mints a new id each run."""
    for count in counts:
        yield line("users", "ephemeral: every session a first run", count["ephemeral"], count["units"])


def tell_events(counts: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """Outcomes as shares of what was received, reasons as shares of what was rejected."""
    sections: dict[str, dict[str, int]] = {}
    for count in counts:
        sections.setdefault(count["section"], {})[count["item"]] = count["count"]
    outcomes = sections.pop("outcome", {})
    received, rejected, accepted = (outcomes.get(name, 0) for name in ("received", "rejected", "accepted"))
    for item, number in sorted(outcomes.items(), key=lambda each: -each[1]):
        yield line("outcome", item, number, received)
    wholes = {"rejected": rejected, "withheld": accepted}
    for section, items in sorted(sections.items()):
        for item, number in sorted(items.items(), key=lambda each: (-each[1], each[0])):
            yield line(section, item, number, wholes.get(section))


def tell_rollups(counts: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """How far behind the figures are."""
    for count in counts:
        yield line("rollups", "lag, seconds", round(float(count["lag_seconds"]), 1))
        yield line("rollups", "sessions that wait", count["waiting"])


DATA_QUALITY: Final = Report(
    name="data-quality",
    summary="How far the other reports can be trusted: orphans, clocks, duplicates, what was withheld and refused, rollup lag.",
    queries={
        "attempts": (*SCOPE, "quality_attempts"),
        "units": (*SCOPE, "quality_units"),
        "events": ("quality_events",),
        "freshness": ("freshness",),
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("section", ("section",), "text"),
        Heading("what", ("item",), "name"),
        Heading("count", ("count",), "quantity"),
        Heading("of", ("of",)),
        Heading("%", ("share",), "percent"),
    ),
    parameters=(*FILTERS, "limit"),
    sorts={"section": "section"},
    default_sort="section",
    note="Attempts and users are those that the filters leave; events and requests are all that arrived in the window.",
    terms=("attempt", "refused events", "in flight"),
)
