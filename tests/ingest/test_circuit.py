"""The one state "Postgres takes batches": what opens it, what closes it, and when it is to be relied on."""

from hypothesis import given
from hypothesis import strategies as st

from app.ingest.circuit import COOLDOWN_SECONDS, Circuit

EVENTS = ("fail", "succeed", "open", "try_again")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_failure_counts_for_the_cooldown_even_if_the_next_batch_may_try() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    assert circuit.is_reliable
    circuit.fail()
    assert circuit.is_open
    circuit.try_again()
    assert (circuit.is_open, circuit.is_reliable) == (False, False)
    clock.seconds += COOLDOWN_SECONDS
    assert circuit.is_reliable


def test_a_success_ends_everything_at_once() -> None:
    circuit = Circuit(Clock())
    circuit.fail()
    circuit.succeed()
    assert (circuit.is_open, circuit.is_reliable) == (False, True)


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 10)), max_size=30))
def test_laws(history: list[tuple[str, float]]) -> None:
    """Open is never reliable; the last word decides; a failure is remembered until a
    success or the cooldown's end."""
    clock = Clock()
    circuit = Circuit(clock)
    failed_at = None
    for event, seconds in history:
        clock.seconds += seconds
        getattr(circuit, event)()
        if event == "fail":
            failed_at = clock.seconds
        elif event == "succeed":
            failed_at = None
        assert circuit.is_open == (event in ("fail", "open"))
        recent = failed_at is not None and clock.seconds - failed_at < COOLDOWN_SECONDS
        assert circuit.is_reliable == (not circuit.is_open and not recent)
