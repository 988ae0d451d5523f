"""The patterns as automata of RE2: each reads a text once for all of its patterns, and
none can be made to backtrack."""

from collections.abc import Iterator, Sequence
from typing import Final

import re2  # type: ignore[import-untyped]

from app.privacy.detector.patterns import GROUPS, PATTERNS


class Automaton:
    """Finds the kinds of personal data that a text may hold."""

    def __init__(self, kinds: Sequence[str]) -> None:
        """Take the patterns of these kinds."""
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        self.patterns = re2.Set.SearchSet(options)
        self.kinds: list[str] = []
        for kind in kinds:
            for pattern in PATTERNS[kind]:
                self.patterns.Add(pattern.encode())
                self.kinds.append(kind)
        self.patterns.Compile()

    def match(self, text: bytes) -> list[str]:
        """Return the kinds with a pattern that matches somewhere in a text, in their order."""
        found: Sequence[int] = self.patterns.Match(text) or ()
        return list(dict.fromkeys(self.kinds[number] for number in sorted(found)))


AUTOMATA: Final = tuple(Automaton(kinds) for kinds in GROUPS)


def match(text: str) -> Iterator[str]:
    """Yield the kinds whose patterns match somewhere in a text, the more telling ones first."""
    encoded = text.encode(errors="replace")
    for automaton in AUTOMATA:
        yield from automaton.match(encoded)
