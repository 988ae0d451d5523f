"""The report `registry-metrics`: usage and success in the words and the shape
of Airbyte's connector registry.

There a connector has `generated.metrics.<platform>`, an object with the keys of the first columns here.
"""

from collections import defaultdict
from typing import Any, Final

from app.reports import ranking
from app.reports.definitions import rated
from app.reports.model import COUNTS, FILTERS, ORDER, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

PLATFORM: Final = "pyairbyte"
# Shares of all connectors, ordered by their users: the most used tenth is high, the
# next four tenths are medium.
HIGH_USAGE, MEDIUM_USAGE = 0.1, 0.5
# Success = 1 - rate, the empirical-Bayes rate of failures other than config.
HIGH_SUCCESS, MEDIUM_SUCCESS = 0.95, 0.80
UNKNOWN_VERSIONS: Final = frozenset({"", "unknown", "latest"})

COLUMNS: Final = (
    Column("airbyte_platform", "text", "Always `pyairbyte`."),
    Column(
        "connector_definition_id",
        "text",
        "Its id in the registry, as `connectors refresh` learned it; null before that.",
    ),
    Column("connector_name", "text", "Registered name."),
    Column("connector_type", "text", "source or destination."),
    Column("docker_repository", "text", "airbyte/ and the name."),
    Column(
        "connector_version",
        "text",
        "The version with most users in the window; null where none was reported.",
    ),
    Column("usage", "text", "high (the most used tenth of connectors), medium (the next four tenths), low."),
    Column(
        "sync_success_rate",
        "text",
        "high (95 % or more), medium (80 % or more), low; null under 10 users: low data.",
    ),
    Column("units", "integer", "Distinct users with at least one attempt."),
    Column("attempts", "integer", "Attempted syncs that started in the window."),
    Column("success", "number", "1 - rate: what sync_success_rate is the word for."),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the registered connectors, most used first."""
    rows = rated.rate(list(answers["connectors"]), parameters)
    registered = [row for row in rows if str(row["connector"]).startswith(("source-", "destination-"))]
    versions = find_versions(answers)
    ids = {row["connector"]: row["definition_id"] for row in answers["ids"]}
    ordered = ranking.order(registered, "units", "connector")
    for place, row in enumerate(ordered):
        name, rate = str(row["connector"]), row["rate"]
        row |= {
            "airbyte_platform": PLATFORM,
            "connector_definition_id": ids.get(name),
            "connector_name": name,
            "connector_type": name.partition("-")[0],
            "docker_repository": f"airbyte/{name}",
            "connector_version": versions.get(name),
            "usage": grade_usage(place / len(ordered)),
            "success": None if rate is None else 1 - float(rate),
        }
        row["sync_success_rate"] = grade_success(row["success"])
    return ranking.select(ordered, COLUMNS)


def write_line(row: Row) -> dict[str, object]:
    """Return a connector as the registry has it: `generated.metrics` with what holds of all platforms."""
    metrics = {name: row[name] for name in ("usage", "sync_success_rate", "connector_version")}
    return {
        "connector_definition_id": row["connector_definition_id"],
        "connector_name": row["connector_name"],
        "generated": {"metrics": {"all": metrics}},
    }


def find_versions(answers: Answers) -> dict[str, str]:
    """Return the version of each connector that has most users; of equal ones the one with more attempts."""
    found: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for count in answers["versions"]:
        if count["connector_version"] not in UNKNOWN_VERSIONS:
            found[count["connector"]].append((count["units"], count["attempts"], count["connector_version"]))
    return {name: max(versions)[2] for name, versions in found.items()}


def grade_usage(share_above: float) -> str:
    """Return a word for how much a connector is used, from the share of connectors that are used more."""
    if share_above < HIGH_USAGE:
        return "high"
    return "medium" if share_above < MEDIUM_USAGE else "low"


def grade_success(success: Any) -> str | None:
    """Return a word for a success rate."""
    if success is None:
        return None
    if success >= HIGH_SUCCESS:
        return "high"
    return "medium" if success >= MEDIUM_SUCCESS else "low"


REGISTRY_METRICS: Final = Report(
    name="registry-metrics",
    summary="Usage and success of each connector in the shape of the Airbyte registry's `generated.metrics`.",
    queries={
        "connectors": (*SCOPE, "keyed/connectors", *COUNTS, "connectors"),
        "versions": (*SCOPE, "version_numbers", "keyed/versions", *COUNTS, "connector_versions"),
        "ids": ("definition_ids",),
    },
    shape=shape,
    line=write_line,
    columns=COLUMNS,
    headings=(
        Heading("connector", ("connector_name",), "name"),
        Heading("version", ("connector_version",), "text"),
        Heading("users", ("units",)),
        Heading("usage", ("usage",), "text"),
        Heading("success", ("sync_success_rate",), "text"),
        Heading("%", ("success",), "percent"),
    ),
    parameters=("window", "until", "role", *FILTERS[2:], *ORDER),
    sorts={"units": "units"},
    default_sort="units",
    note="`--format jsonl` writes one line a connector, with `generated.metrics` as the registry has it.",
    terms=("attempt", "unit", "ranking", "rate"),
)
