"""Entity tags: whoever has what is asked for already gets 304 (RFC 9110, 13.1.2)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from fastapi import Request, Response

TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def tag_of(body: bytes, *, weak: bool = False) -> str:
    """Return the entity tag of a body; a weak one where its bytes on the wire may differ,
    by compression for example."""
    return f'{"W/" if weak else ""}"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(tag: str, known: str) -> bool:
    """Return whether an entity tag is among those of an `If-None-Match`.

    Tags are compared weakly, as that header wants it: `W/"a"` is `"a"`. `*` knows everything.
    """
    own = TAG.fullmatch(tag)
    return own is not None and (known.strip() == "*" or own[1] in TAG.findall(known))


def not_modified(request: Request, headers: Mapping[str, str]) -> Response | None:
    """Return 304 with the headers if the client knows their `etag`; None if the answer has to be sent."""
    if is_known(headers["etag"], request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return None
