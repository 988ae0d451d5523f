"""The budget of new words: its laws, whoever wishes what in whatever order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.privacy.budget import (
    A_DAY,
    A_SENDER,
    A_SENDER_COMBINES,
    A_SUBJECT,
    A_WRITE_KEY,
    COMBINATIONS,
    ENVIRONMENT,
    HISTORY,
    NOBODY,
    ROUTE,
    Spent,
    Wish,
    Word,
    admit,
    of_history,
)

words = st.builds(Word, st.sampled_from(["pyairbyte", "source-a", "source-b"]), st.sampled_from("0123456789"))
wishes = st.lists(st.builds(Wish, words, st.integers(1, 3), st.integers(0, 6)), max_size=60)


@given(st.lists(wishes, max_size=4))
def test_no_share_is_ever_exceeded(batches: list[list[Wish]]) -> None:
    spent = Spent()
    admitted = [wish for batch in batches for wish in admit(batch, spent).values()]
    assert (
        max(Counter((wish.word.subject, wish.write_key) for wish in admitted).values(), default=0)
        <= A_SUBJECT
    )
    assert max(Counter((wish.slot, wish.write_key) for wish in admitted).values(), default=0) <= A_SENDER
    assert spent.versions == Counter(wish.write_key for wish in admitted)


@given(wishes, wishes)
def test_what_one_write_key_spends_another_does_not_lack(own: list[Wish], foreign: list[Wish]) -> None:
    own = [wish._replace(write_key=1) for wish in own]
    foreign = [wish._replace(write_key=2) for wish in foreign]
    alone, after = Spent(), Spent()
    admit(foreign, after)
    assert admit(own, alone) == admit(own, after)


@given(wishes)
def test_only_wishes_are_admitted_and_each_word_once(batch: list[Wish]) -> None:
    admitted = admit(batch, Spent())
    assert set(admitted.values()) <= set(batch)
    assert all(wish.word == word for word, wish in admitted.items())


def test_a_write_key_gets_a_quarter_and_all_of_them_the_whole() -> None:
    def by(write_key: int) -> list[Wish]:
        return [Wish(Word(f"source-{n}", "1.0.0"), write_key, n) for n in range(1, 2 * A_WRITE_KEY)]

    spent = Spent()
    assert len(admit(by(1), spent)) == A_WRITE_KEY
    for write_key in range(2, 10):
        admit(by(write_key), spent)
    assert spent.versions.total() == A_DAY
    assert not admit(by(11), spent)


def test_a_word_that_one_sender_may_not_bring_may_come_by_the_next() -> None:
    wishes = [Wish(Word(f"source-{n}", "1.0.0"), 1, 1) for n in range(3)] + [
        Wish(Word("source-2", "1.0.0"), 1, 2)
    ]
    assert [wish.slot for wish in admit(wishes, Spent()).values()] == [1, 1, 2]


def combinations(subject: str, slots: int, number: int, write_key: int = 1) -> list[Wish]:
    return [Wish(Word(subject, f"{n:016x}"), write_key, 1 + n % slots) for n in range(number)]


def test_combinations_have_a_share_a_write_key_that_versions_do_not_touch() -> None:
    spent = Spent()
    for subject, share in COMBINATIONS.items():
        for write_key in (1, 2):
            assert len(admit(combinations(subject, 30_000, 2 * share, write_key), spent)) == share
    assert len(admit([Wish(Word("source-a", "1.0.0"), 1, 1)], spent)) == 1


def test_a_sender_in_a_loop_brings_a_hundred_and_nobody_is_many() -> None:
    spent = Spent()
    assert len(admit(combinations(ROUTE, 1, 1_000), spent)) == A_SENDER_COMBINES
    assert len(admit(combinations(ENVIRONMENT, 1, 1_000), spent)) == A_SENDER_COMBINES
    nobody = [wish._replace(slot=NOBODY) for wish in combinations(ROUTE, 1, 1_000)]
    assert len(admit(nobody, Spent())) == len(nobody)


def test_history_is_counted_apart_and_has_ten_times_as_much() -> None:
    spent = Spent()
    live = combinations(ROUTE, 30_000, 2 * COMBINATIONS[ROUTE])
    history = [wish._replace(slot=of_history(wish.slot)) for wish in combinations(ROUTE, 30_000, 60_000)]
    assert len(admit(history, spent)) == HISTORY * COMBINATIONS[ROUTE]
    assert len(admit(live, spent)) == COMBINATIONS[ROUTE]
