"""Nothing about a connector that is not shown can be derived from what is, not even
by whoever knows which they are.

The attacker is written without the rules: integer programs over everything that the published rows allow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from app.public.suppression import Count, Figure, suppress

Month = dict[str, dict[int, bool]]  # by connector and user, whether the user met a failure


@st.composite
def months(draw: st.DrawFn) -> Month:
    """Who used what: few connectors of few users, so that most of them are near the rules' edges."""
    # Often no failure at all: the least that a row can say of those in it.
    uses = draw(st.sampled_from([st.just(value=False), st.booleans(), st.just(value=True)]))
    people = st.integers(0, draw(st.sampled_from([9, 14, 40])))
    users = st.dictionaries(people, uses, min_size=1, max_size=draw(st.sampled_from([4, 9, 20])))
    return {f"source-{number}": draw(users) for number in range(draw(st.integers(1, 6)))}


def count(month: Month, name: str, connectors: Sequence[str]) -> Count:
    """Several connectors counted as one."""
    uses = [(user, affected) for connector in connectors for user, affected in month[connector].items()]
    return Count(name, len({user for user, _ in uses}), len({user for user, affected in uses if affected}))


def publish(month: Month) -> dict[str, Figure]:
    counts = [count(month, name, [name]) for name in month]
    figures = suppress(counts, lambda names: count(month, "other", names))
    return {figure.connector: figure for figure in figures}


def between(rounded: int | None, *, fewest: int) -> tuple[int, int]:
    """What a published count may have been."""
    return (fewest, 4) if rounded is None else (0, 0) if rounded == 0 else (rounded - 2, rounded + 2)


class Attacker:
    """Knows the rows of a month, which connectors stand under `other`, and which of
    those had fewer than 10 users."""

    def __init__(self, other: Figure | None, small: list[str], large: list[str]) -> None:
        names = small + large
        self.names = [f"{name} {what}" for name in [*names, "other"] for what in "uv"]
        self.lower = dict.fromkeys(self.names, 0.0)
        self.upper = dict.fromkeys(self.names, 1e5)
        self.rows: list[LinearConstraint] = []
        for name in [*names, "other"]:
            self.at_least({f"{name} u": 1, f"{name} v": -1})
        for name in names:
            self.limit(f"{name} u", 1 if name in small else 10, 9 if name in small else 1e5)
        if other is None:
            return
        for what, rounded, fewest in (("u", other.units, 10), ("v", other.affected_units, 0)):
            low, high = between(rounded, fewest=fewest)
            self.limit(f"other {what}", max(low, fewest), high)
        for what in "uv":  # distinct users: at most the sum, at least each
            self.at_least({f"{name} {what}": 1 for name in names} | {f"other {what}": -1})
            for name in names:
                self.at_least({f"other {what}": 1, f"{name} {what}": -1})
        # Whoever met no failure at all met none in some connector.
        reported = {f"{name} u": 1 for name in names} | {f"{name} v": -1 for name in names}
        self.at_least(reported | {"other u": -1, "other v": 1})

    def limit(self, name: str, low: float, high: float) -> None:
        self.lower[name], self.upper[name] = low, high

    def at_least(self, weights: dict[str, int]) -> None:
        """The weighted sum is not negative."""
        row = [weights.get(name, 0) for name in self.names]
        self.rows.append(LinearConstraint([row], lb=0))

    def extreme(self, name: str, sign: int) -> int:
        """The least (sign 1) or greatest (-1) value that is still possible."""
        goal = np.zeros(len(self.names))
        goal[self.names.index(name)] = sign
        bounds = Bounds(
            np.array([self.lower[each] for each in self.names]),
            np.array([self.upper[each] for each in self.names]),
        )
        solved: Any = milp(goal, constraints=self.rows, bounds=bounds, integrality=[1] * len(self.names))
        assert solved.success, "what was published is possible"
        value: float = solved.x[self.names.index(name)]
        return round(value)

    def interval(self, name: str) -> tuple[int, int]:
        return self.extreme(name, 1), self.extreme(name, -1)


@settings(max_examples=60, deadline=None)
@given(months())
def test_no_suppressed_cell_can_be_derived(month: Month) -> None:
    shown = publish(month)
    hidden = [name for name in month if name not in shown]
    small = [name for name in hidden if len(month[name]) < 10]
    attacker = Attacker(shown.get("other"), small, [name for name in hidden if name not in small])
    for name in small:
        units = attacker.interval(f"{name} u")
        assert units == (1, 9), "any number of users"
        least, most = attacker.interval(f"{name} v")
        assert least == 0
        assert most >= 4
    for name, figure in shown.items():
        if name != "other":
            assert len(month[name]) >= 10
            check_shown(figure, count(month, name, [name]))
    if (other := shown.get("other")) is not None:
        assert count(month, "other", hidden).units >= 10
        assert len(hidden) > 1
        assert other.affected_units != 0, "nor that none of them failed"


def check_shown(figure: Figure, true: Count) -> None:
    """Rounded to 5; "<5" leaves every one of 1 to 4 possible, whatever stands beside it."""
    for rounded, exact in (
        (figure.units, true.units),
        (figure.affected_units, true.affected_units),
    ):
        low, high = between(rounded, fewest=1)
        assert low <= exact <= high
        assert rounded is None or rounded % 5 == 0
    if figure.affected_units is None:
        assert between(figure.units, fewest=1)[1] >= 4


def of_users(*numbers: int, failing: int = 0, shared: bool = False) -> Month:
    """Connectors of so many users each."""
    return {
        f"source-{place}": {(0 if shared else 1000 * place) + user: user < failing for user in range(number)}
        for place, number in enumerate(numbers)
    }


@pytest.mark.parametrize(
    ("month", "names"),
    [
        pytest.param(of_users(30, 12), ["source-0", "source-1"], id="nothing to hide"),
        pytest.param(of_users(30, 12, 3), ["source-0", "other"], id="one alone takes the smallest with it"),
        pytest.param(of_users(30, 3), ["other"], id="even the only one"),
        pytest.param(of_users(3), [], id="nothing is shown of one that is alone"),
        pytest.param(of_users(30, 4, 3), ["other"], id="two that are fewer than 10 together"),
        pytest.param(of_users(30, 5, 4, 3), ["source-0", "other"], id="three that are 10 together"),
        pytest.param(of_users(30, 9, 9), ["other"], id="two of 9 each would be known by their sum"),
        pytest.param(of_users(9, 9), [], id="and are left out when nobody joins them"),
        pytest.param(of_users(5, 4, 4, 4, shared=True), [], id="many that are few people"),
    ],
)
def test_who_stands_under_other(month: Month, names: list[str]) -> None:
    assert list(publish(month)) == names


def test_counts_are_rounded_and_few_are_not_told() -> None:
    month = of_users(23, 14, 11, failing=3)
    month["source-1"] = dict.fromkeys(month["source-1"], False)
    month["source-2"] = dict.fromkeys(month["source-2"], True)
    assert list(publish(month).values()) == [
        Figure("source-0", 25, None),
        Figure("source-1", 15, 0),
        Figure("source-2", 10, 10),
    ]


def test_that_none_of_them_failed_is_not_said_of_those_under_other() -> None:
    assert list(publish(of_users(30, 5, 4, 3)).values()) == [
        Figure("source-0", 30, 0),
        Figure("other", 10, None),
    ]
