"""New figures for whoever asks for them: one table at a time, with rests in between, however many ask.

Else a few readers who send `Cache-Control: no-cache` keep Postgres and the interpreter computing for good,
and every event waits for both.
"""

import asyncio
import time
from typing import Final

from app.reports.cache import Kept, Key, Tables

# A rest is so many times as long as the computation before it: a quarter of a core for all of them.
REST: Final = 3


class Renewals:
    """Makes tables anew. Whoever asks for one that is waited for already gets the same."""

    def __init__(self, tables: Tables) -> None:
        """Make new `tables`, which keep them."""
        self.tables = tables
        self.turn = asyncio.Lock()
        self.rested_at = 0.0  # of the monotonic clock
        self.making: dict[Key, asyncio.Task[Kept]] = {}

    async def find(self, key: Key) -> Kept:
        """Return a table that was not there before. Raises Problem."""
        task = self.making.get(key)
        if task is None:
            task = self.making[key] = asyncio.create_task(self.make(key))
            task.add_done_callback(lambda _done: self.making.pop(key))
        return await asyncio.shield(task)  # others wait for the same

    async def make(self, key: Key) -> Kept:
        """Return a new table once those before it are made and have been rested from. Raises Problem."""
        async with self.turn:
            await asyncio.sleep(self.rested_at - time.monotonic())
            began = time.monotonic()
            try:
                found = self.tables.look(key, fresh=True)
                return found if isinstance(found, Kept) else await asyncio.wrap_future(found)
            finally:
                ended = time.monotonic()
                self.rested_at = ended + REST * (ended - began)
