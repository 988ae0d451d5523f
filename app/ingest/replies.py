"""What is answered: the result of one event, the results of a batch, and problems.
Never any part of the input."""

from collections.abc import Sequence
from typing import Final

import orjson

from app.privacy.verdict import Verdict
from app.problems import Problem
from app.store.events import INTERNAL, REJECTED

DETAILS: Final = {
    "too_large": "The event is larger than 32 KiB.",
    "duplicate_key": "An object has a key twice.",
    "not_a_number": "NaN and Infinity are no JSON.",
    "character": "A string holds NUL or a lone surrogate.",
    "too_deep": "Containers are nested deeper than five.",
    "not_an_object": "An event must be a JSON object.",
}


def make_result(verdict: Verdict, outcome: str, *, success: bool | None = None) -> dict[str, object]:
    """Return one event's result."""
    result: dict[str, object] = {} if success is None else {"success": success}
    result["id"] = verdict.id
    result["outcome"] = outcome
    if outcome == REJECTED:
        result["reason"] = verdict.reason or INTERNAL
        if verdict.path is not None:
            result["path"] = verdict.path
    if verdict.withheld:
        result["withheld"] = verdict.withheld
    return result


def render_single(verdicts: Sequence[Verdict], outcomes: Sequence[str]) -> bytes:
    """Return the reply to one event. Raises Problem 422 if it is refused; it is in the ledger then."""
    if outcomes[0] == REJECTED:
        raise refused(verdicts[0])
    return orjson.dumps(make_result(verdicts[0], outcomes[0], success=True))


def render_batch(verdicts: Sequence[Verdict], outcomes: Sequence[str]) -> bytes:
    """Return the reply to a batch. Raises Problem 422, with the same results, if
    all of its events are refused."""
    results = [make_result(verdict, outcome) for verdict, outcome in zip(verdicts, outcomes, strict=True)]
    if outcomes and all(outcome == REJECTED for outcome in outcomes):
        problem = refused(verdicts[0])
        problem.detail = (
            "All events of the batch are refused; `results` say why, `rule` and `path` of the first."
        )
        problem.results = results
        raise problem
    return orjson.dumps({"success": True, "results": results})


def render_dry_run(verdicts: Sequence[Verdict]) -> bytes:
    """Return what would become of the events of a batch."""
    results = [make_result(verdict, REJECTED if verdict.rejected else "accepted") for verdict in verdicts]
    return orjson.dumps({"success": True, "results": results})


def malformed(verdict: Verdict) -> Problem:
    """Return the 400 of an event that is no proper JSON."""
    rule = verdict.reason or "malformed"
    return Problem("malformed", DETAILS[rule], rule=rule)


def refused(verdict: Verdict) -> Problem:
    """Return the 422 of an event that is outside the closed world."""
    return Problem(
        "event_refused",
        "The event is refused; `rule` and `path` say why. Nothing of the refused field was kept.",
        rule=verdict.reason or INTERNAL,
        path=verdict.path,
    )
