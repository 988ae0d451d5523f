"""Figures as Markdown that pastes into an issue: figures, users, versions, errors, and the page's address."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.pages import formats
from app.reports.model import Table

Row = Mapping[str, Any]


def write_finding(row: Row, address: str) -> str:
    """Return one comparison of versions."""
    name = formats.called(row["connector"])
    lines = [
        f"### {name} {row['new_version']} fails more often than {row['old_version']}",
        "",
        f"- verdict: {row['verdict']}, E = {formats.power(row['evidence'])}, since "
        f"{formats.day(row['since'], year=True)}",
        f"- failures among a returning user's syncs: {formats.percent(row['share'])} on {row['new_version']} "
        f"({formats.number(row['votes'])} users, {formats.number(row['affected_units'])} affected), "
        f"{formats.percent(row['share_before'])} on {row['old_version']} "
        f"({formats.number(row['votes_before'])} users)",
    ]
    if row["own_before"] is not None:
        lines.append(f"- the same users in the 28 days before: {formats.percent(row['own_before'])}")
    if row["new_errors"]:
        lines.append(f"- new on this version (users): {row['new_errors']}")
    lines += ["", "Associated with the version, not proven to be caused by it.", f"Source: {address}"]
    return "\n".join(lines).replace(formats.NO_BREAK, " ")


def say_duration(row: Row) -> str:
    """Return how long succeeded syncs take, if that is known of any."""
    if not row["timed"]:
        return ""
    middle, slow = (formats.duration(row[name]) for name in ("duration_p50", "duration_p90"))
    return f" Half of those that succeed take up to {middle}, nine in ten {slow}."


def write_connector(
    name: str, table: Table, sections: Mapping[str, Sequence[Row]], found: Sequence[Row], address: str = ""
) -> str:
    """Return one connector's figures."""
    [whole] = sections["total"]
    lines = [
        f"### {name}: {formats.span(whole['failure_rate'], whole['failure_rate_upper'])} of its syncs "
        f"fail, for "
        f"{formats.number(whole['affected_units'])} of {formats.number(whole['units'])} users",
        "",
        f"Window: {table.parameters['window']} until {table.parameters['until']} (UTC). "
        f"{formats.number(whole['attempts'])} syncs, {formats.number(whole['failed'])} failed, "
        f"{formats.number(whole['abandoned'])} abandoned.{say_duration(whole)}",
        "",
        "| exception | failures | users |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {row['item']} | {formats.number(row['failed'])} | {formats.number(row['units'])} |"
        for row in sections.get("error", [])[:10]
    ]
    lines += ["", "| version | users | failed, to upper |", "|---|---:|---:|"]
    lines += [
        f"| {row['item'] or 'not reported'} | {formats.number(row['units'])} | "
        f"{formats.span(row['failure_rate'], row['failure_rate_upper'])} |"
        for row in sections.get("version", [])[:10]
    ]
    lines += [
        f"\nVersion {row['new_version']}: {row['verdict']} since {row['since']}."
        for row in found
        if row["connector"] == name and row["verdict"] in ("regression", "watch")
    ]
    return "\n".join([*lines, "", f"Source: {address}"]).replace(formats.NO_BREAK, " ")
