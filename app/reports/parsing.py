"""One parser for what a report takes, on the command line and in a URL alike.

Its refusals name the parameter and what it takes, never what was given.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.problems import Problem
from app.reports.model import Report
from app.reports.parameters import ANY_ROLE, DAY, PARAMETERS, TODAY, YESTERDAY, Parameter, Parameters, day_of


def of(report: Report, name: str) -> Parameter:
    """Return a parameter as a report has it: with its own sorts and its own defaults. Raises KeyError."""
    known = PARAMETERS[name]
    if name == "sort":
        known = replace(
            known,
            allowed=f"one of {', '.join(report.sorts)}",
            default=report.default_sort,
            choices=tuple(report.sorts),
            read=lambda text: text if text in report.sorts else None,
        )
    return replace(known, default=report.defaults.get(name, known.default))


def parse(report: Report, given: Iterable[tuple[str, str]], now: dt.datetime) -> Parameters:
    """Return what the given names and values say; what is missing stands at its default, `until` at the day
    before unless the report says otherwise.

    A parameter at its default is taken by every report, whether it has that parameter or not: clients that
    are generated from the OpenAPI document send defaults.

    Raises Problem 400: `unknown_parameter`, `repeated_parameter`, `invalid_parameter`,
    `missing_parameter`, with what is allowed.
    """
    texts = collect(report, given)
    for name in report.required:
        if name not in texts:
            allowed = of(report, name).allowed
            raise Problem("missing_parameter", f"This report needs the parameter {name}: {allowed}.")
    if "until" in report.defaults:
        texts.setdefault("until", report.defaults["until"])
    if texts.get("until") in (TODAY, YESTERDAY):
        texts["until"] = (day_of(now) - (0 if texts["until"] == TODAY else 1) * DAY).isoformat()
    values = defaults(report, now, texts) | {name: read(report, name, text) for name, text in texts.items()}
    return Parameters(report.parameters, "until" not in texts, **values)


def collect(report: Report, given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what is given and says something. Raises Problem 400 for what is unknown or repeated."""
    texts: dict[str, str] = {}
    for name, text in given:
        if name not in report.parameters and not (name in PARAMETERS and text == of(report, name).default):
            raise Problem(
                "unknown_parameter", f"This report takes the parameters {', '.join(report.parameters)}."
            )
        if name in texts:
            raise Problem("repeated_parameter", f"The parameter {name} was given more than once.")
        texts[name] = text
    return {name: text for name, text in texts.items() if not is_at_rest(report, name, text)}


def is_at_rest(report: Report, name: str, text: str) -> bool:
    """Return whether giving this says no more than not giving it: `until=yesterday`, or
    what the report does not take."""
    known = of(report, name)
    return name not in report.parameters or (known.is_word and text == known.default)


def read(report: Report, name: str, text: str) -> Any:
    """Return the value of a parameter. Raises Problem 400 for one that it does not take."""
    known = of(report, name)
    value = known.read(text)
    if value is None:
        raise Problem("invalid_parameter", f"The parameter {name} takes {known.allowed}.")
    return value


def defaults(report: Report, now: dt.datetime, given: Mapping[str, str]) -> dict[str, Any]:
    """Return every parameter at rest. Naming a version asks for it, pre-release or not."""
    known = {name: of(report, name) for name in PARAMETERS}
    values = {
        name: None if each.is_word and each.default == PARAMETERS[name].default else each.read(each.default)
        for name, each in known.items()
    }
    values["until"] = day_of(now) - DAY
    if "role" not in report.parameters:
        values["role"] = ANY_ROLE
    if given.get("name", "").startswith("destination-") and "role" not in report.defaults:
        values["role"] = "destination"
    if "version" in given:
        values["prerelease"] = "include"
    return values
