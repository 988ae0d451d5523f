"""The stream of NATS JetStream in which batches wait in log mode: made or checked, and how much waits.

`serve`, `doctor` and `keys rotate-hash` look at it; `app/ingest/stream_log.py` fills and drains it.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.store.stream_causes import LogCause, StreamError
from app.store.stream_connection import RETRY_SECONDS, ask, ask_for

if TYPE_CHECKING:
    from nats.aio.client import Client

STREAM: Final = "TELEMETRY"
SUBJECT: Final = "TELEMETRY.batches"
CONSUMER: Final = "drain"
REPLICAS: Final = 3
KEY_CHECK: Final = "pyairbyte-telemetry-key"  # in the stream's metadata
# Within which a message of an id that was published before is not stored again. Later ones are stored and
# fenced by their id in Postgres.
DUPLICATE_SECONDS: Final = 120
# A batch that was taken and not acknowledged is given to somebody else after this: longer than a commit of
# the drain may take (10 s). Two that commit the same differ by its id.
ACK_WAIT_SECONDS: Final = 15.0
UNACKNOWLEDGED: Final = 20_000  # messages that all instances together may have in hand
SECOND: Final = 1_000_000_000  # in nanoseconds
NOT_FOUND: Final = 10059
SCALING: Final = 10023  # a consumer asked for while the stream gets its copies
SCALING_SECONDS: Final = 3.0
NO_CLUSTER: Final = frozenset({10005, 10074})  # no peers for so many replicas; no cluster at all


@dataclass(frozen=True, slots=True)
class State:
    """What the stream holds, and how safely."""

    messages: int
    last_number: int  # of all messages that there ever were
    size_bytes: int
    most_bytes: int
    oldest_at: dt.datetime | None
    replicas: int
    current: int  # replicas that are up to date, the leader included
    key_check: str

    @property
    def age_seconds(self) -> float:
        """Return how long the oldest batch has waited."""
        if self.oldest_at is None:
            return 0.0
        return max(0.0, (dt.datetime.now(dt.UTC) - self.oldest_at).total_seconds())


async def prepare(client: "Client", most_bytes: int, key_check: str) -> State:
    """Make the stream and its consumer, or check them; return the stream's state.

    Three replicas where there are servers for them, one else; raised to three once there are. Raises
    StreamError, which names what was made otherwise.
    """
    answer = await find(client)
    if answer is None:
        answer = await settle(client, "CREATE", describe_stream(most_bytes, key_check))
    else:
        refuse_other_settings(answer["config"])
        if is_foreign(answer, key_check):
            raise StreamError(LogCause.FOREIGN)
        wanted = answer["config"] | {
            "max_bytes": most_bytes,
            "metadata": answer["config"].get("metadata", {}) | {KEY_CHECK: key_check},
        }
        if wanted != answer["config"] or wanted["num_replicas"] < REPLICAS:
            answer = await settle(client, "UPDATE", wanted)
    await make_consumer(client)
    return read_answer(answer)


async def make_consumer(client: "Client") -> None:
    """Make the consumer, or change it where it is another. Raises StreamError."""
    request, deadline = f"CONSUMER.CREATE.{STREAM}.{CONSUMER}", time.monotonic() + SCALING_SECONDS
    while time.monotonic() < deadline:
        answer = await ask(client, request, describe_consumer())
        if answer.get("error", {}).get("err_code") != SCALING:
            break
        await asyncio.sleep(RETRY_SECONDS)
    await ask_for(client, request, describe_consumer())


async def settle(client: "Client", verb: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Make or change the stream and return what it is: with three replicas, or with as many as before where
    there are no servers for three. Raises StreamError."""
    request = f"STREAM.{verb}.{STREAM}"
    answer = await ask(client, request, {**config, "num_replicas": REPLICAS})
    if answer.get("error", {}).get("err_code") in NO_CLUSTER:
        return await ask_for(client, request, {**config, "num_replicas": config.get("num_replicas", 1)})
    return answer if "error" not in answer else await ask_for(client, request, config)


