"""`size`: what so many users would need, from figures that were measured. No database is asked."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from app.problems import TelemetryError

USERS: Final = re.compile(r"(?P<number>[0-9]{1,12}(\.[0-9]{1,3})?)(?P<unit>[kM]?)")
UNITS: Final = {"": 1, "k": 1_000, "M": 1_000_000}
DAY_SECONDS: Final = 86_400
RAW_DAYS: Final = 90  # how long events and attempts are kept, by app.upkeep.retention
DAILY_DAYS: Final = 400  # how long daily sums are kept, by app.upkeep.expiry
WINDOWS_DAYS: Final = 56  # what a default report reads: 28 days and the 28 before

# Measured with the demo's fleet on a machine of two cores: docs/performance.md says
# how, docs/scale.md what follows.
EVENTS_A_USER_AND_DAY: Final = (
    0.93  # of the demo: 559,972 events of 10,000 users in 60 days; nobody knows the real figure
)
PEAK: Final = 3  # busiest second over the mean: assumed, not measured
TRACK_CPU_SECONDS: Final = 151e-6  # of the whole machine an event by /v1/track, 64 connections
RAW_BYTES: Final = 235  # an event of a week that is reindexed, indexes included
ROLLUP_BYTES: Final = 129  # an event: attempts and daily sums, indexes included
ROWS_AN_EVENT: Final = 0.52  # of daily sums: 267,073 in 28 of 60 days with 1.1 million events
ROW_SECONDS: Final = 0.9e-6  # of a core a row that a report reads
FEW_CORES: Final = 4.0  # a write path of one Postgres; more was not measured
PATIENCE_SECONDS: Final = 30.0  # the time-out of a report's statement


@dataclass(frozen=True, slots=True)
class Size:
    """What a number of users would need."""

    events_a_second: float
    peak_events_a_second: float
    peak_cores: float
    raw_bytes: float
    rollup_bytes: float
    report_seconds: float

    @property
    def step(self) -> str:
        """Return which step of docs/scale.md this is."""
        if self.peak_cores > FEW_CORES:
            return "log mode and a cluster: writes outgrow what was measured on one Postgres"
        if self.report_seconds > PATIENCE_SECONDS:
            return (
                "one Postgres still takes the writes, but one core would need longer for a report than "
                "its time-out: "
                "parallel workers or a cluster; measure before you choose"
            )
        if self.peak_cores > 1:
            return "one Postgres with a standby, two or three instances of the service"
        return "one machine; an external Postgres with a standby if it matters"


def estimate(users: float, events_a_user_and_day: float = EVENTS_A_USER_AND_DAY) -> Size:
    """Return what so many users would need: rates in events and cores, sizes in bytes, a
    report in seconds of one core."""
    daily = users * events_a_user_and_day
    mean = daily / DAY_SECONDS
    return Size(
        events_a_second=mean,
        peak_events_a_second=mean * PEAK,
        peak_cores=mean * PEAK * TRACK_CPU_SECONDS,
        raw_bytes=daily * RAW_DAYS * RAW_BYTES,
        rollup_bytes=daily * DAILY_DAYS * ROLLUP_BYTES,
        report_seconds=daily * WINDOWS_DAYS * ROWS_AN_EVENT * ROW_SECONDS,
    )


def parse_users(given: str) -> float:
    """Return a number of users: 50000, 50k, 1.5M. Raises TelemetryError."""
    found = USERS.fullmatch(given)
    if found is None or float(found["number"]) == 0:
        raise TelemetryError("--users takes a number such as 50000, 50k or 1.5M.")
    return float(found["number"]) * UNITS[found["unit"]]


def size(
    users: Annotated[str, typer.Option(help="Users, counted over two months: 50000, 50k, 1.5M.")],
    events: Annotated[
        float, typer.Option(min=0.01, max=10_000, help="Events of a user on a day; 0.93 in the demo.")
    ] = EVENTS_A_USER_AND_DAY,
) -> None:
    """Say what so many users need: events a second, cores, disk, and which step of docs/scale.md.

    From figures that were measured on one machine of two cores with the demo's fleet. Yours differ: measure.

    Example: pyairbyte-telemetry size --users 10M
    """
    needed = estimate(parse_users(users), events)
    table = Table("what", "how much", "from", box=None)
    for row in list_figures(needed, events):
        table.add_row(*row)
    Console().print(table)
    typer.echo(f"Step: {needed.step}.")


def list_figures(needed: Size, events: float) -> list[tuple[str, str, str]]:
    """Return the rows to print: what, how much, from which figure."""
    return [
        ("events a second, mean", f"{needed.events_a_second:,.1f}", f"{events:g} a user and day"),
        ("events a second, peak", f"{needed.peak_events_a_second:,.1f}", f"{PEAK} x the mean: assumed"),
        (
            "cores at the peak",
            f"{needed.peak_cores:,.2f}",
            f"{TRACK_CPU_SECONDS * 1e6:.0f} us an event, service and Postgres",
        ),
        (
            f"disk, {RAW_DAYS} days of events",
            to_gigabytes(needed.raw_bytes),
            f"{RAW_BYTES} bytes an event, reindexed",
        ),
        (
            f"disk, at most, {DAILY_DAYS} days of sums",
            to_gigabytes(needed.rollup_bytes),
            f"{ROLLUP_BYTES} bytes an event",
        ),
        (
            "a report nobody asked before",
            f"{needed.report_seconds:,.1f} s of one core",
            f"{ROW_SECONDS * 1e6:.1f} us a row, {ROWS_AN_EVENT} rows an event",
        ),
    ]


def to_gigabytes(size_bytes: float) -> str:
    """Return a size in decimal gigabytes."""
    return f"{size_bytes / 1e9:,.1f} GB"
