"""What can go wrong, said once: stable codes, one problem body (RFC 9457), one exception for the CLI.

A problem never carries any part of the input: its texts are constants, its path names the schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import orjson

PROBLEM_TYPE: Final = "application/problem+json"


class TelemetryError(Exception):
    """Something the person at the terminal can mend; the message says what and how."""


class ConfigurationError(TelemetryError):
    """A setting is missing or wrong."""


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 -- RFC 9457 calls it a problem
    """A refused request: `status` and `code` are the contract, `detail` is for people, `rule` and `path` for 422."""

    status: int
    code: str
    detail: str
    rule: str | None = None
    path: str | None = None
    retry_after: int | None = None
    allow: str | None = None
    results: Sequence[Mapping[str, object]] | None = None  # of a batch's events, in order

    def fresh(self) -> "Problem":
        """A problem like this one, to raise: an exception raised twice keeps the frames of both times, and so on for ever."""
        return replace(self)

    def render(self) -> bytes:
        """The problem as RFC 9457 JSON; `code` and `message` are what Segment's SDKs read."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "message": self.detail,
            "success": False,
        }
        if self.rule is not None:
            body["rule"] = self.rule
        if self.path is not None:
            body["path"] = self.path
        if self.results is not None:
            body["results"] = self.results
        return orjson.dumps(body)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Response headers that belong to the problem, in ASGI's shape."""
        headers = [(b"content-type", PROBLEM_TYPE.encode())]
        if self.retry_after is not None:
            headers.append((b"retry-after", str(self.retry_after).encode()))
        if self.status == HTTPStatus.METHOD_NOT_ALLOWED and self.allow:
            headers.append((b"allow", self.allow.encode()))
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b'Basic realm="write key"'))
        return headers
