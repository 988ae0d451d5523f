"""The week in a page, for a channel or a mail: made of the same reports as everything else."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.problems import TelemetryError
from app.reports import render
from app.reports.definitions.regressions import NOT_ENOUGH
from app.reports.model import NOTE, Row, Table

NAME: Final = "digest"
SUMMARY: Final = "the week of home, connectors, regressions and errors in a page"
FEW: Final = 5
# What it is made of, and what each report is asked beside the filters that it takes.
ASKED: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "home": ("home", {}),
    "sources": ("connectors", {"role": "source"}),
    "destinations": ("connectors", {"role": "destination"}),
    "regressions": ("regressions", {}),
    "errors": ("errors", {}),
}
DEFAULTS: Final = {"window": "7d"}


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a heading; none where there is nothing to say."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """The sentences: plain text, without markup."""

    title: str
    sections: tuple[Section, ...]
    foot: str


def compose(tables: Mapping[str, Table]) -> Digest:
    """Return the digest of the tables of ASKED."""
    home = tables["home"]
    ranked = [
        row
        for role in ("sources", "destinations")
        for row in tables[role].rows
        if row["rank"] is not None and row["burden"]
    ]
    worse = [row for row in ranked if isinstance(row["delta_low"], float) and row["delta_low"] > 0]
    sections = (
        Section("The fleet", (*write_fleet(home.rows), *write_notes(home.rows))),
        Section("Fix first", tuple(map(write_connector, pick(ranked, "burden")))),
        Section("Getting worse", tuple(map(write_connector, pick(worse, "delta_low")))),
        Section("New versions that fail more often", write_regressions(tables["regressions"].rows)),
        Section("New errors", write_errors(tables["errors"].rows)),
    )
    asked = home.parameters
    left_out = " CI and pre-releases are left out." if asked["ci"] == asked["prerelease"] == "exclude" else ""
    return Digest(
        f"PyAirbyte: {asked['window']} until {asked['until']}, against as many days before",
        tuple(section for section in sections if section.lines),
        f"As of {render.instant(home.as_of)}.{left_out} Burden: users x capped rate. Change: with its "
        f"90 % interval.",
    )


def pick(rows: list[Row], column: str) -> list[Row]:
    """Return the few rows with the largest values."""
    return sorted(rows, key=lambda row: (-float(row[column] or 0), str(row["connector"])))[:FEW]


def write_fleet(rows: list[Row]) -> tuple[str, ...]:
    """Return what users meet, then how many they are, then the naive rate."""
    fleet = {row["item"]: row for row in rows if row["section"] == "fleet"}
    sentences = [
        f"{title}: {percent(fleet[item]['value'])}{write_change(fleet[item])}"
        for title, item in (
            ("Failure that a user meets", "capped rate"),
            ("Users affected", "affected share"),
        )
        if fleet[item]["value"] is not None
    ]
    sentences += [
        f"{title}: {number(fleet[item])}"
        for title, item in (("Users", "users"), ("Syncs", "attempted syncs"))
    ]
    rate = fleet["failure rate"]
    if rate["value"] is not None:
        before = "" if rate["before"] is None else f", {percent(rate['before'])} before"
        sentences.append(f"Share of syncs that failed: {percent(rate['value'])}{before}; a loop moves it")
    return tuple(sentences)


def write_notes(rows: list[Row]) -> tuple[str, ...]:
    """Return the sentences of `home`, but not what today adds: the week is over."""
    return tuple(str(row["text"]) for row in rows if row["section"] == NOTE and row["item"] != "today so far")


def write_connector(row: Row) -> str:
    """Return a connector's users, failures and change."""
    rate = row["rate"] if row["rate"] is not None else row["capped_rate"]
    return (
        f"{row['connector']}{' (surge)' if row['surge'] else ''}: burden {row['burden']:.1f}; "
        f"{percent(rate)} of a user's syncs fail, "
        f"for {row['affected_units']:,} of {row['units']:,} users{write_change(row)}"
    )


def write_regressions(rows: list[Row]) -> tuple[str, ...]:
    """Return the new versions with evidence against them."""
    return tuple(
        f"{row['connector']} {row['new_version']}: {percent(row['share'])} of a user's syncs fail, "
        f"{percent(row['share_before'])} on {row['old_version']} ({row['verdict']}, since {row['since']})"
        for row in rows
        if row["verdict"] != NOT_ENOUGH
    )


def write_errors(rows: list[Row]) -> tuple[str, ...]:
    """Return the exceptions that were not seen in the window before, those of most users first."""
    new = sorted((row for row in rows if row["is_new"]), key=lambda row: -int(row["affected_units"] or 0))
    return tuple(
        f"{row['exception_class']}: {row['affected_units']:,} users, mostly {row['top_connector']}"
        for row in new[:FEW]
    )


def write_change(row: Row) -> str:
    """Return a change with its interval, and whether it may be chance."""
    values = [row[name] for name in ("delta", "delta_low", "delta_high")]
    points = [f"{100 * value:+.1f}" for value in values if isinstance(value, float)]
    if len(points) < len(values):
        return ""
    chance = ", may be chance" if float(row["delta_low"] or 0) <= 0 <= float(row["delta_high"] or 0) else ""
    return f" ({points[0]} points, {points[1]} to {points[2]}{chance})"


def percent(value: object) -> str:
    """Return a fraction as a percentage."""
    return f"{100 * value:.1f} %" if isinstance(value, int | float) else "-"


def number(row: Row) -> str:
    """Return a count and the one before."""
    value, before = (f"{float(row[name] or 0):,.0f}" for name in ("value", "before"))
    return f"{value}, {before} before"


def to_text(digest: Digest) -> str:
    """Return the digest as plain text."""
    parts = [digest.title, "=" * len(digest.title)]
    for section in digest.sections:
        parts += ["", section.title, *(f"  {line}" for line in section.lines)]
    return "\n".join([*parts, "", digest.foot])


def to_markdown(digest: Digest) -> str:
    """Return the digest as Markdown."""
    parts = [f"## {digest.title}"]
    for section in digest.sections:
        parts += ["", f"### {section.title}", "", *(f"- {line}" for line in section.lines)]
    return "\n".join([*parts, "", digest.foot])


def post(digest: Digest, webhook: str) -> None:
    """Post the digest to the alerts' webhook, as `text`, which Slack shows. Raises
    TelemetryError if it takes none."""
    from app.reports import alerts  # noqa: PLC0415 -- its table brings all of the wire, for which no report waits

    if not alerts.post(webhook, {"text": to_text(digest)}, threading.Event()):
        raise TelemetryError("The webhook did not take the digest: see the log.")


def ask(
    given: Mapping[str, str], parameters_of: Callable[[str], tuple[str, ...]]
) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what each report of the digest is asked: the filters that it takes; a
    week unless another is asked for."""
    filters = {**DEFAULTS, **given}
    return {
        key: (name, {each: text for each, text in filters.items() if each in parameters_of(name)} | {**own})
        for key, (name, own) in ASKED.items()
    }
