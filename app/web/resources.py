"""Static files under an address that changes with their content, so that they may be kept for ever."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import Request, Response

from app.problems import Problem
from app.web.entity import not_modified, tag_of

FOR_EVER: Final = "public, max-age=31536000, immutable"
PREFIX: Final = "/static"
TYPES: Final = {
    ".woff2": "font/woff2",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


class Resources:
    """The files of a folder, in memory, under one digest of all: what they name beside
    them is found by its own name."""

    def __init__(self, folder: Path) -> None:
        """Read the files."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        content = b"".join(name.encode() + b"\0" + body for name, body in self.files.items())
        self.digest = hashlib.sha256(content).hexdigest()[:12]

    def address(self, name: str) -> str:
        """Return where a file is served. Raises KeyError where there is none."""
        self.files[name]
        return f"{PREFIX}/{self.digest}/{name}"

    def serve(self, request: Request, digest: str, name: str) -> Response:
        """Return a file. Under another release's digest it is not to be kept. Raises
        Problem 404 for an unknown name."""
        body = self.files.get(name)
        if body is None:
            raise Problem("not_found", "There is no such file.")
        headers = {
            "cache-control": FOR_EVER if digest == self.digest else "no-cache",
            "etag": tag_of(body),
            "x-content-type-options": "nosniff",
        }
        kind = TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        return not_modified(request, headers) or Response(body, headers=headers, media_type=kind)
