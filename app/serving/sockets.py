"""The socket that the service listens on: its own, or one that a supervisor such as
systemd holds across restarts."""

import os
import re
import select
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from app.problems import TelemetryError

BACKLOG: Final = 2048
# Bytes of answers that the system keeps of a connection whose other end does not
# read; by itself it takes 4 MB.
UNREAD_BYTES: Final = 256 * 1024
# Where an inherited socket is, by the protocol of systemd (sd_listen_fds(3)).
INHERITED: Final = 3
BRACKETS: Final = re.compile(r"\[(.*)\]")  # of an IPv6 address, as URLs write it
PLAIN_HOST: Final = re.compile(r"[\w.:%\[\]-]{1,253}", re.ASCII)  # what is shown: a URL may hold a password
VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def take(host: str, port: int) -> socket.socket:
    """Return the socket that was handed to this process, else a new one on the
    address. Raises TelemetryError."""
    listener = inherit() or listen(host, port)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)  # what is accepted inherits it
    return listener


def inherit() -> socket.socket | None:
    """Return the socket that `LISTEN_FDS` announces to this process, if it does. Raises
    TelemetryError if it is no such socket."""
    pid, number, _ = (os.environ.pop(name, "") for name in VARIABLES)
    if pid != str(os.getpid()):
        return None
    wrong = TelemetryError("LISTEN_FDS must hand over one listening TCP socket: see deploy/systemd.")
    if number != "1":
        raise wrong
    try:
        listener = socket.socket(fileno=INHERITED)
        listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        raise wrong from None
    if listener.family not in (socket.AF_INET, socket.AF_INET6) or not listening:
        listener.close()
        raise wrong
    return listener


def listen(host: str, port: int) -> socket.socket:
    """Return a socket on the address, before anything slow happens. Raises TelemetryError if it is taken."""
    with ExitStack() as resources:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                BRACKETS.sub(r"\1", host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = resources.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)  # from here on connections wait instead of being refused
        except (OSError, OverflowError, UnicodeError) as error:
            shown = f"{host}:{port}" if PLAIN_HOST.fullmatch(host) else "TELEMETRY_HOST"
            raise TelemetryError(
                f"Cannot listen on {shown} ({name_fault(host, error)}); set TELEMETRY_HOST or TELEMETRY_PORT."
            ) from None
        resources.pop_all()
    return listener


def name_fault(host: str, error: Exception) -> str:
    """Return in words why an address cannot be listened on."""
    if "://" in host:
        return "not a URL, an address or a host name is needed"
    if "/" in host:
        return "sockets in the file system are not supported: take an address"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "no such host name"
    return os.strerror(getattr(error, "errno", None) or 0)


def hand_over(listener: socket.socket, command: list[str]) -> None:
    """Become `command`, which inherits the socket; connections wait in it meanwhile. Does not return."""
    if listener.fileno() == INHERITED:
        os.set_inheritable(INHERITED, True)
    else:
        os.dup2(listener.fileno(), INHERITED)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    os.execv(command[0], command)  # noqa: S606 -- our own command line, again


def has_waiting(listeners: Sequence[socket.socket]) -> bool:
    """Return whether a connection waits to be accepted."""
    poller = select.poll()  # `select` takes no descriptor over 1,023
    for listener in listeners:
        poller.register(listener, select.POLLIN)
    return bool(poller.poll(0))
