"""One look at the stream from a command: what `serve` needs before it starts, what `doctor` says, and whether
anything waits before all of a database is changed."""

import asyncio
from dataclasses import dataclass
from typing import Final

from app.privacy.pseudonyms import Pseudonyms
from app.problems import ConfigurationError, TelemetryError
from app.settings import Settings
from app.store.stream import REPLICAS, State, check, prepare, read_state
from app.store.stream_connection import Address, visit

MONITOR_SECONDS: Final = 2.0
MEGABYTE: Final = 2**20
ONE_COPY: Final = (
    "The stream has one copy: the disk of one machine holds what waits. Three NATS servers in a cluster hold "
    "three; the stream becomes that by itself."
)
SYNC_UNKNOWN: Final = (
    "Whether NATS fsyncs before it acknowledges (sync_interval: always) is not known: set "
    "TELEMETRY_LOG_MONITOR_URL to the monitoring addresses of all its servers."
)
SYNC_UNANSWERED: Final = (
    "Whether NATS fsyncs before it acknowledges (sync_interval: always) is not known: not every server "
    "answers at TELEMETRY_LOG_MONITOR_URL."
)
SYNC_LATE: Final = (
    "NATS acknowledges before it fsyncs: a power failure can lose what was acknowledged. Set `sync_interval: "
    "always` in the jetstream block of every server."
)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: the stream's state, None before it is made, and what an operator should know of it."""

    state: State | None
    warnings: tuple[str, ...]


def read_address(settings: Settings) -> Address | None:
    """Return where the stream is, None if the settings name none. Raises ConfigurationError."""
    if settings.log_url is None:
        return None
    try:
        return Address.parse(settings.log_url.get_secret_value())
    except ValueError as error:
        said = str(error) if str(error).startswith("takes") else "takes nats://host:port"
        raise ConfigurationError(f"TELEMETRY_LOG_URL: {said}") from None


def name_key(pseudonyms: Pseudonyms) -> str:
    """Return what the stream holds of the hash key, as the database does."""
    return pseudonyms.check().hex()


def look(settings: Settings, address: Address, pseudonyms: Pseudonyms, *, make: bool) -> Look:
    """Return what is seen at `address`; `make` or change the stream where needed. Raises StreamError."""
    key = name_key(pseudonyms)
    state = asyncio.run(look_once(address, settings.log_mb * MEGABYTE if make else None, key))
    warnings = [ONE_COPY] if state is not None and state.replicas < REPLICAS else []
    said = check_sync(settings.log_monitor_url, state.replicas if state is not None else 1)
    return Look(state, (*warnings, *([said] if said else [])))


async def look_once(address: Address, most_bytes: int | None, key: str) -> State | None:
    """Return the stream's state, made with `most_bytes` if that is given. Raises StreamError."""
    async with visit(address) as client:
        if most_bytes is not None:
            return await prepare(client, most_bytes, key)
        return await check(client, key)


def check_sync(monitors: str, nodes: int) -> str | None:
    """Return what there is to say of when NATS fsyncs, None if all is well: `nodes` servers at the least say
    so. Only their monitoring endpoint knows."""
    import httpx  # noqa: PLC0415 -- no start waits for it

    urls = [url.strip().rstrip("/") for url in monitors.split(",") if url.strip()]
    if not urls:
        return SYNC_UNKNOWN
    try:
        answers = [httpx.get(f"{url}/varz", timeout=MONITOR_SECONDS).json() for url in urls]
        configs = [answer["jetstream"]["config"] for answer in answers]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return SYNC_UNANSWERED
    if not all(config.get("sync_always") for config in configs):
        return SYNC_LATE
    names = {answer.get("server_id") for answer in answers}
    return SYNC_UNANSWERED if len(names) < nodes else None


def check_empty(settings: Settings) -> None:
    """Raise TelemetryError while batches wait in the stream, or where that cannot be seen."""
    address = read_address(settings)
    if address is None:
        return

    async def read() -> State | None:
        async with visit(address) as client:
            return await read_state(client)

    state = asyncio.run(read())
    if state is not None and state.messages:
        raise TelemetryError(
            "Events wait in the stream of TELEMETRY_LOG_URL: start the service, let it drain, stop it, and "
            "run this again."
        )
