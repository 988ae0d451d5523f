"""The report `funnel`: install, validate, check, sync: how many users survive each."""

from typing import Final

from app.reports import ranking
from app.reports.model import FILTERS, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

STEPS: Final = ("install", "validate", "check", "sync")
COLUMNS: Final = (
    Column("step", "text", "install, validate, check, sync, in that order."),
    Column("entered", "integer", "Users with an event of this step or of a later one."),
    Column("tried", "integer", "Users with an event of this step."),
    Column("succeeded", "integer", "Users who succeeded in it at least once."),
    Column("survived", "integer", "Users who succeeded in it, or were seen in a later step."),
    Column("survival", "number", "survived / entered."),
    Column("of_all", "number", "survived / the users who entered the first step."),
)


def shape(answers: Answers, _: Parameters) -> list[Row]:
    """Return the steps in their order."""
    counts = answers["funnel"]
    everybody = counts[0]["entered"]
    rows: list[Row] = [
        {
            **{name: count[name] for name in ("entered", "tried", "succeeded", "survived")},
            "step": STEPS[count["step"] - 1],
            "survival": ranking.share(count["survived"], count["entered"]),
            "of_all": ranking.share(count["survived"], everybody),
        }
        for count in counts
    ]
    return ranking.select(rows, COLUMNS)


FUNNEL: Final = Report(
    name="funnel",
    summary="From install over validate and check to a sync: how many users survive each step.",
    queries={"funnel": ("environments_asked", "steps", "furthest", "funnel")},
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("step", ("step",), "name"),
        Heading("entered", ("entered",)),
        Heading("tried", ("tried",)),
        Heading("succeeded", ("succeeded",)),
        Heading("survived", ("survived",)),
        Heading("% of the\nstep", ("survival",), "percent"),
        Heading("% of\nall", ("of_all",), "percent"),
    ),
    parameters=("window", "until", "role", *FILTERS[2:], "limit"),
    sorts={"step": "step"},
    default_sort="step",
    note="Users, not attempts; whoever was seen in a later step has survived the earlier ones. Today is "
    "provisional.",
    terms=("lane", "signal", "attempt", "day"),
)
