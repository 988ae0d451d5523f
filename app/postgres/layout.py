"""Where things lie inside the data directory, and whether it can hold a cluster at all."""

import contextlib
import os
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.postgres.account import ROOT, Account
from app.postgres.errors import UnsuitableLayoutError

FOLDER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
# sun_path holds 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100
# libpq and unix_socket_directories read a comma as "or", and quote in their own ways.
PLAIN_PATH = re.compile(r"[\w/.+@ -]+", re.ASCII)
# Not TMPDIR: every command on a data directory must find the same socket, whatever its environment says.
SHORT_FOLDER = Path("/tmp")  # noqa: S108 -- the folder made in it is checked for its owner, mode and kind
NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs\d*|cifs|smb\w*|afs|afpfs|ceph|lustre|gpfs|beegfs|ocfs2|gfs2|fuse\.(sshfs|glusterfs|s3fs|rclone|gcsfuse)"
)
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Layout:
    """The embedded server's own folder, `postgres` in the data directory."""

    home: Path

    @property
    def cluster(self) -> Path:
        """The cluster (PGDATA); it exists whole or not at all."""
        return self.home / "cluster"

    @property
    def hold_lock(self) -> Path:
        """Shared by everyone who uses the server."""
        return self.home / "hold.lock"

    @property
    def server_lock(self) -> Path:
        """Held by the running server."""
        return self.home / "server.lock"

    @property
    def log(self) -> Path:
        """What Postgres says; no statement, no value."""
        return self.home / "server.log"

    def socket_folder(self, account: Account) -> Path:
        """Return the folder of the Unix socket: in the data directory if the path is
        short, plain and reachable."""
        folder = self.home / "socket"
        fits = len(os.fsencode(folder / SOCKET_NAME)) <= LONGEST_SOCKET_PATH
        if fits and PLAIN_PATH.fullmatch(str(folder)) and account.reaches(self.home):
            return folder
        status = self.home.stat()
        name = f"{account.uid}-{status.st_dev:x}-{status.st_ino:x}-{self.socket_name()}"
        return SHORT_FOLDER / f"pyairbyte-telemetry-{name}"

    def socket_name(self) -> str:
        """Return a random word that only this data directory knows: nobody else can make
        the socket's folder before us."""
        file = self.home / "socket-name"
        if not file.exists():
            with tempfile.NamedTemporaryFile("w", dir=self.home) as scratch:  # of mode 0600
                scratch.write(secrets.token_hex(8))
                scratch.flush()
                with contextlib.suppress(FileExistsError):  # another command made it meanwhile
                    os.link(scratch.name, file)
        return file.read_text("ascii")


def prepare_layout(data_dir: Path) -> Layout:
    """Return the layout, its folders made; raises UnsuitableLayoutError where a cluster would not be safe."""
    data_dir = data_dir.absolute()
    home = data_dir / FOLDER
    try:
        # Passable for root's server, which runs as another user; what lies inside is private by itself.
        mode = 0o711 if os.geteuid() == ROOT else 0o700
        data_dir.mkdir(mode, parents=True, exist_ok=True)
        home.mkdir(mode, exist_ok=True)
    except OSError as error:
        raise UnsuitableLayoutError(
            f"The data directory {data_dir} cannot be made ({error.strerror}). Set TELEMETRY_DATA_DIR."
        ) from error
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise UnsuitableLayoutError(
            f"The data directory {data_dir} belongs to another user. Run as that user, or set "
            f"TELEMETRY_DATA_DIR."
        )
    refuse_network(home)
    return Layout(home.resolve())


def refuse_network(folder: Path, mounts: Path = MOUNTS) -> None:
    """Raise UnsuitableLayoutError on a network file system: its locks and its fsync are not to be trusted."""
    kind = file_system(folder, mounts)
    if kind and NETWORK_FILE_SYSTEMS.fullmatch(kind):
        raise UnsuitableLayoutError(
            f"{folder} is on a network file system ({kind}), where two machines could start a server on "
            f"one cluster. "
            "Set TELEMETRY_DATA_DIR to a folder on a local disk, or name a database in "
            "TELEMETRY_DATABASE_URL."
        )


def file_system(folder: Path, mounts: Path) -> str | None:
    """Return the type of the file system that holds `folder`, as the kernel calls it;
    None where it does not say."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    resolved = folder.resolve()
    best: tuple[int, str | None] = (0, None)
    for line in lines:
        fields, _, rest = line.partition(" - ")
        mount = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields.split(" ")[4]))
        # A later mount on the same point covers the earlier one.
        if resolved.is_relative_to(mount) and len(mount.parts) >= best[0]:
            best = len(mount.parts), rest.split(" ", 1)[0]
    return best[1]


def prepare_socket_folder(folder: Path, account: Account) -> None:
    """Make the socket's folder, private to the account; the server trusts whoever can open the socket.

    Needs the server lock. Others who look on see it finished or not at all.
    """
    if not folder.exists():
        scratch = Path(tempfile.mkdtemp(prefix=f"{folder.name}.new-", dir=folder.parent))  # mode 0700
        account.own(scratch)
        scratch.rename(folder)
    check_socket_folder(folder, account)


def check_socket_folder(folder: Path, account: Account) -> None:
    """Refuse a folder that someone else could have put there, with a server of their own in it."""
    status = folder.lstat()
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != account.uid
        or stat.S_IMODE(status.st_mode) & 0o077
    ):
        raise UnsuitableLayoutError(f"{folder} is not a private folder of user {account.name}; remove it.")
