"""Pages that were made, kept as long as nothing that they show has changed: who reads
again waits for no template."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.reports.cache import Tables
from app.reports.model import Table

MOST: Final = 64
Asked = tuple[str, Mapping[str, str], Table]  # a report, what it was asked for, and its answer


@dataclass(frozen=True, slots=True)
class Page:
    """A page's bytes, the tables that it was made of, and what else it shows."""

    tables: Sequence[Asked]
    frame: object
    body: bytes


class Pages:
    """Pages by address with all its parameters: no reader sees those of another's."""

    def __init__(self, tables: Tables) -> None:
        """`tables` says whether a page's figures are still the ones that are served."""
        self.tables = tables
        self.kept: OrderedDict[str, Page] = OrderedDict()
        self.lock = threading.Lock()

    def find(self, address: str) -> Page | None:
        """Return a page if the tables that it was made of are those that would be found now.

        Raises Problem 503 where the database cannot answer and a table was dropped.
        """
        with self.lock:
            page = self.kept.get(address)
        if page is None:
            return None
        is_true = all(self.tables.find(name, **given) is table for name, given, table in page.tables)
        return page if is_true else None

    def keep(self, address: str, page: Page) -> None:
        """Keep a page in place of an older one; the one that was made longest ago gives way."""
        with self.lock:
            self.kept[address] = page
            self.kept.move_to_end(address)
            while len(self.kept) > MOST:
                self.kept.popitem(last=False)
