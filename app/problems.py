"""What can go wrong, said once: stable codes, one problem body (RFC 9457), one exception for the CLI.

A problem never carries any part of the input: its texts are constants, its path names the schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, NamedTuple

import orjson

PROBLEM_TYPE: Final = "application/problem+json"
ASK_FOR_WRITE_KEY: Final = 'Basic realm="write key"'  # what a 401 says (RFC 9110, 11.6.1)
ASK_FOR_TOKEN: Final = 'Bearer realm="reports"'  # noqa: S105 -- names a realm


class TelemetryError(Exception):
    """Something the person at the terminal can mend; the message says what and how."""


class ConfigurationError(TelemetryError):
    """A setting is missing or wrong."""


class Code(NamedTuple):
    """A stable code: its HTTP status, what it means, what to do about it, and how
    many seconds to wait for that."""

    status: int
    means: str
    remedy: str
    retry_after: int | None = None


# The contract of every refusal. `docs/reference.md` is generated from it, and one test provokes each by HTTP.
CODES: Final[Mapping[str, Code]] = {
    "malformed": Code(
        400,
        "The body is not the JSON that the endpoint takes.",
        "Correct the body: `rule` says which rule it breaks.",
    ),
    "invalid_parameter": Code(
        400, "A parameter has a value that it does not take.", "Give one of those that `detail` names."
    ),
    "unknown_parameter": Code(
        400, "The report has no such parameter.", "Leave it out, or give one of those that `detail` names."
    ),
    "repeated_parameter": Code(400, "A parameter is given more than once.", "Give it once."),
    "missing_parameter": Code(400, "The report needs a parameter.", "Give the one that `detail` names."),
    "unauthorized": Code(
        401,
        "The write key of an event, or the report token of a report, is missing, unknown, revoked or "
        "expired.",
        "Send the write key as the user name of HTTP Basic, or the report token as Bearer.",
    ),
    "missing_scope": Code(
        403,
        "The write key may not do this.",
        "Use a key with the scope that `detail` names: `ingest`, or `import` for history.",
    ),
    "wrong_origin": Code(403, "A form was sent from another site.", "Use the page of this service."),
    "not_found": Code(
        404, "Nothing stands at the address.", "Correct the address: `/docs` lists what there is."
    ),
    "unknown_report": Code(
        404, "There is no report of that name.", "Choose one of those that `detail` names."
    ),
    "unknown_page": Code(404, "There is no page at the address.", "Start from `/reports`."),
    "unknown_connector": Code(
        404, "The registry has no connector of that name.", "Choose one of the names that the page offers."
    ),
    "unknown_picture": Code(
        404, "The report has no picture of that name.", "Choose one of those that `detail` names."
    ),
    "not_published": Code(
        404,
        "No figures of that month are published.",
        "Choose a month of `/v1/public/connectors.json`.",
    ),
    "method_not_allowed": Code(
        405, "The address does not take the method.", "Use a method of the header `Allow`."
    ),
    "too_slow": Code(
        408, "The request took too long to arrive.", "Send it again, over a connection that is not as slow."
    ),
    "too_large": Code(
        413,
        "The body is too large, as it is or once inflated.",
        "Send less at a time: `docs/wire.md` has the limits.",
    ),
    "unsupported_media_type": Code(
        415, "The body is of another type or encoding.", "Send `application/json`, as it is or by gzip."
    ),
    "unknown_host": Code(
        421, "The service is not known under the host's name.", "Add the name to TELEMETRY_HOSTS."
    ),
    "event_refused": Code(
        422,
        "The event, or every event of a batch, is outside of what may be stored.",
        "Correct the sender: `rule` and `path` say what is wrong. The same event is never accepted.",
    ),
    "not_forgettable": Code(
        422,
        "The body does not name one installation.",
        "Send its `anonymousId`, a ULID or a lower-case UUID.",
    ),
    "too_many_requests": Code(
        429, "The address or the write key sends too many requests.", "Wait for the seconds of `Retry-After`."
    ),
    "head_too_large": Code(
        431, "The request's headers are longer or more than allowed.", "Send fewer or shorter headers."
    ),
    "internal": Code(
        500,
        "The service failed; the fault is ours and is logged.",
        "Try again later; tell its operator if it lasts.",
    ),
    "parquet_unavailable": Code(
        501, "This installation has no pyarrow.", "Ask for JSON or CSV, or install pyarrow: `dev.py parquet`."
    ),
    "png_unavailable": Code(
        501, "This installation has no resvg.", "Ask for the SVG, or install the extra `png`."
    ),
    "database_unavailable": Code(
        503, "The database cannot answer right now.", "Try again after the seconds of `Retry-After`.", 5
    ),
    "not_stored": Code(
        503,
        "Neither the database nor the spool took the event in time.",
        "Send it again after the seconds of `Retry-After`; a retry is never counted twice.",
        5,
    ),
    "overloaded": Code(
        503,
        "More events wait than can be stored now.",
        "Send them again after the seconds of `Retry-After`.",
        1,
    ),
    "too_many_listeners": Code(
        503, "Too many people watch the live view.", "Try again after the seconds of `Retry-After`.", 10
    ),
}


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 -- RFC 9457 calls it a problem
    """A refused request: `code` (one of `CODES`) is the contract, `detail` is for
    people, `rule` and `path` for 422.

    Raises KeyError for a code that is not in the table.
    """

    code: str
    detail: str
    rule: str | None = None
    path: str | None = None
    retry_after: int | None = None  # seconds; of the code unless given
    allow: str | None = None
    challenge: str = ASK_FOR_WRITE_KEY
    results: Sequence[Mapping[str, object]] | None = None  # of a batch's events, in order

    def __post_init__(self) -> None:
        """Take from the table what was not given."""
        self.retry_after = self.retry_after or CODES[self.code].retry_after

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return CODES[self.code].status

    def fresh(self) -> "Problem":
        """Return a problem like this one, to raise: an exception raised twice keeps the
        frames of both times, for ever."""
        return replace(self)

    def render(self) -> bytes:
        """Return RFC 9457 JSON; `code` and `message` are what Segment's SDKs read."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "message": self.detail,
            "success": False,
        }
        further = {"rule": self.rule, "path": self.path, "results": self.results}
        body |= {name: value for name, value in further.items() if value is not None}
        return orjson.dumps(body)

    def headers(self) -> dict[str, str]:
        """Return the response headers that belong to the problem, its media type included."""
        headers = {"content-type": PROBLEM_TYPE}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.status == HTTPStatus.METHOD_NOT_ALLOWED and self.allow:
            headers["allow"] = self.allow
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = self.challenge
        return headers

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the same headers in ASGI's shape."""
        return [(name.encode(), value.encode()) for name, value in self.headers().items()]
