"""The cluster on disk: made whole under another name, then renamed; opened by its own major version only."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from app.postgres.account import Account
from app.postgres.binaries import Binaries, run_as
from app.postgres.errors import ClusterError, UnsuitableLayoutError
from app.postgres.layout import Layout

ROLE: Final = "telemetry"
DATABASE: Final = "telemetry"
DESCRIPTORS: Final = Path("/proc/self/fd")
FIRST_WITH_BUILTIN_LOCALE: Final = 17
PRIVATE: Final = 0o700
WAL_SEGMENT_MB: Final = 4
FAULT: Final = re.compile("FATAL|PANIC|ERROR|[Ee]rror:|Error")
LONGEST_REASON: Final = 400  # characters


@contextmanager
def opened_folder(folder: Path, account: Account) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the cluster's folder, and the path under which Postgres
    finds it while it inherits that.

    Root's home is closed to the account as whom Postgres must run. Instead of opening it up, root opens the
    cluster's folder and hands it over: `/proc/self/fd/N` leads there whatever lies above.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if account.reaches(folder.parent):
            yield descriptor, str(folder)
        elif DESCRIPTORS.is_dir():
            yield descriptor, str(DESCRIPTORS / str(descriptor))
        else:
            raise UnsuitableLayoutError(
                f"User {account.name}, as whom Postgres runs for root, cannot reach {folder}. Run as an "
                f"ordinary user, "
                f"or set TELEMETRY_DATA_DIR to a folder that {account.name} can reach."
            )
    finally:
        os.close(descriptor)


def make_cluster(layout: Layout, binaries: Binaries, account: Account) -> None:
    """Make the cluster with its database in it; nothing is left of it if this
    fails. Needs the server lock."""
    for leftover in layout.home.glob("cluster.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=layout.home))
    try:
        scratch.chmod(PRIVATE)
        account.own(scratch)
        _refuse_loose_modes(scratch)
        with opened_folder(scratch, account) as (descriptor, path):
            _initialise(binaries, account, descriptor, path)
        scratch.rename(layout.cluster)
        _sync(layout.home)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _initialise(binaries: Binaries, account: Account, descriptor: int, path: str) -> None:
    initdb = [
        str(binaries.folder / "initdb"),
        "-D",
        path,
        "-U",
        ROLE,
        "-A",
        "trust",
        *_options(binaries.major),
    ]
    _require(run_as(account, initdb, keep_open=(descriptor,)), "initdb")
    single = [str(binaries.folder / "postgres"), "--single", "-D", path, "postgres"]
    _require(
        run_as(account, single, text=f"CREATE DATABASE {DATABASE}\n", keep_open=(descriptor,)), "postgres"
    )


def _options(major: int) -> list[str]:
    """Return the options of initdb: C.UTF-8 of Postgres itself where there is one: an upgrade of the C
    library then never reorders an index.

    Small segments of WAL, because a commit waits while the next one is made: 13 ms for 16 MB, 4 ms for 4 MB.
    """
    options = ["-E", "UTF8", "--locale=C", "--data-checksums", f"--wal-segsize={WAL_SEGMENT_MB}"]
    if major >= FIRST_WITH_BUILTIN_LOCALE:
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return options


def _require(answer: CompletedProcess[str], program: str) -> None:
    # A single-user server reports a failed statement, but ends with 0.
    if answer.returncode != 0 or "ERROR:" in answer.stdout or "FATAL:" in answer.stdout:
        reason = find_reason(answer.stdout.splitlines())
        raise ClusterError(f"The embedded Postgres could not be made: {program} said: {reason}")


def find_reason(lines: Sequence[str]) -> str:
    """Return the line of a program's output that says why it ended: the last that
    names a fault, else the last."""
    said = [line.strip() for line in lines if line.strip()]
    faults = [line for line in said if FAULT.search(line)]
    return (faults or said or ["nothing"])[-1][-LONGEST_REASON:]


def _refuse_loose_modes(folder: Path) -> None:
    if folder.stat().st_mode & 0o777 != PRIVATE:
        raise UnsuitableLayoutError(
            f"The file system of {folder.parent} does not keep permissions. Set TELEMETRY_DATA_DIR to a "
            f"local disk."
        )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_cluster(layout: Layout, binaries: Binaries) -> None:
    """Refuse a cluster that the binaries cannot open."""
    try:
        major = (layout.cluster / "PG_VERSION").read_text("ascii").strip()
    except OSError as error:
        raise ClusterError(f"{layout.cluster} is no readable Postgres cluster ({error.strerror}).") from error
    if major != str(binaries.major):
        raise ClusterError(
            f"The data in {layout.cluster} was written by Postgres {major}; the binaries in "
            f"{binaries.folder} are "
            f"Postgres {binaries.version}, and two major versions never share a data directory. Set "
            f"TELEMETRY_PG_BIN "
            f"to the binaries of Postgres {major}; to change over, dump with those and restore into a new "
            "TELEMETRY_DATA_DIR."
        )
