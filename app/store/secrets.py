"""Generated secrets: files of mode 0600 in the data dir, each written once, by whoever comes first."""

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.privacy.pseudonyms import Pseudonyms
from app.problems import ConfigurationError
from app.settings import SHORTEST_SECRET, Settings

ROTATIONS: Final = "hash-key-rotations"


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The secrets in force. Without a `repr`, so that no log shows them."""

    hash_key: str
    rotations: tuple[str, ...]
    report_token: str

    def pseudonyms(self) -> Pseudonyms:
        """Return the pseudonyms under these keys."""
        return Pseudonyms(self.hash_key, *self.rotations)


def read_or_generate(file: Path) -> tuple[str, bool]:
    """Return the secret in a file, made if there is none yet, and whether it was made just now.

    Raises ConfigurationError where the folder cannot be written, or where what the file holds is no secret.
    """
    try:
        secret, is_new = read_or_generate_in(file)
    except UnicodeDecodeError:
        secret, is_new = "", False
    except OSError as error:
        raise ConfigurationError(
            f"TELEMETRY_DATA_DIR cannot be used ({os.strerror(error.errno or 0)}): name a folder that "
            f"this user may write. "
            "(unwritable_data_dir)"
        ) from None
    secret = secret.rstrip("\r\n")  # of an editor, or of `echo`
    if len(secret) < SHORTEST_SECRET:
        raise ConfigurationError(
            f"The file {file.name} of the data directory is empty or damaged: put back what it held, "
            f"from a backup."
        )
    return secret, is_new


def read_or_generate_in(file: Path) -> tuple[str, bool]:
    """Return what `read_or_generate` does. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        return file.read_text("ascii"), False
    except FileNotFoundError:
        pass
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(32))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, file)  # fails if another process was faster: then its secret is the one
        except FileExistsError:
            return file.read_text("ascii"), False
    finally:
        Path(temporary).unlink()
    return file.read_text("ascii"), True


def resolve(settings: Settings) -> Secrets:
    """Return the secrets that are set, else the generated ones.

    Raises ConfigurationError when an external database comes without its hash key: a generated one would be
    lost with this machine, and every stored pseudonym with it.
    """
    if settings.hash_key is not None:
        hash_key = settings.hash_key.get_secret_value()
    elif settings.database_url is None:
        hash_key, _ = read_or_generate(settings.data_dir / "hash-key")
    else:
        raise ConfigurationError(
            "TELEMETRY_HASH_KEY is required with TELEMETRY_DATABASE_URL: 32 or more random characters, "
            "the same on "
            "every instance, kept outside the database."
        )
    if settings.report_token is not None:
        report_token = settings.report_token.get_secret_value()
    else:
        report_token, _ = read_or_generate(settings.data_dir / "report-token")
    return Secrets(hash_key, rotations(settings), report_token)


def rotations(settings: Settings) -> tuple[str, ...]:
    """Return the hash keys that rotations added, oldest first: those that are set, else the
    generated ones of the data dir."""
    if settings.hash_key is not None or settings.rotations:
        return settings.rotations
    try:
        return tuple((settings.data_dir / ROTATIONS).read_text("ascii").split())
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The file {ROTATIONS} of the data directory cannot be read ({type(error).__name__})."
        ) from None


def add_rotation(settings: Settings) -> str:
    """Generate a further hash key into the data dir, durably, before anything is wrapped with it; return
    it."""
    key = secrets.token_urlsafe(32)
    file = settings.data_dir / ROTATIONS
    descriptor, temporary = tempfile.mkstemp(dir=settings.data_dir, prefix=f".{ROTATIONS}-")  # mode 0600
    with os.fdopen(descriptor, "w") as stream:
        stream.write("".join(f"{line}\n" for line in (*rotations(settings), key)))
        stream.flush()
        os.fsync(stream.fileno())
    Path(temporary).replace(file)
    folder = os.open(settings.data_dir, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return key


def first_write_key(settings: Settings) -> tuple[str, bool]:
    """Return the write key that the first start generates; and whether that was just now."""
    return read_or_generate(settings.data_dir / "write-key")
