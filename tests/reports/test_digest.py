"""The digest, and the two forms that go with it: by the command, against a service of the tests."""

import re
from uuid import UUID

import orjson
import pytest

from app.reports import digest, registry, render
from app.reports.model import Table
from app.store import connectors
from app.store.connectors import Entry
from tests.reports.rows import DAY, NOW, Store, Stored, sync, upgrade
from tests.reports.test_alerts import Hook, hook
from tests.reports.test_command import call

__all__ = ["hook"]

WEEK = NOW - 2 * DAY


def compose(store: Store, **given: str) -> digest.Digest:
    asked = digest.ask({"until": "yesterday", **given}, lambda name: registry.find(name).parameters)
    return digest.compose({key: store.ask(each, NOW, name) for key, (name, each) in asked.items()})


def sections(made: digest.Digest) -> dict[str, tuple[str, ...]]:
    return {section.title: section.lines for section in made.sections}


def week(failing: int, source: str = "source-faker", at: object = WEEK) -> list[Stored]:
    return [
        sync(
            "failed" if number < failing else "succeeded",
            at,  # type: ignore[arg-type]
            unit=f"user {number}",
            session=f"{number} {source} {at}",
            source=source,
        )
        for number in range(20)
    ]


def test_the_digest_says_what_to_fix_first_and_what_got_worse(store: Store) -> None:
    store.write(
        [
            *week(16),
            *week(0, at=WEEK - 7 * DAY),
            *week(2, "source-file"),
            *week(2, "source-file", WEEK - 7 * DAY),
        ]
    )
    reported = sections(compose(store))
    assert reported["The fleet"][0].startswith("Failure that a user meets: 45.0 % (+40.0 points, ")
    assert reported["The fleet"][1].startswith("Users affected: 80.0 %")
    assert [line.split(":")[0] for line in reported["Fix first"]] == ["source-faker", "source-file"]
    assert "burden 16.0" in reported["Fix first"][0]
    assert "for 16 of 20 users" in reported["Fix first"][0]
    assert [line.split(":")[0] for line in reported["Getting worse"]] == ["source-faker"]
    assert "New errors" not in reported  # the week before had them too


def test_new_errors_and_regressions(store: Store) -> None:
    store.write(
        [*upgrade(30, 15), sync("failed", WEEK, unit="z", session="z", error="AirbyteConnectorReadError")]
    )
    reported = sections(compose(store, window="28d"))
    assert reported["New versions that fail more often"][0].startswith(
        "source-faker 1.1.0: 50.0 % of a user's syncs fail"
    )
    assert "AirbyteConnectorReadError: 1 users, mostly source-faker" in reported["New errors"]


def test_an_empty_week_has_a_digest(store: Store) -> None:
    made = compose(store)
    assert [section.title for section in made.sections] == ["The fleet"]
    assert digest.to_text(made).count("\n") > 3


def test_text_and_markdown_say_the_same(store: Store) -> None:
    store.write(week(5))
    made = compose(store)
    text, markdown = digest.to_text(made), digest.to_markdown(made)
    assert re.sub(r"[#=-]| {2}", "", text).split() == re.sub(r"[#=-]| {2}", "", markdown).split()
    for section in made.sections:
        assert f"### {section.title}" in markdown
        assert all(f"- {line}" in markdown for line in section.lines)


@pytest.mark.parametrize("name", ["home", "connectors", "errors"])
def test_a_report_as_markdown_has_a_line_a_row(store: Store, name: str) -> None:
    store.write(week(5))
    table = store.ask({}, NOW, name)
    lines = [line for line in render.to_markdown(table).splitlines() if line.startswith("|")]
    assert len(lines) == len(render.tabulate(table)) + 2
    assert len({line.count(" | ") for line in lines}) == 1


def find_line(table: Table, name: str) -> dict[str, object]:
    lines = [orjson.loads(line) for line in render.to_lines(table).splitlines()]
    assert len(lines) == len(table.rows)
    return dict(next(line for line in lines if line["connector_name"] == name))


def test_registry_metrics_in_the_registrys_own_shape(store: Store) -> None:
    store.write([*week(1), *week(9, "source-file")])
    number = UUID("6f2ac653-8623-43c4-8950-19218c7caf3d")
    with store.writer.begin() as connection:
        connectors.save(connection, {"source-faker": Entry(definition_id=number)})
    try:
        table = store.ask({}, NOW, "registry-metrics")
    finally:
        with store.writer.begin() as connection:
            connection.exec_driver_sql("DELETE FROM connectors WHERE name = 'source-faker'")
    [row] = [row for row in table.rows if row["connector_name"] == "source-faker"]
    metrics = {
        "usage": row["usage"],
        "sync_success_rate": row["sync_success_rate"],
        "connector_version": "1.2.3",
    }
    assert find_line(table, "source-faker") == {
        "connector_definition_id": str(number),
        "connector_name": "source-faker",
        "generated": {"metrics": {"all": metrics}},
    }
    assert find_line(table, "source-file")["connector_definition_id"] is None


def test_other_reports_have_a_line_a_row_as_it_is(store: Store) -> None:
    store.write(week(5))
    table = store.ask({}, NOW)
    assert [orjson.loads(line) for line in render.to_lines(table).splitlines()] == table.rows


def test_the_command_posts_the_digest_to_the_webhook_of_the_alerts(
    store: Store, reports_url: str, hook: Hook
) -> None:
    store.write(week(5))
    asked = ("digest", "--until", "2026-11-22", "--post")
    done = call(*asked, TELEMETRY_DATABASE_URL=reports_url, TELEMETRY_ALERT_WEBHOOK=hook.url)
    assert (done.returncode, done.stderr) == (0, "")
    [body] = hook.bodies
    assert body["text"] == done.stdout.rstrip("\n")
    assert "source-faker (surge): burden 5.0" in body["text"]


def test_what_a_digest_is_not(reports_url: str) -> None:
    for arguments, said in (
        (("digest", "--format", "csv"), "text, markdown or html"),
        (("digest", "--post"), "needs TELEMETRY_ALERT_WEBHOOK"),
    ):
        done = call(*arguments, TELEMETRY_DATABASE_URL=reports_url)
        assert done.returncode == 1
        assert said in done.stderr
