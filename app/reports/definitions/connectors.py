"""The report `connectors`: which connectors to fix first."""

from collections.abc import Iterable
from typing import Final

from app.reports import durations, ranking
from app.reports.definitions import rated, series
from app.reports.model import COUNTS, FILTERS, ORDER, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

COLUMNS: Final = (
    Column("rank", "integer", "Place under the chosen sort, 1 first; `custom` and `unknown` are many: none."),
    Column(
        "connector",
        "text",
        "Registered name; last, `custom` for unregistered ones, `unknown` where none was reported.",
    ),
    Column("role", "text", "Whether the connector was read from (`source`) or written to (`destination`)."),
    *ranking.MEASURES,
    Column("delta", "number", "rate less the rate of the window before, which is as long."),
    Column(
        "delta_low", "number", "Lower end of the 90 % interval of delta: how much the rate rose at least."
    ),
    Column("delta_high", "number", "Upper end of the 90 % interval of delta."),
    Column("units_before", "integer", "Users in the window before."),
    Column("burden_before", "number", "Burden in the window before; 0 where it had no syncs."),
    *durations.COLUMNS,
    Column(
        "fleet_rate",
        "number",
        "What the capped rates of the window are held against: that of all rows together, each user weighing "
        "5 attempts at most with each connector.",
    ),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the connectors in rank order."""
    timed = durations.by_number(answers["durations"])
    ranked = rank(answers, parameters)
    fleet = {"fleet_rate": pool(ranked) if parameters.is_rated else None}
    rows = [row | fleet | timed.get(int(row["number"] or 0), durations.NONE) for row in ranked]
    return ranking.select(ranking.rank(rows, CONNECTORS.sorts[parameters.sort]), COLUMNS)


def pool(rows: Iterable[Row]) -> float | None:
    """Return the capped rate of all rows together, from the sums that their own are made of. Those are
    integers of 10^-8, so that no order decides."""
    sums = [
        [round(float(row[name] or 0) * 1e8) for name in ("capped_failures", "capped_weight")] for row in rows
    ]
    failures, weight = (sum(each[place] for each in sums) for place in (0, 1))
    return ranking.share(failures, weight)


def rank(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the connectors of the window with all their figures, each window's
    prior fitted to its own fleet."""
    windows: dict[bool, dict[str, Row]] = {True: {}, False: {}}
    for count in answers["connectors"]:
        row = ranking.measure(count, rated=parameters.is_rated)
        windows[count["is_current"]][count["connector"]] = row | {"role": parameters.role}
    for rows in windows.values():
        ranking.add_estimates([row for name, row in rows.items() if name not in ranking.APART])
    for name, row in windows[True].items():
        prior = windows[False].get(name)
        ranking.add_change(row, prior)
        row |= {f"{measure}_before": prior[measure] if prior else 0 for measure in ("units", "burden")}
    return list(windows[True].values())


CONNECTORS: Final = Report(
    name="connectors",
    summary="Which connectors to fix first: how many users each has, how often their syncs fail, and "
    "both in one number.",
    queries={
        "connectors": (*SCOPE, "keyed/connectors", *COUNTS, "connectors"),
        "durations": (*SCOPE[:2], "timed_days", "timings/connectors", "durations"),
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("#", ("rank",)),
        Heading("connector", ("connector", "surge"), "name"),
        *rated.HEADINGS[:-1],
        Heading("change,\npoints", ("delta", "delta_low", "delta_high"), "signed"),
        rated.HEADINGS[-1],
        durations.HEADING,
    ),
    parameters=("window", "until", "role", *FILTERS[2:], "series", *ORDER),
    series=series.CONNECTORS,
    sorts=rated.SORTS | {"regression": "delta_low", **durations.SORTS},
    default_sort="burden",
    compares=True,
    note="burden = users x capped rate; (surge): mostly ids that came at once. No interval under 10 "
    "users: low data. Change is "
    "against the window before, in brackets where its interval holds none.",
    terms=(
        "lane",
        "attempt",
        "in flight",
        "failure class",
        "unit",
        "window",
        "ranking",
        "arrivals",
        "rate",
        "change",
        durations.TERM,
    ),
)
