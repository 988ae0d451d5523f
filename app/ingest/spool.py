"""The spool of this process on its event loop: a log of its own file and of those of dead processes."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from app.ingest import instruments, spool_folder
from app.ingest.circuit import Circuit
from app.ingest.durable import NotReadError, Taken
from app.ingest.entries import dump, take
from app.ingest.spool_depth import Depth
from app.ingest.spool_file import Entry, SpoolFile, SpoolFullError
from app.store.disk import try_writing
from app.store.events import Batch

log = structlog.get_logger()

Result = TypeVar("Result")
ADOPT_SECONDS: Final = 5.0
PROBE_SECONDS: Final = 60.0
ROOM: Final = 0.75  # of the quota: with less in it a spool is no longer full


class Spool:
    """Keeps batches on disk while Postgres is unavailable, and brings them there afterwards."""

    def __init__(
        self, folder: Path, quota_bytes: int, circuit: Circuit, *, is_for_node: bool = False
    ) -> None:
        """Spool into `folder`, at most `quota_bytes`; `circuit` knows whether Postgres takes batches.

        One that is for a node of a cluster stands beside the process's own, which adopts for both and counts
        what waits in it among the others'.
        """
        self.is_for_node = is_for_node
        self.folder = folder
        self.quota_bytes = quota_bytes
        self.circuit = circuit
        self.thread = ThreadPoolExecutor(1, "spool")  # SQLite blocks, and wants one thread
        self.own: SpoolFile | None = None
        self.adopted: list[SpoolFile] = []
        self.others = Depth()  # what waits with other processes, as of the last look
        self.known_corrupt = 0  # entries lost in spools that are closed by now
        self.full = False
        self.unwritable = False  # as of the last probe
        self.next_look = self.next_probe = 0.0
        self.work = asyncio.Event()

    async def on_thread(self, function: Callable[[], Result]) -> Result:
        """Return what something returns that runs on the spool's thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, function)

    async def append(self, batch: Batch) -> None:
        """Keep a batch; it is fsynced when this returns. Raises SpoolFullError."""
        try:
            await self.on_thread(lambda: self.append_now(dump(batch)))
        finally:
            self.work.set()
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

    async def tend(self) -> None:
        """Adopt what dead processes left, every few seconds, and try every minute whether the spool can be
        written. Raises NotReadError."""
        now = time.monotonic()
        if now >= self.next_probe or (self.full and self.next_probe > now + ADOPT_SECONDS):
            await self.probe()
            hurt = self.full or self.unwritable
            self.next_probe = time.monotonic() + (ADOPT_SECONDS if hurt else PROBE_SECONDS)
        if not self.is_for_node and time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + ADOPT_SECONDS
            with reading():
                await self.on_thread(self.adopt)
        self.report()

    async def take(self, rows: int) -> Taken | None:
        """Return the oldest entries, those of one file: adopted ones first. Raises NotReadError."""
        self.work.clear()
        with reading():
            found = await self.on_thread(lambda: self.take_now(rows))
        self.report()
        if found is None:
            return None
        spool, taken = found
        return Taken([batch for _, batch in taken], (spool, [entry for entry, _ in taken]))

    async def done(self, taken: Taken) -> None:
        """Remove entries that are committed. Raises NotReadError."""
        spool, entries = taken.entries
        with reading():
            await self.on_thread(lambda: spool.remove(*entries))
        self.report()

    async def put_back(self, taken: Taken) -> None:
        """Do nothing: what was taken stays where it is until it is done."""

    async def wait(self, seconds: float) -> None:
        """Return when something was appended since the last look, after `seconds` at the latest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.work.wait()

    def adopt(self) -> None:
        """Look for spools of dead processes, at those of living ones, and for old quarantined files."""
        try:
            spool_folder.discard_quarantined(self.folder)
            found = spool_folder.adopt(self.folder, self.quota_bytes)
        except OSError:
            return
        for spool in found:
            log.info("spool_adopted", spool=spool.file.name, entries=spool.depth().entries)
        self.adopted += found
        held = [spool.file for spool in (*self.adopted, *([self.own] if self.own else []))]
        self.others = spool_folder.look(self.folder, held)

    def take_now(self, rows: int) -> tuple[SpoolFile, list[tuple[Entry, Batch]]] | None:
        """Return the next entries, those of one spool: adopted spools first, they are older."""
        for spool in list(self.adopted):
            taken = take(spool, rows)
            if taken:
                return spool, taken
            self.known_corrupt += spool.corrupt
            spool.close()
            self.adopted.remove(spool)
        if self.own is None:
            return None
        taken = take(self.own, rows)
        if not taken:
            self.own.shrink()
        return (self.own, taken) if taken else None

    def depth(self) -> Depth:
        """Return how much waits in all spools of this process."""
        spools = [*self.adopted, *([self.own] if self.own else [])]
        return sum((spool.depth() for spool in spools), Depth(corrupt=self.known_corrupt))

    def report(self) -> None:
        """Tell `/metrics` how much waits."""
        if self.is_for_node:
            return
        depth = self.depth()
        instruments.SPOOL_ENTRIES.set(depth.entries)
        instruments.SPOOL_BYTES.set(depth.payload_bytes)
        instruments.SPOOL_AGE.set(depth.age_seconds)
        instruments.SPOOL_CORRUPT.set(depth.corrupt)

    def quarantined(self) -> list[str]:
        """Return the names of damaged spool files, kept for whoever wants to look at them."""
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
            "quarantined": self.quarantined(),
            "others": {"entries": self.others.entries, "age_seconds": round(self.others.age_seconds, 1)},
        }

    async def close(self) -> None:
        """Let go of all files; what waits in them is adopted by the next process."""
        await self.on_thread(self.close_now)
        self.thread.shutdown()

    def close_now(self) -> None:
        """Let go of all files, on the thread."""
        for spool in [*self.adopted, *([self.own] if self.own else [])]:
            spool.close()


@contextmanager
def reading() -> Iterator[None]:
    """Say NotReadError for what the disk, or SQLite, says."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        log.warning("spool_not_read", error=type(error).__name__)
        raise NotReadError from error
