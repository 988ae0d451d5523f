"""A believable fleet of PyAirbyte users, as the events that they send, in time
order. Pure: a seed and a moment in.

The same arguments give the same events, byte for byte once they are written as JSON;
times are relative to `until`.
"""

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from app.demo import catalog, people, sessions
from app.demo.draw import DAY, HOUR, draw_count
from app.demo.people import User, World
from app.demo.shapes import Fields, write_event

Outcome = Literal["accepted", "duplicate", "rejected"]
Route = Literal["import", "batch"]
WEEKDAY_PACE: Final = (1.05, 1.1, 1.1, 1.05, 0.95, 0.35, 0.3)  # Monday first
LOOP_INTERVAL: Final = 900.0
LOOP_TURNS: Final = 3_000
REPEATED: Final = 0.002
REFUSED: Final = 0.0006
RETRY_AFTER: Final = 2.0


@dataclass(frozen=True, slots=True)
class FleetEvent:
    """One event: when it left its machine (true seconds since 1970), what it
    says, and what should become of it.

    `outcome` and `withheld` (schema paths) are what the service has to answer. Clocks that are hours off go
    the live `route`, where `sentAt` tells the drift; everything else is history and goes to the import.
    """

    at: float
    body: Fields
    outcome: Outcome
    withheld: tuple[str, ...]
    route: Route


def generate_events(
    names: Collection[str], *, users: int, days: int, seed: int, until: float
) -> Iterator[FleetEvent]:
    """Yield the events of `users` users over the `days` days before `until`
    (seconds since 1970), in time order.

    The first day begins at midnight UTC; the last one is the day of `until`. `names` is the connector
    vocabulary; a few hundred of them are in use.
    """
    random = start_random(seed)
    world = build_world(random, names, days, until)
    fleet = list(people.list_users(random, world, users))
    pending: list[tuple[float, int, FleetEvent]] = []
    number = 0
    for day in range(days + 1):
        opening = world.start + day * DAY
        for event in day_events(random, fleet, world, opening):
            number += 1
            heapq.heappush(pending, (event.at, number, event))
        while pending and pending[0][0] < min(opening + DAY, until):
            yield heapq.heappop(pending)[2]


def start_random(seed: int) -> Random:
    """Return what a fleet is drawn from."""
    return Random(f"fleet {seed}")  # noqa: S311 -- a simulation, and it has to repeat


def build_world(random: Random, names: Collection[str], days: int, until: float) -> World:
    """Return what all users of a fleet share."""
    sources = catalog.list_sources(random, names, until)
    destinations = catalog.list_destinations(random, names, until)
    return people.build_world(until // DAY * DAY - days * DAY, until, sources, destinations)


def list_versions(names: Collection[str], *, days: int, seed: int, until: float) -> dict[str, list[str]]:
    """Return the versions of every connector of a fleet, and of `pyairbyte`."""
    world = build_world(start_random(seed), names, days, until)
    libraries = [*world.libraries, *(library for library, _ in catalog.pinned_libraries())]
    connectors = (*world.sources, *world.destinations)
    versions = {each.name: [release.version for release in each.releases] for each in connectors}
    return versions | {"pyairbyte": [library.release.version for library in libraries]}


def day_events(random: Random, fleet: list[User], world: World, opening: float) -> Iterator[FleetEvent]:
    """Yield the events of the sessions that start within the day from `opening` on, user by user."""
    pace = WEEKDAY_PACE[int(opening // DAY + 3) % 7]
    for user in fleet:
        for at in session_starts(random, user, opening, pace=pace, turns=min(LOOP_TURNS, len(fleet))):
            run, facts = sessions.draw_session(random, user, world, at, is_first=at == user.joined)
            for fact in facts:
                if fact.at < world.until:
                    body, withheld = write_event(random, run.session, fact)
                    yield from deliver(random, fact.at, body, withheld, "batch" if user.skew else "import")


def session_starts(random: Random, user: User, opening: float, *, pace: float, turns: int) -> list[float]:
    """Return the moments within the day from `opening` on at which the user's processes start.

    `pace` is the weekday's; a loop ends after so many `turns`.
    """
    if user.joined >= opening + DAY:
        return []
    if user.kind == "looper":
        last = user.joined + turns * LOOP_INTERVAL
        return [
            at for turn in range(96) if user.joined <= (at := opening + turn * LOOP_INTERVAL + 7.0) < last
        ]
    starts = [user.joined] if opening <= user.joined else []
    weekly = 1.0 if user.kind == "container" else pace
    starts += [
        opening + draw_hour(random) * HOUR for _ in range(draw_count(random, user.sessions_per_day * weekly))
    ]
    return sorted(at for at in starts if at >= user.joined)


def draw_hour(random: Random) -> float:
    """Return an hour of the day (UTC), most of them in working hours somewhere."""
    return (7.0 + 6.0 * (random.random() + random.random()) + (12.0 if random.random() < 0.2 else 0.0)) % 24.0


def deliver(
    random: Random, at: float, body: Fields, withheld: tuple[str, ...], route: Route
) -> Iterator[FleetEvent]:
    """Yield the event; now and then spoilt by something personal, now and then sent twice by a retry."""
    if random.random() < REFUSED:
        yield FleetEvent(at, spoil(random, body), "rejected", withheld, route)
        return
    yield FleetEvent(at, body, "accepted", withheld, route)
    if random.random() < REPEATED:
        yield FleetEvent(at + RETRY_AFTER, body, "duplicate", withheld, route)


def spoil(random: Random, body: Fields) -> Fields:
    """Return a copy with something that no event may carry. The person is made up."""
    properties = body["properties"]
    assert isinstance(properties, dict)  # noqa: S101 -- narrows the type
    spoilt: tuple[Fields, ...] = (
        body | {"userId": "jane.doe@example.com"},
        body | {"traits": {"name": "Jane Doe", "phone": "+1 555 010 9999"}},
        body | {"properties": properties | {"email": "jane.doe@example.com"}},
        body | {"properties": properties | {"ip": "203.0.113.7"}},
        body | {"properties": properties | {"application_hash": "/home/jane.doe/projects/sync.py"}},
    )
    return spoilt[int(random.random() * len(spoilt))]
