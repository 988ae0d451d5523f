"""The adversarial suite: inputs and the verdict that each must get, `tests/data/adversarial.jsonl`.

A line holds `case` (its name) and what is sent: `patch` (dotted paths replaced in a clean event), `batch`
(a list of patches for `/v1/batch`), `body` or `body_base64` (as it is); with `headers` (null takes one
out), `query`, `gzip`, `endpoint`. And what must come back: `status`, `verdict` (A accept, W withhold, R
refuse, X refuse before the schema), with `withheld`, `rule` and `path`, `code`, or for a batch `results`
(outcome, reason, path of each item). Some letters are written as escapes, so that scanners for leaked
secrets leave the made-up ones alone.
"""

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from tests.samples import DATA, basic, clean_event, spoil


@dataclass(frozen=True, slots=True)
class Case:
    """One line."""

    case: str
    verdict: str
    status: int
    patch: dict[str, Any] | None = None
    batch: list[Any] | None = None
    body: str | None = None
    body_base64: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    query: str = ""
    gzip: bool = False
    endpoint: str = ""
    withheld: list[str] = field(default_factory=list)
    rule: str | None = None
    path: str | None = None
    code: str | None = None
    results: list[list[str | None]] | None = None

    @property
    def url(self) -> str:
        """Path and query of the request."""
        path = self.endpoint or ("/v1/batch" if self.batch is not None else "/v1/track")
        return f"{path}?{self.query}" if self.query else path

    @property
    def content(self) -> bytes:
        """The body of the request before compression."""
        if self.body_base64 is not None:
            return base64.b64decode(self.body_base64)
        if self.body is not None:
            return self.body.encode()
        if self.batch is not None:
            return json.dumps({"batch": [patched(item) for item in self.batch]}).encode()
        return json.dumps(patched(self.patch)).encode()

    def request(self, write_key: str) -> tuple[bytes, dict[str, str]]:
        """Body and headers as they are sent."""
        headers = basic(write_key) | self.headers
        content = self.content
        if self.gzip:
            content, headers["Content-Encoding"] = gzip.compress(content), "gzip"
        return content, {name: value for name, value in headers.items() if value is not None}


def patched(patch: Any) -> Any:
    """A clean event with the values at dotted paths replaced; what is no patch stays as it is."""
    if not isinstance(patch, dict):
        return patch
    event = clean_event()
    for path, value in patch.items():
        event = spoil(path, value, event)
    return event


def read_cases() -> list[Case]:
    """All cases, in order."""
    lines = (DATA / "adversarial.jsonl").read_text("utf-8").splitlines()
    return [Case(**json.loads(line)) for line in lines]
