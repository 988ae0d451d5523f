"""The rollups' worker: a thread in every serving process that keeps `attempts` and
`unit_days` up with the events.

Any number of processes may host one: each claims buckets that nobody else works on. The database decides who
does what; a worker that dies leaves nothing behind, since its transaction is one of all or nothing.
"""

import datetime as dt
import time
from typing import Any, Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.privacy.pseudonyms import to_text
from app.rollups import instruments
from app.rollups.recomputation import MANY, analyze_unknown, prepare, query, recompute
from app.store.causes import describe_fault
from app.upkeep.background import UNAVAILABLE_SECONDS, Background, sqlstate_of

log = structlog.get_logger()

BUCKETS: Final = 1_024  # a quarter: four workers find something to do at the same time
MARKS: Final = 10_000  # a transaction of some hundred milliseconds
PAUSE_SECONDS: Final = (
    0.5  # between steps: what came meanwhile is done at once, which costs less than one by one
)
# A session that took t to recompute is left for 20 t: a daemon of a week costs 5 % of a worker at most.
COOLDOWN: Final = 20
WORTH_A_COOLDOWN: Final = 0.05  # seconds
# Classes of SQLSTATE that say that the rows read are the fault: cardinality, data, constraint, program limit.
DATA_FAULTS: Final = frozenset({"21", "22", "23", "54"})


class Worker(Background):
    """The rollups of one process.

    Its transactions end with COMMIT, also those that only read: psycopg forgets its prepared
    statements at a ROLLBACK, and planning 20 partitions anew takes ten times as long as
    recomputing a few sessions (26 ms, 2 ms).
    """

    def __init__(self, url: str) -> None:
        """Work on the database at `url`."""
        super().__init__("rollups", url)
        self.cooling: dict[int, float] = {}  # session keys, until when
        self.marks = MARKS  # fewer after a step that failed, until the session is found that it fails for
        self.alone: tuple[int, int] | None = None  # the session of a step that takes one only

    def run(self) -> None:
        """Roll up until stopped, over one connection as long as it lasts."""
        while not self.stopping.is_set():
            try:
                with self.connected() as connection:
                    prepare(connection)
                    while not self.stopping.is_set():
                        analyze_unknown(connection)
                        marks = self.marks
                        sessions = self.step(connection)
                        observe_lag(connection)
                        if sessions < marks and self.marks >= marks:
                            self.stopping.wait(PAUSE_SECONDS)
            except SQLAlchemyError as error:
                self.failed(error)
                self.stopping.wait(UNAVAILABLE_SECONDS)

    def step(self, connection: Connection) -> int:
        """Recompute some of what is marked, in one transaction, and commit; return how
        many marked sessions that were.

        A step that fails for what it reads is made anew with a tenth of the marks, down to one session; that
        one is quarantined, and everybody else's go on. Raises sqlalchemy.exc.DBAPIError for other faults.
        """
        try:
            sessions = self.recompute_marked(connection)
        except DBAPIError as error:
            sqlstate = sqlstate_of(error) or ""
            if sqlstate[:2] not in DATA_FAULTS:
                raise
            connection.rollback()
            if self.alone is None:
                self.marks = max(1, self.marks // 10)
            else:
                self.quarantine(connection, *self.alone, sqlstate)
            return 1  # something was done, and there is more to do
        self.marks = min(MARKS, self.marks * 2)
        return sessions

    def quarantine(self, connection: Connection, bucket: int, session_key: int, sqlstate: str) -> None:
        """Quarantine a session, and commit."""
        aside = {"bucket": bucket, "session_key": session_key, "sqlstate": sqlstate}
        connection.execute(query("quarantine"), aside)
        connection.commit()
        instruments.QUARANTINED.inc()
        log.warning("session_quarantined", session_key=to_text(session_key), sqlstate=sqlstate)

    def recompute_marked(self, connection: Connection) -> int:
        """Do one step; return how many marked sessions it took."""
        self.alone = None
        began = time.monotonic()
        self.cooling = {key: until for key, until in self.cooling.items() if until > began}
        postponed = list(self.cooling)
        claimed = connection.execute(query("claim_buckets"), {"buckets": BUCKETS, "postponed": postponed})
        buckets = list(claimed.scalars())
        if not buckets:
            connection.commit()
            return 0
        taken = {"buckets": buckets, "postponed": postponed, "marks": self.marks}
        sessions = connection.execute(query("take_marks"), taken).rowcount
        if self.marks < MARKS:
            marked = list(connection.execute(query("oldest_marked")))
            self.alone = (marked[0].bucket, marked[0].session_key) if len(marked) == 1 else None
        recompute(connection)
        shares = list(connection.execute(query("count_sessions"), {"many": MANY}))
        connection.commit()
        self.cool_down(shares, time.monotonic() - began, sessions)
        return sessions

    def cool_down(self, shares: list[Any], seconds: float, sessions: int) -> None:
        """Let sessions cool down that took long to recompute, and count."""
        instruments.SESSIONS.inc(sessions)
        instruments.SECONDS.observe(seconds)
        for key, share in shares:
            if share * seconds >= WORTH_A_COOLDOWN:
                self.cooling[key] = time.monotonic() + COOLDOWN * share * seconds

    def failed(self, error: SQLAlchemyError) -> None:
        """Say that the database did not do it; never the message, which may quote a row."""
        if not self.stopping.is_set():
            log.warning("rollup_failed", **describe_fault(error))


def observe_lag(connection: Connection) -> None:
    """Set the gauge of the lag, and end the transaction."""
    oldest = connection.execute(query("oldest_mark")).scalar()
    connection.commit()
    instruments.LAG.set(
        0.0 if oldest is None else max(0.0, (dt.datetime.now(dt.UTC) - oldest).total_seconds())
    )


def drain(url: str) -> int:
    """Roll up everything that is marked, sessions in cooldown too; return how many marked sessions those
    were."""
    worker = Worker(url)
    total = 0
    with worker.engine.connect() as connection:
        prepare(connection)
        while sessions := worker.step(connection):
            total += sessions
            worker.cooling.clear()
    return total
