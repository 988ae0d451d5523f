"""The columns of the report `connector`."""

from dataclasses import replace
from typing import Final

from app.reports import durations, ranking
from app.reports.model import Column

WEIGHTS: Final = ("weighed_units", "ephemeral_share", "surge")
COLUMNS: Final = (
    Column(
        "section",
        "text",
        "total; before (the window before, which is as long); concentration; day (UTC); error "
        "(exception class); error by version; version (the connector's); with (destination, cache or "
        "source of the same syncs); pyairbyte, python, os, notebook, executor.",
    ),
    Column(
        "item",
        "text",
        "Which day, error, version, …; empty for the total; a version that was not reported is empty, too.",
    ),
    Column("kind", "text", "Of with: cache, destination, source, or result (of a read before)."),
    Column(
        "version", "text", "Of an error by version: the connector's version; empty where none was reported."
    ),
    Column("failure_class", "text", "Of an error: config, connector, destination, pyairbyte or other."),
    Column(
        "first_seen", "text", "Of an error: the first UTC day in 180 on which it was seen with the connector."
    ),
    Column("last_seen", "text", "Of an error: the last UTC day up to `until` on which it was seen with it."),
    Column("first_version", "text", "Of an error: the connector's version on which it was seen first."),
    Column("failed_before", "integer", "Of an error: attempts that failed with it in the window before."),
    Column("is_new", "boolean", "Of an error: first seen in the window."),
    Column(
        "units",
        "integer",
        "Distinct users with at least one attempt; under concentration, those that the item names.",
    ),
    Column("attempts", "integer", "Attempted syncs that started in the window."),
    Column("settled", "integer", "attempts - in_flight: what every rate is a share of."),
    Column("succeeded", "integer", "Attempts that succeeded."),
    Column("failed", "integer", "Attempts that failed, of whatever class."),
    Column("failed_config", "integer", "Failed attempts of class config."),
    Column("canceled", "integer", "Attempts that were canceled."),
    Column("abandoned", "integer", "Open attempts of which nothing was heard for 24 hours."),
    Column("in_flight", "integer", "Open attempts heard of within the last 24 hours."),
    Column("affected_units", "integer", "Users with at least one failure of another class than config."),
    Column("failure_rate", "number", "failed / settled."),
    Column("failure_rate_upper", "number", "(failed + abandoned) / settled."),
    Column(
        "failure_rate_7d",
        "number",
        "Of a day: failed / settled over it and the six days before, those of the window before too.",
    ),
    Column("failure_rate_upper_7d", "number", "The same with the abandoned ones: the truth lies in between."),
    Column("share", "number", "Of an item's failed attempts in all; under concentration as the item says."),
    Column(
        "capped_rate",
        "number",
        "Failures other than config over settled attempts, 5 attempts a user at most.",
    ),
    Column(
        "capped_rate_low",
        "number",
        "Lower end of the 90 % interval of capped_rate by itself (Jeffreys', n = weighed_units); from "
        "10 users on; of days none.",
    ),
    Column("capped_rate_high", "number", "Upper end of that interval."),
    Column("burden", "number", "weighed_units x capped_rate."),
    *(
        replace(column, description=f"{column.description} Of total, before, version and with.")
        for column in durations.COLUMNS
    ),
    *(column for column in ranking.MEASURES if column.name in WEIGHTS),
)
