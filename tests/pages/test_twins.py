"""What a page shows is what its JSON twin says: number by number, read from the HTML."""

import re
from collections import defaultdict
from typing import Any

import httpx
import pytest

from app.pages import formats
from app.pages.answers import is_flooded
from app.reports.definitions.connectors import CONNECTORS
from app.reports.model import Table
from tests.pages.tables import find_table, read_tables
from tests.reports.rows import NOW

Row = dict[str, Any]


def rows_of(reader: httpx.Client, path: str) -> list[Row]:
    answer = reader.get(path)
    assert answer.status_code == 200
    rows: list[Row] = answer.json()["rows"]
    return rows


def plain(text: str) -> str:
    return text.replace(formats.NO_BREAK, " ")


def percent(value: float | None, decimals: int = 1) -> str:
    return plain(formats.percent(value, decimals))


def say_rate(row: Row) -> str:
    if row["rate_low"] is None:
        return percent(row["rate"])
    return f"{percent(row['rate'])} ({percent(row['rate_low'])} to {percent(row['rate_high'])})"


def say_connector(row: Row) -> list[str]:
    """Users, syncs, range, rate, affected, change: as a line of a list of connectors has them."""
    return [
        formats.number(row["units"]),
        formats.number(row["attempts"]),
        plain(formats.span(row["failure_rate"], row["failure_rate_upper"])),
        say_rate(row),
        f"{formats.number(row['affected_units'])} {percent(row['affected_share'], 0)}",
        formats.points(row["delta"]),
    ]


def say_durations(row: Row) -> str:
    if not row["timed"]:
        return formats.NONE
    return plain(" ".join(formats.duration(row[name]) for name in ("duration_p50", "duration_p90")))


def test_the_overviews_connectors(reader: httpx.Client) -> None:
    rows = rows_of(reader, "/reports/connectors.json")
    rows += rows_of(reader, "/reports/connectors.json?role=destination")
    known = {row["connector"]: row for row in rows}
    lines = find_table(reader.get("/reports").text, "Connector", "Burden", "Trend")
    assert len(lines) == 10
    for line in lines:
        row = known[line[1].split()[0]]
        assert line[2:8] == say_connector(row)
        assert line[-1] == formats.number(row["burden"], 1)


@pytest.mark.parametrize("role", ["source", "destination"])
def test_the_list_of_connectors(reader: httpx.Client, role: str) -> None:
    rows = rows_of(reader, f"/reports/connectors.json?role={role}")
    lines = find_table(reader.get(f"/reports/connectors?role={role}&low=show").text, "Connector", "Burden")
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line[1].startswith(row["connector"])
        assert line[2:8] == say_connector(row)
        assert line[8] == say_durations(row)
        assert line[-1] == formats.number(row["burden"], 1)


def test_a_connectors_tables(reader: httpx.Client) -> None:
    sections: dict[str, list[Row]] = defaultdict(list)
    for row in rows_of(reader, "/reports/connectors/source-faker.json"):
        sections[row["section"]].append(row)
    text = reader.get("/reports/connectors/source-faker").text
    errors = find_table(text, "Exception", "Failures")
    assert [line[:3] for line in errors] == [
        [
            (row["item"] or "none named") + ("" if row["failed_before"] else " new"),
            formats.number(row["failed"]),
            formats.number(row["units"]),
        ]
        for row in sections["error"][: len(errors)]
    ]
    days = find_table(text, "Day (UTC)", "Succeeded")
    names = ("attempts", "failed", "abandoned", "canceled", "succeeded", "units")
    assert [line[1:] for line in days] == [
        [formats.number(row[name]) for name in names] for row in reversed(sections["day"])
    ]
    for key, title in (("executor", "Executor"), ("os", "Operating system"), ("python", "Python")):
        lines = find_table(text, title, "Capped rate")
        assert lines == [
            [row["item"] or "not reported", formats.number(row["units"]), percent(row["capped_rate"], 0)]
            for row in sections[key][: len(lines)]
        ]
    versions = rows_of(reader, "/reports/versions.json?connector=source-faker")
    lines = find_table(text, "Version", "Verdict")
    assert [line[1] for line in lines] == [
        f"{formats.number(row['units'])} {percent(row['adoption'], 0)}" for row in versions
    ]
    of_version = {row["item"]: row for row in sections["version"]}
    assert [line[4] for line in lines] == [say_durations(of_version[row["version"]]) for row in versions]
    [ranked] = [
        row for row in rows_of(reader, "/reports/connectors.json") if row["connector"] == "source-faker"
    ]
    said = re.sub(r"[ \n]+", " ", text)
    assert f"from {formats.number(ranked['burden_before'], 1)}; users" in said
    assert f"{formats.change(ranked['units'], ranked['units_before'])}; " in said
    [gone] = [row for row in rows_of(reader, "/reports/recovery.json") if row["connector"] == "source-faker"]
    reported = {line[0]: line[1] for table in read_tables(text) for line in table if len(line) > 1}
    assert reported["Never came back after one"] == f"{gone['lost_units']:,} of {gone['failed_units']:,}"


