"""What counts as a text, and how much of it one call may bring."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.common.errors import InvalidArgument, Violation

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_INVISIBLE: Final = frozenset({"Cc", "Cf"})
_MOST_VIOLATIONS: Final = 10


@dataclass(frozen=True, slots=True)
class TextLimits:
    """Bounds of one call. What is beyond is refused whole: the caller must know that nothing was encoded."""

    max_texts: int
    max_characters: int
    """Of one text."""
    max_total_characters: int

    def check(self, texts: Sequence[str]) -> None:
        """Refuses a call beyond the limits.

        Raises:
            InvalidArgument: names each field and limit; at most ten texts are named.
        """
        violations = [violation for violation, _ in zip(self._violations(texts), range(_MOST_VIOLATIONS), strict=False)]
        if violations:
            raise InvalidArgument(violations)

    def _violations(self, texts: Sequence[str]) -> Iterator[Violation]:
        if not texts:
            yield Violation("texts", "at least one text is required", "REQUIRED")
        if len(texts) > self.max_texts:
            yield Violation("texts", f"more than {self.max_texts} texts in one call", "TOO_MANY")
        if sum(map(len, texts)) > self.max_total_characters:
            yield Violation("texts", f"more than {self.max_total_characters} characters in one call", "TOO_LONG")
        for i, text in enumerate(texts):
            if len(text) > self.max_characters:
                yield Violation(f"texts[{i}]", f"longer than {self.max_characters} characters", "TOO_LONG")


def clean(text: str) -> str:
    """The text without control characters and without white space at its ends; empty where nothing is visible.

    Tabs and line breaks between words stay: tokenizers read them as white space.
    """
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    text = text.strip()
    return text if any(map(_is_visible, text)) else ""


def _is_visible(character: str) -> bool:
    return not character.isspace() and unicodedata.category(character) not in _INVISIBLE
