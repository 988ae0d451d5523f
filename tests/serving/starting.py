"""A start that fails, looked at."""

from tests.service import Service

CANARY = "S3cretPart"


def fail(service: Service, *verb: str) -> str:
    """Return the one line with which a command fails."""
    done = service.run(*verb)
    assert done.returncode == 1, done.stderr
    assert CANARY.lower() not in (done.stdout + done.stderr).lower()
    (line,) = [each for each in done.stderr.splitlines() if not each.startswith("{")]
    assert line.startswith("Error: ")
    return line
