"""Trend: the burden of each connector week by week, and of all of them together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.pages import formats
from app.pages.views.common import Context, Row, View, head, total
from app.pages.views.connectors import link_to
from app.pages.views.lists import is_searched, narrow

FEW: Final = 25  # connectors that are listed until all are asked for
MOVERS: Final = 6


@dataclass(frozen=True, slots=True)
class Course:
    """One connector's weeks, the oldest first."""

    weeks: Sequence[Row]

    @property
    def last(self) -> Row:
        """Return the last week."""
        return self.weeks[-1]

    @property
    def before(self) -> Row | None:
        """Return the week before the last one; None if there is none."""
        return self.weeks[-2] if len(self.weeks) > 1 else None

    @property
    def burdens(self) -> list[float]:
        """Return the burden of each week."""
        return [float(row["burden"] or 0) for row in self.weeks]

    @property
    def surge(self) -> bool:
        """Return whether any week is marked."""
        return any(row["surge"] for row in self.weeks)

    def moved(self) -> float:
        """Return how far the burden moved from the week before to the last."""
        return self.burdens[-1] - self.burdens[-2] if self.before else 0.0


def build(view: View) -> Context:
    """Return what the page of the trend shows."""
    table = view.main()
    weeks = add_up(table.rows)
    names = {str(row["connector"]) for row in narrow(table.rows, view.query)}
    courses = gather(table.rows)
    found = [course for course in courses if course.last["connector"] in names]
    return {
        **head(view, table),
        "weeks": weeks,
        "courses": found if is_searched(view.query) else found[:FEW],
        "of": len(courses),
        "searched": is_searched(view.query),
        "most": max((course.last["mean_burden"] or 0 for course in courses), default=0),
        "movers": list_movers(courses),
        "href": lambda row: link_to(view.query, row["connector"], row["role"]),
        "say": say_week,
        "rows_of": tabulate,
    }


def tabulate(courses: Sequence[Course]) -> list[tuple[str, ...]]:
    """Return each connector's burden by week, as it is written."""
    return [
        (course.last["connector"], *(formats.number(value, 1) for value in course.burdens))
        for course in courses
    ]


def gather(rows: Sequence[Row]) -> list[Course]:
    """Return the connectors in the order of the report, each with its weeks."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["connector"]), []).append(row)
    return [Course(weeks) for weeks in found.values()]


def add_up(rows: Sequence[Row]) -> list[Row]:
    """Return the weeks, the oldest first, each with the burden of all connectors together."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["week"]), []).append(row)
    return [{"week": week, "burden": total(found[week], "burden")} for week in sorted(found)]


def list_movers(courses: Sequence[Course]) -> list[Course]:
    """Return the ranked connectors whose burden moved most since the week before, risen ones
    first; few users do not count."""
    known = [
        course
        for course in courses
        if course.last["rank"]
        and course.before
        and not (course.last["low_data"] or course.before["low_data"])
        and course.moved()
    ]
    largest = sorted(known, key=lambda course: -abs(course.moved()))[:MOVERS]
    return sorted(largest, key=lambda course: -course.moved())


def say_week(row: Row) -> str:
    """Return what is read out of a week's bar."""
    return f"Week from {formats.day(row['week'])}: burden {formats.number(row['burden'], 1)}"
