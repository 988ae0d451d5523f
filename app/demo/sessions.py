"""What one process of one user does, and which events that leaves behind.

The sequences are those that released versions were seen to send: a read sends `started` and then `succeeded`,
`failed` or, when the process dies, nothing; `get_records` sends a start and practically never an end; a plain
loop over it sends `canceled`; `write` of a read result and an invalid config send an end without a start.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from app.demo.catalog import MODERN, Connector
from app.demo.draw import draw_skewed, draw_ulid, encode_ulid, pick
from app.demo.people import Choice, User, World
from app.demo.shapes import Fact, Party, Session

CONFIG_ERRORS: Final = (
    ("AirbyteConnectorValidationFailedError", 0.6),
    ("PyAirbyteInputError", 0.2),
    ("PyAirbyteSecretNotFoundError", 0.1),
    ("AirbyteConnectorConfigurationMissingError", 0.1),
)
SYNC_ERRORS: Final = (
    ("AirbyteConnectorReadError", 0.62),
    ("AirbyteConnectorFailedError", 0.16),
    ("SQLRuntimeError", 0.08),
    ("AirbyteNoDataFromConnectorError", 0.05),
    ("PyAirbyteInternalError", 0.04),
    ("OperationalError", 0.02),
    ("MemoryError", 0.02),
    ("AcmeQuotaError", 0.01),
)
INSTALL_ERRORS: Final = (
    ("AirbyteConnectorInstallationError", 0.7),
    ("AirbyteConnectorNotRegisteredError", 0.3),
)
WRITE_ERROR: Final = "AirbyteConnectorWriteError"
LIBRARY_ERROR: Final = "PyAirbyteInternalError"
ACTIVITIES: Final = (("read", 0.72), ("get_records", 0.1), ("loop", 0.03), ("samples", 0.03), ("check", 0.12))
LOOPER_FAILURE_RATE: Final = 0.985


@dataclass(slots=True)
class Run:
    """A process of `user` under way: `clock` is its true time, which only moves forward."""

    random: Random
    user: User
    session: Session
    world: World
    clock: float

    def pass_time(self, median: float) -> float:
        """Let about `median` seconds go by and return the time then, in seconds."""
        self.clock += draw_skewed(self.random, median, 0.8)
        return self.clock

    def chance(self, probability: float) -> bool:
        """Return whether something of this probability happens."""
        return self.random.random() < probability


def draw_session(
    random: Random, user: User, world: World, at: float, *, is_first: bool
) -> tuple[Run, Iterator[Fact]]:
    """Return a process that starts at `at` and the facts that it leaves behind, in order."""
    if is_first:
        session_id, anonymous_id = user.first_session_id, user.anonymous_id
    elif user.kind in ("container", "ci"):
        randomness = random.getrandbits(79)
        session_id = encode_ulid(at + user.skew, randomness)
        anonymous_id = encode_ulid(at + user.skew, randomness + 1)
    else:
        session_id, anonymous_id = draw_ulid(random, at + user.skew), user.anonymous_id
    session = Session(
        library=user.library_at(at, world.libraries),
        session_id=session_id,
        anonymous_id=anonymous_id if user.odd_id is None else user.odd_id,
        has_odd_id=user.odd_id is not None,
        application_hash=user.application_hashes[int(random.random() * len(user.application_hashes))],
        machine=user.machine,
        skew=user.skew,
        has_our_client=user.has_our_client,
        sent_at=world.until + user.skew if user.skew else None,
    )
    run = Run(random, user, session, world, at)
    facts = loop_facts(run) if user.kind == "looper" else session_facts(run, is_first=is_first)
    return run, filter_facts(session, facts)


def filter_facts(session: Session, facts: Iterator[Fact]) -> Iterator[Fact]:
    """Yield the facts without what the release could not yet send: other events than syncs, destinations,
    `canceled`."""
    for fact in facts:
        if session.library.has_shared_id and fact.event != "sync":
            continue
        if session.library.generation < MODERN and (fact.destination is not None or fact.state == "canceled"):
            continue
        yield fact


def loop_facts(run: Run) -> Iterator[Fact]:
    """Yield one turn of a cron job that hardly ever works."""
    choice = run.user.sources[0]
    yield from sync(run, choice, name_source(run, choice), None, LOOPER_FAILURE_RATE)


def session_facts(run: Run, *, is_first: bool) -> Iterator[Fact]:
    """Yield what happens in a session: a first run installs and stumbles over the config; later ones sync."""
    sources = (
        run.user.sources
        if run.chance(0.25)
        else (run.user.sources[int(run.random.random() ** 2 * len(run.user.sources))],)
    )
    for choice in sources:
        source = name_source(run, choice)
        if is_first:
            yield from install(run, source)
        mistakes = run.user.clumsiness * (2.0 if is_first else 0.08)
        while run.chance(min(mistakes, 0.7)):
            yield from misconfigure(run, source)
        yield from work(run, choice, source)


def name_source(run: Run, choice: Choice) -> Party:
    """Return the source as events name it; some people run one of their own, unknown to any registry."""
    user, release = run.user, choice.connector.release_at(run.clock - run.user.lag)
    if user.custom_connector is not None and run.chance(0.3):
        return Party(user.custom_connector, "PathExecutor", None, choice.config_hash, is_known=False)
    is_path = user.machine.executor_type == "PathExecutor"
    version = None if is_path else release.version
    return Party(
        choice.connector.name, user.machine.executor_type, version, choice.config_hash, is_known=True
    )


def install(run: Run, source: Party) -> Iterator[Fact]:
    """Yield the facts of `install`, which sends an end only; after a failure people try again."""
    if run.chance(0.07):
        yield Fact(
            run.pass_time(8), "install", "failed", source, exception_class=pick(run.random, INSTALL_ERRORS)
        )
        run.pass_time(120)
    yield Fact(run.pass_time(15), "install", "succeeded", source)


def misconfigure(run: Run, source: Party) -> Iterator[Fact]:
    """Yield a config that is not valid: seen by `validate`, by `check`, or by a read, which
    then fails without a start."""
    mistake = pick(run.random, CONFIG_ERRORS)
    how = run.random.random()
    if how < 0.4:
        yield Fact(run.pass_time(2), "validate", "failed", source, exception_class=mistake)
    elif how < 0.7:
        yield Fact(run.pass_time(4), "check", "failed", source)
    else:
        yield Fact(run.pass_time(2), "sync", "failed", source, None, run.user.cache_type, mistake, 0)
    run.pass_time(90)


def work(run: Run, choice: Choice, source: Party) -> Iterator[Fact]:
    """Yield what the session is for: mostly reads into a cache, some with a destination."""
    activity = pick(run.random, ACTIVITIES)
    if activity == "check":
        yield Fact(run.pass_time(3), "check", "succeeded", source)
    yield Fact(run.pass_time(2), "validate", "succeeded", source)
    if activity in ("get_records", "loop", "samples"):
        yield from read_directly(run, source, activity)
        return
    destination = run.user.destination if source.is_known and run.chance(0.5) else None
    for _ in range(1 + int(run.random.random() ** 3 * 3)):
        yield from sync(run, choice, source, destination, failure_rate(run, choice))
    if run.user.destination is not None and destination is None and run.chance(0.3):
        yield from write_result(run, run.user.destination)


def failure_rate(run: Run, choice: Choice) -> float:
    """Return the probability that this user's sync fails: the connector's, the PyAirbyte
    release's, and their own luck."""
    release = choice.connector.release_at(run.clock - run.user.lag)
    return min(release.failure_rate * choice.exposure, 0.96) + run.session.library.release.failure_rate


