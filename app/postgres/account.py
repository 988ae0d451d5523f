"""Whom the server runs as: Postgres refuses uid 0, so root's server drops to an ordinary account."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from app.postgres.errors import EmbeddedError

ROOT = 0
ORDINARY_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system user of the server; `drops` when that is not the user of this process."""

    uid: int
    gid: int
    name: str
    drops: bool

    def own(self, path: Path) -> None:
        """Give a file or folder that this process has just made to the account."""
        if self.drops:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, path: Path) -> bool:
        """Return whether the account may pass through every folder down to `path`, which exists."""
        folders = [path.resolve(), *path.resolve().parents]
        return not self.drops or all(self._passes(folder.stat()) for folder in folders)

    def _passes(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def choose_account(cluster: Path) -> Account:
    """Return the owner of an existing cluster, else this process's user, else
    (as root) an ordinary account."""
    own_uid = os.geteuid()
    if own_uid != ROOT:
        return Account(own_uid, os.getegid(), _name(own_uid), drops=False)
    if cluster.exists() and (owner := cluster.stat()).st_uid != ROOT:
        return Account(owner.st_uid, owner.st_gid, _name(owner.st_uid), drops=True)
    for name in ORDINARY_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name, drops=True)
    raise EmbeddedError(
        "Postgres does not run as root, and this machine has no user 'postgres' or 'nobody' to run it as. "
        "Run as an ordinary user, or name a database in TELEMETRY_DATABASE_URL."
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