@pytest.mark.parametrize("query", ["", "&role=destination", "&sort=stuck", "&window=7d"])
def test_recovery(reader: httpx.Client, query: str) -> None:
    rows = rows_of(reader, f"/reports/recovery.json?{query.removeprefix('&')}")
    lines = find_table(reader.get(f"/reports/recovery?low=show{query}").text, "Connector", "Never came back")
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line[0] == str(row["rank"] or "")
        assert line[1].startswith(row["connector"])
        assert line[2:] == [
            formats.number(row["failed_units"]),
            percent(row["recovered_share"], 0),
            f"{formats.number(row['lost_units'])} {percent(row['lost_share'], 0)}",
            formats.number(row["new_units"]),
            f"{formats.number(row['stuck_units'])} {percent(row['stuck_share'], 0)}",
            formats.number(row["stuck_on_config"]),
        ]


@pytest.mark.parametrize("query", ["", "&role=destination", "&window=28d"])
def test_trend(reader: httpx.Client, query: str) -> None:
    rows = rows_of(reader, f"/reports/trend.json?{query.removeprefix('&')}")
    courses: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        courses[row["connector"]].append(row)
    text = reader.get(f"/reports/trend?low=show{query}").text
    lines = find_table(text, "Connector", "Mean of the weeks")
    assert len(lines) == len(courses)
    for line, (name, weeks) in zip(lines, courses.items(), strict=True):
        before, last = weeks[-2:]
        assert line[1].startswith(name)
        assert [*line[2:4], *line[5:]] == [
            formats.number(last["units"]),
            formats.number(last["affected_units"]),
            formats.number(before["burden"], 1),
            formats.number(last["burden"], 1),
            formats.number(last["mean_burden"], 1),
        ]
    table = find_table(text, "Connector", formats.day(weeks[0]["week"]))
    assert [line[1:] for line in table] == [
        [formats.number(row["burden"], 1) for row in weeks] for weeks in courses.values()
    ]


def test_a_name_that_is_typed_finds_its_connector(reader: httpx.Client) -> None:
    for path, heading in (("/reports/recovery", "Users who failed"), ("/reports/trend", "Mean of the weeks")):
        lines = find_table(reader.get(path, params={"q": "source-faker"}).text, "Connector", heading)
        assert [line[1].split()[0] for line in lines] == ["source-faker"], path


@pytest.mark.parametrize("path", ["/reports/recovery", "/reports/trend"])
def test_no_row_is_no_fault(reader: httpx.Client, path: str) -> None:
    answer = reader.get(path, params={"until": "2025-01-01"})
    assert answer.status_code == 200
    assert "in this window under these filters" in answer.text


def test_a_window_of_no_whole_week_says_so(reader: httpx.Client) -> None:
    assert "No whole week with syncs" in reader.get("/reports/trend?window=3d").text


def test_links_between_pages_keep_what_suits(reader: httpx.Client) -> None:
    text = reader.get("/reports/connectors/source-faker?window=90d&ci=include").text
    assert 'href="/reports/recovery?ci=include&amp;q=source-faker&amp;window=90d"' in text
    assert 'href="/reports/trend?ci=include&amp;q=source-faker"' in text  # 90 days are no whole weeks


def test_what_came_today_is_in_the_ledger(reader: httpx.Client) -> None:
    rows = rows_of(reader, "/reports/data-quality.json")
    received = {row["key"]: row["count"] for row in rows if row["section"] == "outcome"}["received"]
    assert received > 0
    assert f"{received:,.0f} received" in reader.get("/reports/data-quality").text


def test_what_became_of_events_by_write_key(reader: httpx.Client) -> None:
    rows = rows_of(reader, "/reports/data-quality.json")
    keys: dict[str, Row] = defaultdict(dict)
    for row in rows:
        if row["section"] == "by key":
            keys[row["write_key"]][row["key"]] = row["count"]
    text = reader.get("/reports/data-quality").text
    lines = {line[0]: line[1:] for line in find_table(text, "Write key", "Received")}
    assert lines.keys() == keys.keys()
    for name, counts in keys.items():
        shown = ("received", "accepted", "duplicate", "rejected")
        assert lines[name][:4] == [formats.number(counts.get(key, 0)) for key in shown]
    events = {line[0]: line[1:3] for line in find_table(text, "Events", "How many")}
    [accepted] = [row for row in rows if (row["section"], row["key"]) == ("outcome", "accepted")]
    assert events["accepted"] == [formats.number(accepted["count"]), formats.number(accepted["before"])]


def test_how_many_versions_were_tested_and_what_would_be_found(reader: httpx.Client) -> None:
    [row, *_] = rows_of(reader, "/reports/regressions.json?few=show")
    said = re.sub(r"\s+", " ", reader.get("/reports/regressions?low=show").text)
    if row["tested"]:
        assert f"{formats.count(row['tested'], 'version')} had 5 votes or more" in said
    if row["evidence_asked"] is not None:
        assert f"from E = {formats.power(row['evidence_asked']).replace(formats.NO_BREAK, ' ')} on" in said


@pytest.mark.parametrize(("marked", "reported"), [(8, True), (6, False), (0, False)])
def test_marks_on_nearly_every_row_are_said_once_and_left_out(marked: int, *, reported: bool) -> None:
    """As after an import: whoever imports a year is heard of within the hour."""
    rows: list[Any] = [{"surge": number < marked, "low_data": False} for number in range(9)]
    rows += [{"surge": True, "low_data": True}] * 20
    assert is_flooded(Table(CONNECTORS, {}, NOW, CONNECTORS.columns, rows, len(rows))) is reported