def read_directly(run: Run, source: Party, activity: str) -> Iterator[Fact]:
    """Yield reads past any cache: a start for each; only a plain loop says more, and that it was canceled."""
    for _ in range(3 if activity == "samples" else 1):
        yield Fact(run.pass_time(1), "sync", "started", source)
    if activity == "loop":
        yield Fact(run.pass_time(1), "sync", "canceled", source)


def sync(run: Run, choice: Choice, source: Party, destination: Choice | None, rate: float) -> Iterator[Fact]:
    """Yield one attempt: a start, then its end, or nothing when the process dies
    or `write` loses its source."""
    target = name_destination(destination, run) if destination else None
    cache_type = run.user.cache_type if target is None or run.chance(0.3) else None
    start = Fact(run.pass_time(1), "sync", "started", source, target, cache_type)
    yield start
    connector: Connector = choice.connector
    if run.chance(connector.abandon_rate):
        return
    end = start._replace(at=run.pass_time(45 * connector.pace), number_of_records=draw_records(run.random))
    if destination and run.chance(destination.connector.releases[0].failure_rate):
        yield end._replace(state="failed", exception_class=WRITE_ERROR)
    elif not run.chance(rate):
        yield end._replace(state="succeeded")
    elif target is None:
        yield end._replace(state="failed", exception_class=draw_error(run, choice))


def draw_error(run: Run, choice: Choice) -> str:
    """Return the class of a failed sync; a broken PyAirbyte release shows as its own."""
    own = run.session.library.release.failure_rate
    if run.chance(own / (own + choice.connector.releases[0].failure_rate)):
        return LIBRARY_ERROR
    return pick(run.random, SYNC_ERRORS)


def write_result(run: Run, destination: Choice) -> Iterator[Fact]:
    """Yield `destination.write(read_result)`: an end without a start and without a source."""
    target = name_destination(destination, run)
    failed = run.chance(destination.connector.releases[0].failure_rate)
    fact = Fact(
        run.pass_time(20),
        "sync",
        "succeeded",
        None,
        target,
        run.user.cache_type,
        None,
        draw_records(run.random),
    )
    yield fact._replace(state="failed", exception_class=WRITE_ERROR, number_of_records=0) if failed else fact


def name_destination(choice: Choice, run: Run) -> Party:
    """Return the destination as events name it."""
    release = choice.connector.release_at(run.clock)
    return Party(choice.connector.name, "DockerExecutor", release.version, choice.config_hash, is_known=True)


def draw_records(random: Random) -> int:
    """Return how many records a sync moved; some move none."""
    return 0 if random.random() < 0.04 else int(draw_skewed(random, 1_500, 2.0))
