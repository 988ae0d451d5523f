"""The reports by name: their columns, what they take, how they sort. CLI, HTTP, OpenAPI and renderers read this."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from app.problems import Problem

Value = str | int | float | bool | None
Row = dict[str, Value]
Kind = Literal["text", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its JSON and CSV key, its type, and what the number means. Numbers are fractions, never percentages."""

    name: str
    type: Kind
    description: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of the terminal's table, drawn from one to three columns of the report.

    `form` says how: `name` (flush left), `count`, `decimal`, and of fractions, as percentages, `span` (from, to) and
    `interval` (value, low, high).
    """

    title: str
    columns: tuple[str, ...]
    form: Literal["name", "count", "decimal", "span", "interval"] = "count"


@dataclass(frozen=True, slots=True)
class Report:
    """A report: SQL stages in the order in which they build on each other (the last is the statement)."""

    name: str
    summary: str
    stages: tuple[str, ...]
    columns: tuple[Column, ...]
    headings: tuple[Heading, ...]
    parameters: tuple[str, ...]
    sorts: Mapping[str, str]
    default_sort: str
    note: str


CONNECTORS: Final = Report(
    name="connectors",
    summary="Which connectors to fix first: how many users each has, how often their syncs fail, and both in one number.",
    stages=("accepted", "refused", "attempts", "unit_totals", "connectors"),
    columns=(
        Column("rank", "integer", "Place under the chosen sort, 1 first."),
        Column(
            "connector",
            "text",
            "Registered name; `custom` for unregistered ones, `unknown` where none was told.",
        ),
        Column(
            "role", "text", "Whether the connector was read from (`source`) or written to (`destination`)."
        ),
        Column("units", "integer", "Distinct users with at least one attempt."),
        Column(
            "attempts",
            "integer",
            "Attempted syncs that started in the window: max(starts, terminals) a pair.",
        ),
        Column("settled", "integer", "attempts - in_flight: what every rate is a share of."),
        Column("succeeded", "integer", "Attempts that succeeded."),
        Column("failed", "integer", "Attempts that failed, of whatever class, wrong configuration included."),
        Column("failed_config", "integer", "Failed attempts of class config, which the ranking leaves out."),
        Column("canceled", "integer", "Attempts that were canceled: never failures."),
        Column("abandoned", "integer", "Open attempts of which nothing was heard for 24 hours."),
        Column("in_flight", "integer", "Open attempts heard of within the last 24 hours."),
        Column("orphans", "integer", "Attempts whose start never arrived: a figure of data quality."),
        Column("failure_rate", "number", "failed / settled."),
        Column("failure_rate_upper", "number", "(failed + abandoned) / settled: the truth lies in between."),
        Column("failure_of_concluded", "number", "failed / (failed + succeeded)."),
        Column("canceled_rate", "number", "canceled / settled."),
        Column("abandoned_rate", "number", "abandoned / settled."),
        Column("affected_units", "integer", "Users with at least one failure of another class than config."),
        Column("affected_share", "number", "affected_units / units."),
        Column(
            "capped_rate",
            "number",
            "Failures other than config over settled attempts, each user weighing 20 attempts at most.",
        ),
        Column(
            "rate",
            "number",
            "capped_rate, drawn towards the fleet's by a fitted Beta prior; from 10 users on.",
        ),
        Column("rate_low", "number", "Lower end of the 90 % interval of rate, with n = units."),
        Column("rate_high", "number", "Upper end of the 90 % interval of rate, with n = units."),
        Column("burden", "number", "units x capped_rate: users' worth of failure."),
        Column("use_cases", "integer", "Distinct pairs of user and application."),
        Column(
            "records", "integer", "Records that successful syncs reported; not the number that was delivered."
        ),
        Column("ledger_share", "number", "Share of attempts known from an event that was refused."),
        Column("low_data", "boolean", "Fewer than 10 users."),
    ),
    headings=(
        Heading("#", ("rank",)),
        Heading("connector", ("connector",), "name"),
        Heading("users", ("units",)),
        Heading("attempts", ("attempts",)),
        Heading("failed", ("failed",)),
        Heading("aban-\ndoned", ("abandoned",)),
        Heading("in\nflight", ("in_flight",)),
        Heading("failure rate,\n% to upper", ("failure_rate", "failure_rate_upper"), "span"),
        Heading("affected\nusers", ("affected_units",)),
        Heading("capped rate, %\n(90 % interval)", ("rate", "rate_low", "rate_high"), "interval"),
        Heading("burden", ("burden",), "decimal"),
    ),
    parameters=("window", "until", "role", "lane", "ci", "prerelease", "version", "sort", "limit"),
    sorts={
        "burden": "burden",
        "rate": "rate",
        "affected_units": "affected_units",
        "failure_rate": "failure_rate",
        "failures": "failed",
        "attempts": "attempts",
        "units": "units",
    },
    default_sort="burden",
    note="burden = users x capped rate. No interval under 10 users: low data. Today is provisional.",
)

REPORTS: Final[Mapping[str, Report]] = {report.name: report for report in (CONNECTORS,)}


def find(name: str) -> Report:
    """The report of that name. Raises Problem 404 `unknown_report`, which names those that exist."""
    try:
        return REPORTS[name]
    except KeyError:
        raise Problem(
            404, "unknown_report", f"There is no such report. Reports: {', '.join(REPORTS)}."
        ) from None
