"""What the protocol itself refuses, before there is a request: whole answers, each
the last of its connection."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.problems import Problem


def write_whole(problem: Problem) -> bytes:
    """Return a problem as the last answer of a connection."""
    body = problem.render()
    headers = problem.headers() | {"content-length": str(len(body)), "connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[problem.status] + lines.encode() + b"\r\n" + body


OVERLOADED: Final = write_whole(Problem("overloaded", "Too many connections."))
TOO_SLOW: Final = write_whole(Problem("too_slow", "The request took too long to arrive."))
TOO_LONG: Final = write_whole(Problem("head_too_large", "The headers are longer or more than allowed."))
NOT_HTTP: Final = write_whole(Problem("malformed", "The request is not proper HTTP/1.1.", rule="not_http"))
