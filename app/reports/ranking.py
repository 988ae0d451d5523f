"""From the counts of each connector to its rates and its place: the formulas of the ranking, no database."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.reports.parameters import Parameters
from app.reports.registry import Report, Row

MIN_UNITS: Final = 10  # fewer users are "low data": no rate with an interval
USAGE_ONLY: Final = "direct"  # the lane whose reads practically never send an end: no rate can come of it

Counts = Mapping[str, Any]


def rank(counts: Sequence[Counts], parameters: Parameters, report: Report) -> list[Row]:
    """Rows with every column of the report, best place first, at most `limit` of them.

    `counts` are the rows of `sql/connectors.sql`. The prior is fitted to all of them, whatever the limit. Connectors of
    equal value stand by burden, then attempts, then name; those without a value last.
    """
    rows = [describe(count, parameters) for count in counts]
    if parameters.lane != USAGE_ONLY:
        add_estimates(rows)
    column = report.sorts[parameters.sort]
    rows.sort(key=lambda row: place(row, column))
    for number, row in enumerate(rows, start=1):
        row["rank"] = number
    names = [column.name for column in report.columns]
    return [{name: row[name] for name in names} for row in rows[: parameters.limit]]


def place(row: Row, column: str) -> tuple[bool, float, float, float, str]:
    """The sort key. Rounded, so that the order in which a sum was taken decides nothing."""
    value, burden, attempts = (row[name] for name in (column, "burden", "attempts"))
    keys = [-round(float(number or 0), 9) for number in (value, burden, attempts)]
    return (value is None, keys[0], keys[1], keys[2], str(row["connector"]))


def share(part: float, whole: float) -> float | None:
    """part / whole, None of nothing."""
    return part / whole if whole else None


def describe(count: Counts, parameters: Parameters) -> Row:
    """One connector's row, all but its rank and its estimates. Usage that is not rated has its counts only."""
    settled = count["attempts"] - count["in_flight"]
    failed, abandoned, units = count["failed"], count["abandoned"], count["units"]
    capped_rate = share(count["capped_failures"], count["capped_weight"])
    rates: Row = {
        "failure_rate": share(failed, settled),
        "failure_rate_upper": share(failed + abandoned, settled),
        "failure_of_concluded": share(failed, failed + count["succeeded"]),
        "canceled_rate": share(count["canceled"], settled),
        "abandoned_rate": share(abandoned, settled),
        "capped_rate": capped_rate,
        "rate": None,
        "rate_low": None,
        "rate_high": None,
    }
    if parameters.lane == USAGE_ONLY:
        rates, capped_rate = dict.fromkeys(rates), None
    return {
        **count,
        **rates,
        "role": parameters.role,
        "settled": settled,
        "burden": units * (capped_rate or 0.0),
        "affected_share": share(count["affected_units"], units),
        "ledger_share": share(count["from_ledger"], count["attempts"]),
        "low_data": units < MIN_UNITS,
    }


def add_estimates(rows: list[Row]) -> None:
    """Fit the prior to the fleet and give each connector of enough users its rate and interval."""
    fleet = [(row, row["units"], row["capped_rate"]) for row in rows if row["capped_rate"] is not None]
    if not fleet:
        return
    # numpy and scipy take 70 MB: only a process that makes a report pays for them.
    import numpy as np  # noqa: PLC0415

    from app.reports import statistics  # noqa: PLC0415

    units = np.array([units for _, units, _ in fleet], dtype=np.float64)
    capped_rates = np.array([rate for _, _, rate in fleet], dtype=np.float64)
    estimates = statistics.estimate(statistics.fit_prior(units, capped_rates), units, capped_rates)
    for position, (row, _, _) in enumerate(fleet):
        if not row["low_data"]:
            row["rate"] = float(estimates.rate[position])
            row["rate_low"] = float(estimates.low[position])
            row["rate_high"] = float(estimates.high[position])
