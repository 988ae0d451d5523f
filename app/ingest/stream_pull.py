"""Pulls messages from the stream's consumer: what is there now, bounded by number and by bytes.

The driver's own `fetch` knows no bound by bytes, and waits for more than is there.
"""

from typing import TYPE_CHECKING, Final

import orjson

from app.store.stream import CONSUMER, STREAM
from app.store.stream_connection import API

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

NEXT: Final = f"{API}CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}"
ROW_BYTES: Final = 128  # of a row in a large message
ACKNOWLEDGE: Final = "$JS.ACK."  # where a message of the stream is acknowledged
SILENCE_SECONDS: Final = 1.0  # after which nothing more comes
PULLS: Final = 4  # in one look
EMPTY: Final = frozenset({"404", "408"})
TOO_MUCH: Final = "409"  # also: the consumer is gone
GONE: Final = "503"


class Puller:
    """Asks over a subscription of its own, which is made anew with every connection."""

    def __init__(self) -> None:
        """Subscribe on first use."""
        self.client: Client | None = None
        self.subscription: Subscription | None = None
        self.inbox = ""
        self.number = 0
        self.lost = False  # there is no consumer any more

    async def pull(self, client: "Client", rows: int) -> "list[Msg]":
        """Return messages that wait, of about so many rows if each had one; few where nothing answers."""
        messages: list[Msg] = []
        self.lost = False
        try:
            for _ in range(PULLS):
                if len(messages) >= rows or not await self.pull_once(client, rows, messages):
                    break
        except Exception:  # noqa: BLE001 -- the driver's errors have no common root; the rest comes again
            return messages
        return messages

    async def subscribe(self, client: "Client") -> "Subscription":
        """Return where messages arrive."""
        if self.subscription is None or self.client is not client:
            self.client, self.inbox = client, client.new_inbox()
            self.subscription = await client.subscribe(f"{self.inbox}.*")
        return self.subscription

    async def pull_once(self, client: "Client", rows: int, messages: "list[Msg]") -> bool:
        """Add what one question brings; return whether there is more."""
        subscription = await self.subscribe(client)
        self.number += 1
        reply = f"{self.inbox}.{self.number}"
        wanted = rows - len(messages)
        body = {"batch": wanted, "max_bytes": max(rows * ROW_BYTES, 2 * client.max_payload), "no_wait": True}
        await client.publish(NEXT, orjson.dumps(body), reply=reply)
        before = len(messages)
        while len(messages) - before < wanted:
            message = await subscription.next_msg(timeout=SILENCE_SECONDS)
            status = (message.headers or {}).get("Status")
            if status is None and message.reply.startswith(ACKNOWLEDGE):
                messages.append(message)
            elif message.subject == reply:  # else of an earlier question
                self.lost = status == GONE or (status == TOO_MUCH and len(messages) == before)
                return status == TOO_MUCH and not self.lost
        return True
