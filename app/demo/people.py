"""The users of a made-up fleet: who they are, what they run, and on which machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from app.demo.catalog import Connector, Library, list_libraries, newest, pinned_libraries
from app.demo.draw import DAY, HOUR, RANDOM_BITS, draw_hash, draw_skewed, encode_ulid, pick

Kind = Literal["regular", "container", "ci", "looper"]
KINDS: Final[tuple[tuple[Kind, float], ...]] = (("regular", 0.9), ("container", 0.05), ("ci", 0.05))
USERS_A_LOOPER: Final = 700
LITERAL_ID: Final = "airbyte-lib-user"
# What people put in AIRBYTE_ANALYTICS_ID: no id that can be kept, and nobody's data.
ODD_IDS: Final[tuple[object, ...]] = ("data-team", 12345, True, "analytics_prod", ["team-a"])
CUSTOM_CONNECTORS: Final = (
    "source-acme-crm",
    "source-acme-warehouse",
    "source-internal-ledger",
    "source-my-api",
)
COLAB: Final = "Google Colab (release-colab_20261012-060112_RC00)"
PYTHONS: Final = (
    ("3.11.9 (CPython)", 0.34),
    ("3.10.14 (CPython)", 0.22),
    ("3.12.7 (CPython)", 0.27),
    ("3.13.1 (CPython)", 0.12),
    ("3.14.0rc2 (CPython)", 0.02),
    ("3.11.13 (PyPy)", 0.03),
)
SYSTEMS: Final = (("Linux", 0.58), ("Darwin", 0.27), ("Windows", 0.13), (COLAB, 0.02))
CACHES: Final = (
    ("DuckDBCache", 0.66),
    ("BigQueryCache", 0.09),
    ("SnowflakeCache", 0.09),
    ("PostgresCache", 0.1),
    ("MotherDuckCache", 0.05),
    ("AcmeLakeCache", 0.01),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where PyAirbyte runs."""

    python_version: str
    system: str
    flags: tuple[tuple[str, object], ...]
    executor_type: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A connector that a user uses, and how much more or less than others it fails for them."""

    connector: Connector
    exposure: float
    config_hash: str


@dataclass(frozen=True, slots=True)
class User:
    """One user. Times are seconds since 1970.

    They install a release `lag` seconds after it came out; their clock is `skew` seconds ahead; `clumsiness`
    is how readily they get a config wrong.
    """

    kind: Kind
    joined: float
    id_randomness: int
    odd_id: object | None
    custom_connector: str | None
    application_hashes: tuple[str, ...]
    sessions_per_day: float
    sources: tuple[Choice, ...]
    destination: Choice | None
    cache_type: str
    machine: Machine
    pinned: Library | None
    lag: float
    skew: float
    has_our_client: bool
    clumsiness: float

    @property
    def anonymous_id(self) -> str:
        """The id minted on their first run, one past that run's session id."""
        return encode_ulid(self.joined + self.skew, self.id_randomness + 1)

    @property
    def first_session_id(self) -> str:
        """The session id of their first run."""
        return encode_ulid(self.joined + self.skew, self.id_randomness)

    def library_at(self, moment: float, libraries: tuple[Library, ...]) -> Library:
        """Return the PyAirbyte that they have installed at `moment`: some follow each
        release, some lag, some never move."""
        if self.pinned is not None:
            return self.pinned
        release = newest([library.release for library in libraries], moment - self.lag)
        return next(library for library in libraries if library.release is release)


@dataclass(frozen=True, slots=True)
class World:
    """What all users of a fleet share."""

    start: float
    until: float
    sources: tuple[Connector, ...]
    destinations: tuple[Connector, ...]
    libraries: tuple[Library, ...]


def build_world(
    start: float, until: float, sources: tuple[Connector, ...], destinations: tuple[Connector, ...]
) -> World:
    """Return the world between two moments (seconds since 1970)."""
    return World(start, until, sources, destinations, list_libraries(until))


