"""Generated secrets: files of mode 0600 in the data dir, each written once, by whoever comes first."""

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.problems import ConfigurationError
from app.settings import Settings


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The secrets in force. Without a `repr`, so that no log shows them."""

    hash_key: str
    report_token: str


def read_or_generate(file: Path) -> tuple[str, bool]:
    """The secret in a file, made if there is none yet; and whether it was made just now."""
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
    """The secrets that are set, else the generated ones.

    Raises ConfigurationError when an external database comes without its hash key: a generated one would be lost with
    this machine, and every stored pseudonym with it.
    """
    if settings.hash_key is not None:
        hash_key = settings.hash_key.get_secret_value()
    elif settings.database_url is None:
        hash_key, _ = read_or_generate(settings.data_dir / "hash-key")
    else:
        raise ConfigurationError(
            "TELEMETRY_HASH_KEY is required with TELEMETRY_DATABASE_URL: 32 or more random characters, the same on "
            "every instance, kept outside the database."
        )
    if settings.report_token is not None:
        return Secrets(hash_key, settings.report_token.get_secret_value())
    report_token, _ = read_or_generate(settings.data_dir / "report-token")
    return Secrets(hash_key, report_token)


def first_write_key(settings: Settings) -> tuple[str, bool]:
    """The write key that the first start generates; and whether that was just now."""
    return read_or_generate(settings.data_dir / "write-key")
