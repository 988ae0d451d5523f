"""Why the stream of TELEMETRY_LOG_URL cannot be used: a closed list of causes, each with what to do, the same
at start, in the log and in `doctor`. Nothing of the URL, nor of what a server or the driver says, is shown.
"""

import socket
import ssl
from enum import StrEnum
from typing import Final

from app.problems import TelemetryError


class LogCause(StrEnum):
    """What is the matter with the stream, or with the way there."""

    REFUSED = "log_refused"
    UNRESOLVABLE = "log_unresolvable"
    TIMEOUT = "log_timeout"
    AUTHENTICATION = "log_authentication"
    PERMISSION = "log_permission"
    TLS = "log_tls"
    NO_JETSTREAM = "log_no_jetstream"
    OUT_OF_SPACE = "log_out_of_space"
    SETTLED_OTHERWISE = "log_settled_otherwise"
    FOREIGN = "log_foreign"
    UNAVAILABLE = "log_unavailable"


REMEDIES: Final[dict[LogCause, str]] = {
    LogCause.REFUSED: "Nothing that speaks NATS listens where TELEMETRY_LOG_URL points: is it running, are "
    "hosts and ports right?",
    LogCause.UNRESOLVABLE: "A host name in TELEMETRY_LOG_URL is not known here: check its spelling and the "
    "name service.",
    LogCause.TIMEOUT: "NATS does not answer in time: is it overloaded, without a leader, or a firewall in "
    "between?",
    LogCause.AUTHENTICATION: "NATS refuses the user, password or token of TELEMETRY_LOG_URL.",
    LogCause.PERMISSION: "The user of TELEMETRY_LOG_URL lacks a right: it must publish to TELEMETRY.>, "
    "$JS.API.> and $JS.ACK.TELEMETRY.>, and subscribe to _INBOX.>.",
    LogCause.TLS: "TLS cannot be agreed on: tls:// in TELEMETRY_LOG_URL needs a server with TLS, whose "
    "certificate is signed by an authority that this machine knows (SSL_CERT_FILE names one's file).",
    LogCause.NO_JETSTREAM: "JetStream is not on in NATS, or not for this account: put `jetstream {}` "
    "into its configuration.",
    LogCause.OUT_OF_SPACE: "NATS cannot reserve TELEMETRY_LOG_MB for the stream: lower it, or give JetStream "
    "more room (max_file_store).",
    LogCause.SETTLED_OTHERWISE: "The stream TELEMETRY was made with other settings",
    LogCause.FOREIGN: "The stream TELEMETRY holds batches under another hash key: it belongs to another "
    "installation. Give each an account of its own in NATS.",
    LogCause.UNAVAILABLE: "The stream cannot be used; the log of NATS says why.",
}
# Where waiting helps: the service starts, and the spool stands in until it does.
TRANSIENT: Final = frozenset(
    {
        *(LogCause.REFUSED, LogCause.UNRESOLVABLE, LogCause.TIMEOUT),
        *(LogCause.NO_JETSTREAM, LogCause.UNAVAILABLE),
    }
)
# Errors of the JetStream API, by their numbers: https://github.com/nats-io/nats-server, server/errors.json
CODES: Final = {
    10005: LogCause.OUT_OF_SPACE,
    10002: LogCause.OUT_OF_SPACE,
    10028: LogCause.OUT_OF_SPACE,
    10047: LogCause.OUT_OF_SPACE,
    10039: LogCause.NO_JETSTREAM,
    10076: LogCause.NO_JETSTREAM,
    10035: LogCause.NO_JETSTREAM,
}
WORDS: Final = (
    ("authorization", LogCause.AUTHENTICATION),
    ("authentication", LogCause.AUTHENTICATION),
    ("permissions", LogCause.PERMISSION),
    ("secure connection", LogCause.TLS),
    ("expecting info", LogCause.REFUSED),
    ("no responders", LogCause.NO_JETSTREAM),
)


class StreamError(TelemetryError):
    """The stream cannot be used for a cause of the list; the message says what to do."""

    def __init__(self, cause: LogCause, detail: str = "") -> None:
        """Take the message from the list; `detail` goes on with it, and is ours."""
        super().__init__(f"{REMEDIES[cause]}{detail} ({cause})")
        self.cause = cause


def log_cause_of(error: BaseException | None) -> LogCause:
    """Return the cause that an exception of the driver, or of ours, stands for; None: nothing answered."""
    if isinstance(error, StreamError):
        return error.cause
    if isinstance(error, ssl.SSLError):
        return LogCause.TLS
    if isinstance(error, socket.gaierror):
        return LogCause.UNRESOLVABLE
    if error is None or isinstance(error, TimeoutError):
        return LogCause.TIMEOUT
    text = f"{type(error).__name__}: {error}".lower()
    for word, cause in WORDS:
        if word in text:
            return cause
    return LogCause.REFUSED if isinstance(error, OSError) else LogCause.UNAVAILABLE
