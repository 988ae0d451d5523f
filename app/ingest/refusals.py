"""What the protocol itself refuses, before there is a request: whole answers, each the last of its connection."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.problems import Problem


def write_whole(problem: Problem) -> bytes:
    """Return a problem as the last answer of a connection."""
    body = problem.render()
    headers = [*problem.headers(), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", body])


OVERLOADED: Final = write_whole(Problem(503, "overloaded", "Too many connections.", retry_after=1))
TOO_SLOW: Final = write_whole(Problem(408, "too_slow", "The request took too long to arrive."))
TOO_LONG: Final = write_whole(Problem(431, "head_too_large", "The headers are longer or more than allowed."))
NOT_HTTP: Final = write_whole(
    Problem(400, "malformed", "The request is not proper HTTP/1.1.", rule="not_http")
)
