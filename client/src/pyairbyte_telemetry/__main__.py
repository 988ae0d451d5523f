"""`python -m pyairbyte_telemetry status | show | on | off | forget | new-id`: what is
sent, why, and how to stop it."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from urllib.parse import urlsplit

import pyairbyte_telemetry as telemetry

from . import _erasure, _events, _identity, _optout, _proxies, _settings
from ._ids import new_ulid, wire_id

PROGRAM = "python -m pyairbyte_telemetry"
BROKEN_PIPE = 128 + 13
INTERRUPTED = 128 + 2

_SAMPLE_SOURCE = telemetry.ConnectorRuntimeInfo(
    name="source-faker",
    executor_type="VenvExecutor",
    version="7.2.1",
    config_hash=telemetry.one_way_hash({"count": 100}),
)


def find_reasons() -> list[str]:
    """Return why nothing is sent. Empty if events are sent."""
    file = telemetry._ANALYTICS_FILE
    opted_out = _optout.get_file(file) if _optout.is_file_there(file) else None
    reasons = [
        _optout.find_reason(),
        opted_out and f"you opted out: {opted_out} is there",
        _settings.find_endpoint_problem(),
        find_proxy_problem(),
    ]
    return [reason for reason in reasons if reason]


def find_proxy_problem() -> str | None:
    """Return why the configured proxy cannot be used, or None."""
    endpoint = _settings.find_endpoint("")
    if endpoint is None:
        return None
    parts = urlsplit(endpoint.url)
    try:
        _proxies.find_proxy(parts.scheme, parts.hostname or "", parts.port or 0)
    except (OSError, ValueError):
        return "the proxy in the environment is no http:// proxy, and others cannot be used"
    return None


def show_status() -> int:
    """Print whether events are sent, and why or why not; return the exit status."""
    reasons = find_reasons()
    write_line("Usage reporting is " + ("off:" if reasons else "on."))
    for reason in reasons:
        write_line(f"- {reason}")
    file = telemetry._ANALYTICS_FILE
    known = _identity.peek(file)
    write_line(f"server: {os.environ.get(_settings.URL) or 'none'}")
    write_line(f"id: {wire_id(known) if known else 'none yet'}" + _explain(known))
    write_line(f"file: {file}")
    forgotten = _erasure.recall(file)
    if forgotten and known and forgotten.is_of(wire_id(known)):
        write_line(
            f"This id was forgotten on {forgotten.day}: the service ignores what comes under it."
            f" `{PROGRAM} new-id` makes a new one."
        )
    elif forgotten:
        write_line(f"The id before this one was forgotten on {forgotten.day}.")
    return 0


def _explain(known: str | None) -> str:
    """Return where the id comes from, where that is not plain."""
    if not known:
        return ""
    chosen = f", from {_settings.ANALYTICS_ID}" if os.environ.get(_settings.ANALYTICS_ID) else ""
    return chosen if wire_id(known) == known else f"{chosen} (what you chose is sent in this form only)"


def show_sample() -> int:
    """Print what a sync's last event would send, and return the exit status: the JSON on stdout, the rest on
    stderr."""
    event = _events.build(
        session_id=telemetry.PYAIRBYTE_SESSION_ID,
        source=_SAMPLE_SOURCE,
        destination=None,
        cache=telemetry.WriterRuntimeInfo(type="DuckDBCache"),
        state=telemetry.EventState.SUCCEEDED,
        event_type=telemetry.EventType.SYNC,
        number_of_records=100,
        exception=None,
        flags=telemetry.get_env_flags(),
    )
    known = _identity.peek(telemetry._ANALYTICS_FILE)
    body = _events.complete(event, wire_id(known) if known else new_ulid())
    body["messageId"] = _events.new_message_id()
    body["sentAt"] = datetime.now(tz=timezone.utc).isoformat()
    endpoint = _settings.find_endpoint(telemetry.get_segment_write_key())
    note(
        f"POST {endpoint.url if endpoint else '(no server)'}/v1/track"
        + ("" if known else ", with an id like this one")
    )
    for reason in find_reasons():
        note(f"Nothing is sent: {reason}")
    write_line(json.dumps(body, indent=2))
    return 0


def turn_off() -> int:
    """Opt out for good; return the exit status."""
    try:
        path = _optout.opt_out(telemetry._ANALYTICS_FILE)
    except OSError as error:
        note(f"Cannot write the opt-out ({error.strerror}). Set {_settings.DO_NOT_TRACK}=1 instead.")
        return 1
    write_line(f"Usage reporting is off for this user. {path} remembers it.")
    return 0


def turn_on() -> int:
    """Take the opt-out back, say what else keeps reporting off, and return the exit status."""
    try:
        _optout.opt_in(telemetry._ANALYTICS_FILE)
    except OSError as error:
        note(f"Cannot remove the opt-out: {error.strerror}.")
        return 1
    return show_status()


def forget() -> int:
    """Ask the service to erase everything under this user's id; return the exit status. Works when reporting
    is off, too."""
    from ._transport import NoAnswerError, Transport  # noqa: PLC0415 -- imports TLS

    known = _identity.peek(telemetry._ANALYTICS_FILE)
    if not known:
        note("There is no id on this machine, so nothing can have been sent under it.")
        return 1
    endpoint = _settings.find_endpoint(telemetry.get_segment_write_key())
    if endpoint is None:
        note(f"Cannot ask for erasure: {_settings.find_endpoint_problem()}.")
        return 1
    body = json.dumps({"anonymousId": wire_id(known)}).encode()
    limits = telemetry.Limits(read_timeout=10, attempt_timeout=20)
    try:
        with closing(Transport(limits)) as transport:
            answer = transport.post(endpoint, "/v1/forget", body, {}, within=20)
    except NoAnswerError as error:
        note(f"The service did not answer ({error}). Nothing was erased.")
        return 1
    if answer.status != 202:
        note(f"The service refused with status {answer.status}. Nothing was erased.")
        return 1
    _erasure.remember(telemetry._ANALYTICS_FILE, wire_id(known))
    write_line(
        "The service erases everything under this id, and ignores what comes under it later."
        f" `{PROGRAM} new-id` makes a new one."
    )
    write_line(answer.body.decode(errors="replace"))
    return offer_new_id() if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty() else 0


def offer_new_id() -> int:
    """Ask the person at the terminal whether a new id is wanted; return the exit status."""
    if os.environ.get(_settings.ANALYTICS_ID):
        write_line(f"{_settings.ANALYTICS_ID} still names the old one.")
        return 0
    try:
        wanted = input("Make a new id for later events now? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        wanted = False
    return make_new_id() if wanted else 0


def make_new_id() -> int:
    """Put a new random id in the place of the one that is kept; return the exit status. Nothing connects the
    two."""
    if os.environ.get(_settings.ANALYTICS_ID):
        note(f"The id comes from {_settings.ANALYTICS_ID}: change it, or unset it.")
        return 1
    new = new_ulid()
    issues: list[str] = []
    _identity.write(telemetry._ANALYTICS_FILE, new, issues, first_use=False)
    if issues:
        note(f"Cannot write {telemetry._ANALYTICS_FILE}.")
        return 1
    write_line(f"The id is {new} from now on.")
    return 0


COMMANDS: dict[str, tuple[Callable[[], int], str]] = {
    "status": (show_status, "say whether events are sent, and why"),
    "show": (show_sample, "print exactly what an event would send"),
    "on": (turn_on, "take an opt-out back"),
    "off": (turn_off, "opt out for good"),
    "forget": (forget, "erase at the service everything under this user's id"),
    "new-id": (make_new_id, "go on under a new id"),
}


def write_line(text: str) -> None:
    """Print a line on stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Print a line on stderr."""
    sys.stderr.write(text + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, (_, text) in COMMANDS.items():
        commands.add_parser(name, help=text, description=text)
    command, _ = COMMANDS[parser.parse_args(arguments).command]
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:  # `… show | head -1`: the reader has had enough
        for stream in (sys.stdout, sys.stderr):  # what is left in a buffer would make the status 120
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


if __name__ == "__main__":
    sys.exit(main())