def describe_stream(most_bytes: int, key_check: str) -> dict[str, Any]:
    """Return the settings of the stream. Full it takes nothing more: what waits is never discarded."""
    return {
        "name": STREAM,
        "description": "Batches of pyairbyte-telemetry that wait for Postgres",
        "subjects": [SUBJECT],
        "retention": "workqueue",
        "discard": "new",
        "storage": "file",
        "max_bytes": most_bytes,
        "duplicate_window": DUPLICATE_SECONDS * SECOND,
        "metadata": {KEY_CHECK: key_check},
    }


def describe_consumer() -> dict[str, Any]:
    """Return the settings of the one consumer, which all instances pull from."""
    config = {
        "name": CONSUMER,
        "durable_name": CONSUMER,
        "ack_policy": "explicit",
        "ack_wait": int(ACK_WAIT_SECONDS * SECOND),
        "max_deliver": -1,
        "max_ack_pending": UNACKNOWLEDGED,
    }
    return {"stream_name": STREAM, "config": config}


def refuse_other_settings(config: Mapping[str, Any]) -> None:
    """Raise StreamError for a stream that may lose or withhold what it acknowledged."""
    needed = {"retention": "workqueue", "discard": "new", "storage": "file", "subjects": [SUBJECT]}
    other = [name for name, value in needed.items() if config.get(name) != value]
    other += [name for name in ("max_age", "sealed", "no_ack") if config.get(name)]
    other += [name for name in ("max_msgs", "max_msg_size") if config.get(name, -1) != -1]
    if config.get("persist_mode", "default") != "default":
        other.append("persist_mode")
    if other:
        detail = f" ({', '.join(other)}): once it is empty, delete it; `serve` makes it anew."
        raise StreamError(LogCause.SETTLED_OTHERWISE, detail)


def is_foreign(answer: Mapping[str, Any], key_check: str) -> bool:
    """Return whether batches under another hash key wait. An empty stream is anybody's: after a rotation the
    key is another one.
    """
    stored = answer["config"].get("metadata", {}).get(KEY_CHECK, key_check)
    return bool(answer["state"]["messages"]) and stored != key_check


async def check(client: "Client", key_check: str) -> State | None:
    """Return what the stream holds, None if there is none; change nothing. Raises StreamError."""
    answer = await find(client)
    if answer is None:
        return None
    refuse_other_settings(answer["config"])
    if is_foreign(answer, key_check):
        raise StreamError(LogCause.FOREIGN)
    return read_answer(answer)


async def find(client: "Client") -> dict[str, Any] | None:
    """Return JetStream's answer about the stream, None if there is none. Raises StreamError."""
    answer = await ask(client, f"STREAM.INFO.{STREAM}")
    if answer.get("error", {}).get("err_code") == NOT_FOUND:
        return None
    return answer if "error" not in answer else await ask_for(client, f"STREAM.INFO.{STREAM}")


async def read_state(client: "Client") -> State | None:
    """Return what the stream holds, None if there is none. Raises StreamError."""
    answer = await find(client)
    return None if answer is None else read_answer(answer)


def read_answer(answer: Mapping[str, Any]) -> State:
    """Return the state that an answer about the stream holds."""
    config, state = answer["config"], answer["state"]
    peers = (answer.get("cluster") or {}).get("replicas") or []
    current = sum(1 for peer in peers if peer.get("current") and not peer.get("offline"))
    oldest = dt.datetime.fromisoformat(state["first_ts"]) if state["messages"] else None
    return State(
        messages=state["messages"],
        last_number=state["last_seq"],
        size_bytes=state["bytes"],
        most_bytes=config["max_bytes"],
        oldest_at=oldest,
        replicas=config["num_replicas"],
        current=current + 1,
        key_check=config.get("metadata", {}).get(KEY_CHECK, ""),
    )
