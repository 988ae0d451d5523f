"""From the counts of a connector (a pair, a version, …) to its rates and its
place: the formulas, no database.

Source: docs/metrics.md, sections 1 and 2.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from app.reports.model import Column, Counts, Row

# Words for many connectors at once: no one of them can be fixed.
APART: Final = frozenset({"custom", "unknown"})
CHANGE: Final = ("delta", "delta_low", "delta_high")
MIN_UNITS: Final = 10  # fewer users are "low data": no rate with an interval

# The columns of whatever is counted and rated, in the order in which reports show them.
MEASURES: Final = (
    Column(
        "units",
        "integer",
        "Distinct users with at least one attempt; ids of one setup that were never kept from one run "
        "to the next are one user.",
    ),
    Column(
        "attempts", "integer", "Attempted syncs that started in the window: max(starts, terminals) a pair."
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
        "Failures other than config over settled attempts, each user weighing 5 attempts at most.",
    ),
    Column(
        "rate", "number", "capped_rate, drawn towards the fleet's by a fitted Beta prior; from 10 users on."
    ),
    Column("rate_low", "number", "Lower end of the 90 % interval of rate, with n = weighed_units."),
    Column("rate_high", "number", "Upper end of the 90 % interval of rate, with n = weighed_units."),
    Column("burden", "number", "weighed_units x capped_rate: users' worth of failure."),
    Column("use_cases", "integer", "Distinct pairs of user and application."),
    Column(
        "records", "integer", "Records that successful syncs reported; not the number that was delivered."
    ),
    Column("ledger_share", "number", "Share of attempts known from an event that was refused."),
    Column("low_data", "boolean", "Fewer than 10 users, as they are weighed."),
    Column(
        "weighed_units",
        "number",
        "Users, of whom an ephemeral one (a container, whose id is of its run) counts as far as its "
        "attempts go: "
        "min(1, its attempts / the mean of those who last).",
    ),
    Column("ephemeral_share", "number", "Share of users who are ephemeral: no id of theirs was ever kept."),
    Column(
        "surge",
        "boolean",
        "More than half of it is of ids that came within one hour, or in batches of many, and not over "
        "a week yet.",
    ),
)


def share(part: float, whole: float) -> float | None:
    """Return part / whole, None of nothing."""
    return part / whole if whole else None


def measure(count: Counts, *, rated: bool = True) -> Row:
    """Return the measures of a row of `sql/counts.sql`, all but its estimates; usage that is
    not rated has its counts only.

    failure_rate = failed / settled (the published promise); burden = weighed_units
    x capped_rate, 0 without users.
    """
    settled = count["attempts"] - count["in_flight"]
    failed, abandoned, units = count["failed"], count["abandoned"], count["units"]
    weighed = count["weighed_units"]
    capped_rate = share(count["capped_failures"], count["capped_weight"]) if rated else None
    rates: Row = {
        "failure_rate": share(failed, settled),
        "failure_rate_upper": share(failed + abandoned, settled),
        "failure_of_concluded": share(failed, failed + count["succeeded"]),
        "canceled_rate": share(count["canceled"], settled),
        "abandoned_rate": share(abandoned, settled),
    }
    return {
        **count,
        **(rates if rated else dict.fromkeys(rates)),
        "capped_rate": capped_rate,
        "rate": None,
        "rate_low": None,
        "rate_high": None,
        "settled": settled,
        "burden": weighed * (capped_rate or 0.0),
        "affected_share": share(count["affected_units"], units),
        "ledger_share": share(count["from_ledger"], count["attempts"]),
        "low_data": weighed < MIN_UNITS,
        "ephemeral_share": share(count["ephemeral_units"], units),
    }


def add_estimates(rows: Sequence[Row]) -> None:
    """Fit the prior to a fleet and give each row of enough users its rate and interval:
    empirical Bayes, n = weighed_units."""
    fleet = [
        (row, row["weighed_units"], row["capped_rate"]) for row in rows if row["capped_rate"] is not None
    ]
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


def add_change(row: Row, prior: Row | None) -> None:
    """How much the rate rose since the window before, with its interval. None
    unless both windows have a rate."""
    row |= dict.fromkeys(CHANGE)
    if prior is None:
        return
    bounds = [[part[name] for name in ("rate", "rate_low", "rate_high")] for part in (row, prior)]
    now, before = ([value for value in values if isinstance(value, float)] for values in bounds)
    if len(now) == len(before) == 3:
        row |= compare(now, before)


def compare(now: Sequence[float], before: Sequence[float]) -> Row:
    """Return the difference of two proportions, each (value, low, high), with an interval:
    MOVER, from the two intervals.

    Donner & Zou (2012), Closed-form confidence intervals for functions of the normal mean and
    standard deviation: the distances of both ends add up in quadrature. Users of both windows make
    the interval wider than need be.
    """
    (value, low, high), (old, old_low, old_high) = now, before
    return {
        "delta": value - old,
        "delta_low": value - old - ((value - low) ** 2 + (old_high - old) ** 2) ** 0.5,
        "delta_high": value - old + ((high - value) ** 2 + (old - old_low) ** 2) ** 0.5,
    }


def compare_shares(now: Row, before: Row, name: str) -> Row:
    """Return the change of a share of users (`capped_rate`, `affected_share`) between
    two rows, with the 90 % interval.

    Each share gets Jeffreys' interval with n = units. None under 10 users in either window.
    """
    if any(row.get(name) is None or not row.get("units") or row["low_data"] for row in (now, before)):
        return dict.fromkeys(CHANGE)
    from app.reports import statistics  # noqa: PLC0415 -- 70 MB that only a process that makes a report needs

    shares = [(float(row[name] or 0), float(row["units"] or 0)) for row in (now, before)]
    return compare(*([share, *statistics.bound(share, units)] for share, units in shares))


def order(rows: Iterable[Row], column: str, *ties: str) -> list[Row]:
    """Return rows with the largest value of a column first; of equal value by burden, then
    attempts, then the columns `ties`.

    Those without a value stand last. Rounded, so that the order in which a sum was taken decides nothing.
    """

    def place(row: Row) -> tuple[object, ...]:
        value = row[column]
        numbers = [-round(float(row.get(name) or 0), 9) for name in (column, "burden", "attempts")]
        return (value is None, *numbers, *(str(row[name]) for name in ties))

    return sorted(rows, key=place)


def rank(rows: Iterable[Row], column: str, names: Sequence[str] = ("connector",)) -> list[Row]:
    """Return rows in rank order with their ranks; those of APART stand behind the others, without a rank.

    `names` are the columns of connectors, which also break ties.
    """
    placed: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        placed[any(row[name] in APART for name in names)].append(row)
    ranked, apart = (order(each, column, *names) for each in placed)
    number(ranked)
    return [*ranked, *(row | {"rank": None} for row in apart)]


def number(rows: Sequence[Row]) -> None:
    """Give rows their ranks, 1 first."""
    for place, row in enumerate(rows, start=1):
        row["rank"] = place


def select(rows: Iterable[Row], columns: Iterable[Column]) -> list[Row]:
    """Return the rows with the columns of a report and no other, in its order."""
    names = [column.name for column in columns]
    return [{name: row[name] for name in names} for row in rows]
