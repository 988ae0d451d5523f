"""The spool of this process on its event loop: its own file and those of dead
processes, drained oldest first."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from app.ingest import instruments, spool_folder
from app.ingest.committer import Committer, UnavailableError
from app.ingest.entries import dump, take
from app.ingest.spool_depth import Depth
from app.ingest.spool_file import Entry, SpoolFile, SpoolFullError
from app.problems import TelemetryError
from app.store.disk import try_writing
from app.store.events import Batch

log = structlog.get_logger()

Result = TypeVar("Result")
DRAIN_SECONDS: Final = 10.0  # for what is committed together; statements have a time-out of their own
DRAIN_ROWS: Final = (
    10_000  # committed together; half of it after each failure, a slow server would never take them else
)
FEW_ROWS: Final = 1_000
PAUSE_SECONDS: Final = 0.25
ADOPT_SECONDS: Final = 5.0
PROBE_SECONDS: Final = 60.0
ROOM: Final = 0.75  # of the quota: with less in it a spool is no longer full


class Spool:
    """Keeps batches on disk while Postgres is unavailable, and brings them there afterwards."""

    def __init__(
        self,
        folder: Path,
        quota_bytes: int,
        committer: Committer,
        recover: Callable[[], None],
        prepare: Callable[[Batch], None],
    ) -> None:
        """Spool into `folder`, at most `quota_bytes`, and drain through `committer`.

        `recover` is called off the event loop while Postgres is unavailable: it may bring it back. `prepare`
        has a last look at a batch before it is committed, and may raise UnavailableError.
        """
        self.folder = folder
        self.quota_bytes = quota_bytes
        self.committer = committer
        self.recover = recover
        self.prepare = prepare
        self.thread = ThreadPoolExecutor(1, "spool")  # SQLite blocks, and wants one thread
        self.own: SpoolFile | None = None
        self.adopted: list[SpoolFile] = []
        self.others = Depth()  # what waits with other processes, as of the last look
        self.most_rows = self.rows = DRAIN_ROWS
        self.known_corrupt = 0  # entries lost in spools that are closed by now
        self.full = False
        self.unwritable = False  # as of the last probe
        self.circuit = committer.circuit
        self.work = asyncio.Event()

    async def on_thread(self, function: Callable[[], Result]) -> Result:
        """Run something on the spool's thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, function)

    async def append(self, batch: Batch) -> None:
        """Keep a batch; it is fsynced when this returns. Raises SpoolFullError."""
        self.work.set()
        await self.on_thread(lambda: self.append_now(dump(batch)))
        self.report()

    def append_now(self, payload: bytes) -> None:
        """Append on the thread, opening the spool the first time."""
        try:
            if self.own is None:
                self.own = SpoolFile.create(self.folder, self.quota_bytes)
            self.own.append(payload)
            self.full = False
        except (OSError, sqlite3.Error, SpoolFullError) as error:
            if not self.full:  # once, not for every request that is refused for it
                log.warning("spool_full", error=type(error).__name__)
            self.full = True
            raise SpoolFullError from error

    async def probe(self) -> None:
        """Try whether the spool can be written, before an outage does."""
        try:
            await self.on_thread(lambda: try_writing(self.folder))
        except OSError as error:
            if not self.unwritable:
                log.warning("spool_not_writable", error=type(error).__name__)
            self.unwritable = True
        else:
            self.unwritable = False
            # A spool that was full is not until it is drained to some part: else this would
            # waver while an outage lasts.
            if self.own is None or self.own.payload_bytes < self.quota_bytes * ROOM:
                self.full = False

    async def run(self) -> None:
        """Adopt and drain for ever, and try every minute whether the spool can be written."""
        next_look = next_probe = 0.0
        while True:
            if time.monotonic() >= next_probe or (
                self.full and next_probe > time.monotonic() + ADOPT_SECONDS
            ):
                await self.probe()
                hurt = self.full or self.unwritable
                next_probe = time.monotonic() + (ADOPT_SECONDS if hurt else PROBE_SECONDS)
            try:
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + ADOPT_SECONDS
                    await self.on_thread(self.adopt)
                progressed = await self.drain_some()
            except (OSError, sqlite3.Error) as error:  # the disk may have room again, or let go of a lock
                log.warning("spool_not_read", error=type(error).__name__)
                progressed = False
            self.report()
            if progressed is None:
                self.work.clear()
                try:
                    async with asyncio.timeout(ADOPT_SECONDS):
                        await self.work.wait()
                except TimeoutError:
                    continue
            elif not progressed:
                await asyncio.sleep(PAUSE_SECONDS)

    async def drain_some(self) -> bool | None:
        """Commit the oldest entries as one; return whether that worked, None if there was none."""
        found = await self.on_thread(self.take)
        if found is None:
            self.circuit.try_again()  # also where the spool is full, or was emptied by hand
            return None
        spool, taken = found
        batches = [batch for _, batch in taken]
        try:
            for batch in batches:
                self.prepare(batch)
            await self.committer.commit(batches, DRAIN_SECONDS)
        except UnavailableError:
            self.rows = max(min(FEW_ROWS, self.most_rows), self.rows // 2)
            await self.try_to_recover()
            return False
        self.rows = min(self.most_rows, self.rows * 2)
        await self.on_thread(lambda: spool.remove(*(entry for entry, _ in taken)))
        return True

    async def try_to_recover(self) -> None:
        """Let Postgres be brought back, if it is ours."""
        try:
            await asyncio.to_thread(self.recover)
        except TelemetryError:
            log.exception("database_not_recovered")

    async def finish(self, seconds: float) -> None:
        """Drain for a bounded time before the process ends; what remains is adopted by the next one."""
        try:
            async with asyncio.timeout(seconds):
                while await self.drain_some():
                    pass
        except (TimeoutError, OSError, sqlite3.Error):
            log.warning("spool_not_drained", entries=self.depth().entries)
        await self.on_thread(self.close)
        self.thread.shutdown()

    def adopt(self) -> None:
        """Look for spools of dead processes, at those of living ones, and for what was set aside long ago."""
        try:
            spool_folder.discard_set_aside(self.folder)
            found = spool_folder.adopt(self.folder, self.quota_bytes)
        except OSError:
            return
        for spool in found:
            log.info("spool_adopted", spool=spool.file.name, entries=spool.depth().entries)
        self.adopted += found
        held = [spool.file for spool in (*self.adopted, *([self.own] if self.own else []))]
        self.others = spool_folder.look(self.folder, held)

    def take(self) -> tuple[SpoolFile, list[tuple[Entry, Batch]]] | None:
        """Return the next entries, those of one spool: adopted spools first, they are older."""
        for spool in list(self.adopted):
            taken = take(spool, self.rows)
            if taken:
                return spool, taken
            self.known_corrupt += spool.corrupt
            spool.close()
            self.adopted.remove(spool)
        if self.own is None:
            return None
        taken = take(self.own, self.rows)
        if not taken:
            self.own.shrink()
        return (self.own, taken) if taken else None

    def depth(self) -> Depth:
        """Return how much waits in all spools of this process."""
        spools = [*self.adopted, *([self.own] if self.own else [])]
        return sum((spool.depth() for spool in spools), Depth(corrupt=self.known_corrupt))

    def report(self) -> None:
        """Tell `/metrics` how much waits."""
        depth = self.depth()
        instruments.SPOOL_ENTRIES.set(depth.entries)
        instruments.SPOOL_BYTES.set(depth.payload_bytes)
        instruments.SPOOL_AGE.set(depth.age_seconds)
        instruments.SPOOL_CORRUPT.set(depth.corrupt)

    def set_aside(self) -> list[str]:
        """Names of damaged spool files, kept for whoever wants to look at them."""
        return sorted(file.name for file in self.folder.glob("*.corrupt"))

    def describe(self) -> dict[str, Any]:
        """Return what `/readyz` says of the spool."""
        depth = self.depth()
        return {
            "in_use": not self.circuit.is_reliable,
            "writable": not (self.full or self.unwritable),
            "entries": depth.entries,
            "bytes": depth.payload_bytes,
            "age_seconds": round(depth.age_seconds, 1),
            "corrupt": depth.corrupt,
            "set_aside": self.set_aside(),
            "others": {"entries": self.others.entries, "age_seconds": round(self.others.age_seconds, 1)},
        }

    def close(self) -> None:
        """Let go of all files."""
        for spool in [*self.adopted, *([self.own] if self.own else [])]:
            spool.close()