def list_users(random: Random, world: World, count: int) -> Iterator[User]:
    """Yield `count` users, of whom one in `USERS_A_LOOPER` (at least one) is a cron
    job that never stops failing."""
    loopers = max(1, count // USERS_A_LOOPER)
    for number in range(count):
        yield draw_user(random, world, "looper" if number < loopers else pick(random, KINDS))


def draw_user(random: Random, world: World, kind: Kind) -> User:
    """Return one user of the given kind."""
    pinned = pick(random, [*pinned_libraries(), (None, 0.923)]) if kind == "regular" else None
    skewed = kind == "regular" and random.random() < 0.02
    sources = draw_sources(random, world, kind)
    return User(
        kind=kind,
        joined=draw_joined(random, world, kind),
        id_randomness=random.getrandbits(RANDOM_BITS - 1),
        odd_id=pick(random, [(odd, 1.0) for odd in ODD_IDS]) if random.random() < 0.006 else None,
        custom_connector=pick(random, [(name, 1.0) for name in CUSTOM_CONNECTORS])
        if random.random() < 0.04
        else None,
        application_hashes=tuple(draw_hash(random) for _ in range(1 + int(random.random() * 1.6))),
        sessions_per_day=draw_pace(random, kind),
        sources=sources,
        destination=draw_choice(random, world.destinations) if random.random() < 0.14 else None,
        cache_type=pick(random, CACHES),
        machine=draw_machine(random, kind),
        pinned=pinned,
        lag=DAY * (draw_skewed(random, 4.0, 1.0) if random.random() < 0.85 else 90.0),
        skew=draw_skew(random) if skewed else 0.0,
        has_our_client=skewed or random.random() < 0.15,
        clumsiness=0.35 * random.random(),
    )


def draw_joined(random: Random, world: World, kind: Kind) -> float:
    """Return when they first ran PyAirbyte: over half of them before the window begins."""
    if kind == "looper":
        return world.start + random.random() * 5 * DAY
    if random.random() < 0.55:
        return world.start - random.random() * 300 * DAY
    return world.start + random.random() * (world.until - world.start)


def draw_pace(random: Random, kind: Kind) -> float:
    """Return the sessions on a working day."""
    if kind == "ci":
        return 0.4 + 1.2 * random.random()
    return min(draw_skewed(random, 0.11, 1.1), 6.0)


def draw_sources(random: Random, world: World, kind: Kind) -> tuple[Choice, ...]:
    """Return one to four sources; a looper has one, out of the healthy middle."""
    if kind == "looper":
        connector = world.sources[min(60 + int(random.random() * 60), len(world.sources) - 1)]
        return (Choice(connector, 1.0, draw_hash(random)),)
    return tuple(draw_choice(random, world.sources) for _ in range(1 + int(random.random() ** 2 * 4)))


def draw_choice(random: Random, connectors: tuple[Connector, ...]) -> Choice:
    """Return a connector by popularity. Failures cluster: most people are spared,
    some are hit again and again."""
    connector = pick(random, [(connector, connector.weight) for connector in connectors])
    return Choice(connector, 0.35 if random.random() < 0.7 else 2.5, draw_hash(random))


def draw_machine(random: Random, kind: Kind) -> Machine:
    """Return where they run: laptops, notebooks, containers, CI."""
    system = "Linux" if kind in ("ci", "container") else pick(random, SYSTEMS)
    flags: list[tuple[str, object]] = [("CI", True)] if kind == "ci" else []
    if system == COLAB:
        flags.append(("NOTEBOOK_RUNTIME", "GOOGLE_COLAB"))
    elif kind == "regular" and random.random() < 0.15:
        flags.append(("NOTEBOOK_RUNTIME", "JUPYTER"))
    if random.random() < 0.03:
        flags.append(("LANGCHAIN" if random.random() < 0.4 else "MCP", True))
    if random.random() < 0.002:
        flags.append(("AGENT", True))
    executors = (
        ("VenvExecutor", 0.62),
        ("DeclarativeExecutor", 0.2),
        ("DockerExecutor", 0.13),
        ("PathExecutor", 0.05),
    )
    return Machine(pick(random, PYTHONS), system, tuple(flags), pick(random, executors))


def draw_skew(random: Random) -> float:
    """Return the hours by which a clock is wrong, either way; now and then days."""
    hours = 1.0 + random.random() * 11.0 if random.random() < 0.85 else 24.0 + random.random() * 96.0
    return (hours if random.random() < 0.6 else -hours) * HOUR
