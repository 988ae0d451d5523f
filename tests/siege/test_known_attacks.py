"""What a stranger, or an honest mistake, could do to the first version, and the tests that say that it cannot
be done any more. Each was seen; each test enters where the attack did.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ANSWERS = {
    "large numbers stop everybody's rollups": (
        "tests/privacy/test_channels.py::test_one_session_of_the_largest_numbers_stops_nobody",
        "tests/reports/test_saturation.py::test_one_session_with_the_largest_numbers_stops_nobody",
        "tests/rollups/test_worker.py::test_a_session_that_fails_is_quarantined_and_everybody_elses_goes_on",
    ),
    "large numbers make reports answer 500": (
        "tests/reports/test_saturation.py::test_days_that_are_full_to_the_brim_are_summed_up",
        "tests/reports/test_saturation.py::test_extreme_values_in_every_numeric_field",
    ),
    "an e-mail in +<40 hex>, a card in .dev, a phone as a version, an address in CYGWIN_NT, a Colab tag": (
        "tests/privacy/test_channels.py::test_nothing_of_them_is_stored",
        "tests/privacy/test_bits.py::test_an_event_holds_at_most_so_many_bits",
        "tests/contract/test_spellings.py::test_what_is_no_version",
    ),
    "they stay after forget": (
        "tests/upkeep/test_words.py::test_what_nothing_refers_to_goes_after_two_days",
    ),
    "rows of old weeks, of no time and of 2099 never leave": (
        "tests/upkeep/test_clock.py::test_a_sender_that_never_stops_keeps_nobody",
        "tests/upkeep/test_retention.py::test_the_default_partition_is_emptied_by_the_time_of_arrival",
    ),
    "a hundred thousand invented versions": (
        "tests/ingest/test_new_words.py::test_many_invented_versions_leave_few_words",
        "tests/ingest/test_new_words.py::test_with_the_budget_spent_by_a_stranger_todays_release_shows",
        "tests/reports/test_folding.py::test_versions_beyond_the_most_used_are_one_row",
    ),
    "as many combinations of known words": (
        "tests/ingest/test_new_combinations.py::test_a_stranger_makes_so_many_rows_and_no_more",
        "tests/ingest/test_new_combinations.py::test_the_ledger_makes_no_more_rows_and_keeps_its_shape",
    ),
    "marks without a session read all rows of their instant": (
        "tests/rollups/test_worker.py::test_marks_without_a_session_read_their_own_row_each",
        "tests/rollups/test_worker.py::test_ledger_rows_that_no_report_uses_are_not_marked",
    ),
    "nine made-up ids and a subtraction": (
        "tests/public/test_publication.py::test_nine_made_up_ids_tell_nothing_of_the_tenth",
        "tests/public/test_publication.py::test_nobody_keeps_a_month_back_beyond_the_tenth",
    ),
    "one start with a wrong clock": (
        "tests/upkeep/test_clock.py::test_one_start_with_a_wrong_clock_keeps_the_live_events",
        "tests/upkeep/test_clock.py::test_the_service_does_not_delete_by_a_clock_that_leapt",
    ),
}


@pytest.mark.parametrize("attack", ANSWERS)
def test_each_has_an_answer(attack: str) -> None:
    for answer in ANSWERS[attack]:
        path, _, name = answer.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), answer
