"""Problems over HTTP: every refusal of every route is a problem document that
holds nothing of the request."""

from collections.abc import Callable, Mapping
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.problems import CODES, Problem

FAILED: Final = Problem("internal", CODES["internal"].means)
# Of what Starlette itself refuses, by status.
FRAMEWORK: Final[Mapping[int, str]] = {404: "not_found", 405: "method_not_allowed"}


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a response, with further headers."""
    return Response(problem.render(), problem.status, {**(headers or {}), **problem.headers()})


def is_reader(request: Request) -> bool:
    """Return whether a browser asks for a page: programs do not name HTML among what they accept."""
    accepts = "text/html" in request.headers.get("accept", "")
    return accepts and request.method == "GET" and not request.url.path.startswith("/v1/")


def as_problem(error: Exception) -> Problem:
    """Return the problem that an exception stands for."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return Problem("invalid_parameter", "A parameter is missing or has a wrong form.")
    if isinstance(error, HTTPException) and error.status_code < 500:
        code = FRAMEWORK.get(error.status_code, "malformed")
        return Problem(code, CODES[code].means, allow=list_methods((error.headers or {}).get("Allow")))
    return FAILED.fresh()


def list_methods(allow: str | None) -> str | None:
    """Return the methods of an `Allow` in order, with HEAD, which is answered wherever GET is."""
    methods = set((allow or "").replace(" ", "").split(",")) - {""}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))) or None


def add_problems(app: FastAPI, show: Callable[[Request, Problem], Response]) -> None:
    """Let an app answer every error with a problem; FastAPI's own answers would echo the input.

    `show` makes the page that people get who look at an address that is none of the API's.
    """

    async def answer(request: Request, error: Exception) -> Response:
        problem = as_problem(error)
        return show(request, problem) if is_reader(request) else respond(problem)

    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
