"""`size` by the command, and the law that twice the users need twice as much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admin.sizes import estimate
from tests.test_command_line import call


@given(st.floats(1, 1e12), st.floats(0.01, 1e4))
def test_twice_the_users_need_twice_as_much(users: float, events: float) -> None:
    one, two = estimate(users, events), estimate(2 * users, events)
    for name in ("events_a_second", "peak_cores", "raw_bytes", "rollup_bytes", "report_seconds"):
        assert getattr(two, name) == pytest.approx(2 * getattr(one, name))


@pytest.mark.parametrize(
    ("users", "step"),
    [
        ("50000", "one machine"),
        ("50k", "one machine"),
        ("10M", "one core would need longer for a report than its time-out"),
        ("5000M", "writes outgrow what was measured on one Postgres"),
    ],
)
def test_the_step_is_named(users: str, step: str) -> None:
    done = call("size", "--users", users)
    assert done.returncode == 0, done.stderr
    assert step in " ".join(done.stdout.split())


@pytest.mark.parametrize("users", ["0", "-1", "many", "10m", "1e6", "1,000", ""])
def test_a_number_of_users_is_a_number(users: str) -> None:
    done = call("size", "--users", users)
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert not done.stdout
