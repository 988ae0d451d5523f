"""The connectors and PyAirbyte releases of a made-up fleet: how popular they are
and how often they truly fail.

Every figure is invented. Which connectors are broken is drawn from the seed and
says nothing about the real ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final
from zlib import crc32

from app.demo.draw import DAY, draw_skewed, shuffle

# The head of the popularity order; the tail is drawn from the rest of the vocabulary.
POPULAR: Final = (  # noqa: SIM905 -- one name a line would bury the code
    "source-faker source-github source-google-sheets source-hubspot source-stripe source-postgres "
    "source-shopify "
    "source-salesforce source-google-analytics-data-api source-facebook-marketing source-google-ads "
    "source-jira "
    "source-notion source-s3 source-slack source-mysql source-airtable source-zendesk-support source-file "
    "source-google-drive source-mixpanel source-klaviyo source-linkedin-ads source-asana source-intercom "
    "source-gitlab source-mongodb-v2 source-tiktok-marketing source-google-search-console source-pokeapi "
    "source-linear source-monday source-amplitude source-mssql source-posthog source-quickbooks "
    "source-twilio "
    "source-xero source-bing-ads source-mailchimp"
).split()
DESTINATIONS: Final = (  # noqa: SIM905
    "destination-bigquery destination-snowflake destination-postgres destination-duckdb "
    "destination-motherduck "
    "destination-s3 destination-clickhouse destination-redshift destination-databricks destination-pgvector "
    "destination-pinecone destination-weaviate destination-mysql destination-mssql destination-google-sheets "
    "destination-elasticsearch destination-gcs destination-milvus destination-qdrant destination-iceberg"
).split()
SOURCES_IN_USE: Final = 380
BROKEN_RANKS: Final = (3, 7, 12, 19, 28, 41)
BROKEN_RATES: Final = (0.16, 0.34, 0.27, 0.42, 0.38, 0.55)
REGRESSED_RANKS: Final = (5, 9, 15, 24)
REGRESSED_RATE: Final = 0.35
ZIPF_EXPONENT: Final = 1.05
SECOND_GENERATION: Final = 2
MODERN: Final = 3
SHARED_ID_VERSIONS: Final = frozenset({"0.2.0", "0.7.1", "0.7.4"})


@dataclass(frozen=True, slots=True)
class Release:
    """A version, the moment (seconds since 1970) it came out, and the true share of its syncs that fail."""

    version: str
    released: float
    failure_rate: float


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector of the fleet: `weight` is its Zipf popularity, `abandon_rate`
    the share of syncs that crash."""

    name: str
    weight: float
    releases: tuple[Release, ...]
    abandon_rate: float

    @property
    def pace(self) -> float:
        """How much longer than usual its syncs take, by its name: an eighth to eight times."""
        return float(2 ** (crc32(self.name.encode()) % 7 - 3))

    def release_at(self, moment: float) -> Release:
        """Return the newest release that was out at `moment`."""
        return newest(self.releases, moment)


@dataclass(frozen=True, slots=True)
class Library:
    """A PyAirbyte release; `generation` is the shape of its events: 1 up to 0.7.1, 2 up to 0.17.4, then 3."""

    release: Release
    generation: int

    @property
    def has_shared_id(self) -> bool:
        """Up to 0.7.4 every user sent the same literal as their id, and messages of
        exceptions went out as they were."""
        return self.release.version in SHARED_ID_VERSIONS


def newest(releases: Sequence[Release], moment: float) -> Release:
    """Return the last of `releases` (oldest first) that was out at `moment`, else the first."""
    return next((release for release in reversed(releases) if release.released <= moment), releases[0])


def list_libraries(until: float) -> tuple[Library, ...]:
    """Return the stable PyAirbyte releases around the window, oldest first; 0.70.0 has a bug of its own."""
    ages = (
        ("0.58.0", 200, 0.0),
        ("0.62.3", 110, 0.0),
        ("0.66.0", 70, 0.0),
        ("0.69.2", 44, 0.0),
        ("0.70.0", 24, 0.06),
        ("0.70.1", 17, 0.0),
        ("0.71.3", 8, 0.0),
    )
    return tuple(Library(Release(version, until - age * DAY, rate), MODERN) for version, age, rate in ages)


def pinned_libraries() -> tuple[tuple[Library, float], ...]:
    """Return the releases that some people never leave, with the share of users who are on them."""
    shares = (
        ("0.2.0", 1, 0.006),
        ("0.7.1", 1, 0.004),
        ("0.7.4", SECOND_GENERATION, 0.005),
        ("0.10.5", SECOND_GENERATION, 0.015),
        ("0.30.0", MODERN, 0.03),
        ("1.0.0-rc.37", MODERN, 0.012),
        ("0.71.2.dev141039313338033", MODERN, 0.003),
        ("0.54.1.post5.dev0+1b1637b4", MODERN, 0.002),
    )
    return tuple(
        (Library(Release(version, 0.0, 0.0), generation), share) for version, generation, share in shares
    )


def list_sources(random: Random, names: Iterable[str], until: float) -> tuple[Connector, ...]:
    """Return the sources in use, most popular first, out of the vocabulary `names`."""
    known = sorted(name for name in names if name.startswith("source-"))
    head = [name for name in POPULAR if name in known]
    tail = shuffle(random, [name for name in known if name not in head])
    ranked = (head + tail)[:SOURCES_IN_USE]
    return tuple(build_source(random, name, rank, until) for rank, name in enumerate(ranked))


def list_destinations(random: Random, names: Iterable[str], until: float) -> tuple[Connector, ...]:
    """Return the destinations in use, most popular first, out of the vocabulary `names`."""
    known = frozenset(names)
    ranked = [name for name in DESTINATIONS if name in known]
    return tuple(build_connector(random, name, rank, until, (0.02, 0.02)) for rank, name in enumerate(ranked))


def build_source(random: Random, name: str, rank: int, until: float) -> Connector:
    """Return a source: healthy, or broken in every version, or broken by its newest version."""
    broken = dict(zip(BROKEN_RANKS, BROKEN_RATES, strict=True))
    rate = broken.get(rank) or min(draw_skewed(random, 0.02, 0.9), 0.3)
    regressed = REGRESSED_RATE if rank in REGRESSED_RANKS else None
    return build_connector(random, name, rank, until, (rate, regressed or rate))


def build_connector(
    random: Random, name: str, rank: int, until: float, rates: tuple[float, float]
) -> Connector:
    """Return a connector with an old release and one that came out within the last 35 days,
    each with its failure rate."""
    major, minor = int(random.random() * 6), int(random.random() * 40)
    is_regressed = rates[0] != rates[1]
    age = (22.0 if is_regressed else 3.0 + random.random() * 32.0) * DAY
    releases = (
        Release(f"{major}.{minor}.{int(random.random() * 20)}", 0.0, rates[0]),
        Release(f"{major}.{minor + 1}.0", until - age, rates[1]),
    )
    weight = 1.0 / float(rank + 1) ** ZIPF_EXPONENT
    return Connector(name, weight, releases, min(draw_skewed(random, 0.015, 0.7), 0.2))
