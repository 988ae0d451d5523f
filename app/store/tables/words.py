"""The versions that may be stored: those that a list names, and those that
strangers brought within the budget."""

from sqlalchemy import CheckConstraint, Column, Date, Index, PrimaryKeyConstraint, SmallInteger, Table, Text

from app.store.tables.events import metadata, moment

# Versions that the connector registry or a package list names: they cost no budget, and stay. `subject` is
# a connector, or `pyairbyte`.
listed_words = Table(
    "listed_words",
    metadata,
    Column("subject", Text, nullable=False),
    Column("word", Text, nullable=False),
    moment("added_at"),
    PrimaryKeyConstraint("subject", "word"),
    CheckConstraint("length(subject) <= 75 AND subject !~ '[^a-z0-9-]'", name="listed_words_subject_check"),
    CheckConstraint("length(word) <= 32 AND word !~ '[^0-9a-z.+-]'", name="listed_words_word_check"),
)

# Versions that strangers brought; and under the subjects `route`, `environment` and `pair` hashes of
# combinations of words, forgotten 30 days after their last use. `write_key` and `slot` (of the sender: 15
# bits, for the day) say whose budget a word was of; the slot goes when the day is over. `last_day` is noted
# once a day by whoever uses the word; when nothing refers to a version any more it is deleted, two days later
# at the earliest.
words = Table(
    "words",
    metadata,
    Column("subject", Text, nullable=False),
    Column("word", Text, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("write_key", SmallInteger, nullable=False),
    Column("slot", SmallInteger),
    PrimaryKeyConstraint("subject", "word"),
    Index("words_first_day_idx", "first_day"),
    CheckConstraint("length(subject) <= 75 AND subject !~ '[^a-z0-9-]'", name="words_subject_check"),
    CheckConstraint("length(word) <= 32 AND word !~ '[^0-9a-z.+-]'", name="words_word_check"),
)
