"""Text to the numbers of the lexical leg.

Words of letters and digits are kept whole; Chinese and Japanese, written without spaces, give single characters and
adjacent pairs. A word's number is a stable hash, so that no vocabulary has to be kept or agreed on. Documents carry
the term-frequency part of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, equation 3.15),
queries carry 1 per distinct word, and Qdrant multiplies by the inverse document frequency.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

ANALYSER_VERSION: Final = 1
"""Goes up with every change of what a text's words are; part of an index version."""

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_RUNS: Final = re.compile(f"([{_UNSPACED}]+)|[^\\W_{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One text of a document and what one of its words counts."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Bm25:
    """Constants of BM25's term-frequency part."""

    k1: float
    """How slowly further occurrences of a word stop counting; 0 = only the first counts."""
    b: float
    """How much a long document's words count less; 0 = not at all, 1 = in full proportion."""
    average_length: float
    """Words of an average document, each with the weight of its field. A constant: document weights stay comparable."""


SparseVector = tuple[Sequence[int], Sequence[float]]
"""Indices, ascending and distinct, each an unsigned 32-bit number; and the value of each."""
NO_WORDS: Final[SparseVector] = ((), ())


def has_analyser(version: int) -> bool:
    """Whether this process makes the words that an index version of that analyser holds."""
    return version == ANALYSER_VERSION


def words(text: str) -> Iterator[str]:
    """The words of a cleaned text, repeated as they occur."""
    for match in _RUNS.finditer(text.lower()):
        run = match[0]
        if match[1] is None:
            yield run
            continue
        yield from run
        for position in range(len(run) - 1):
            yield run[position : position + 2]


@lru_cache(maxsize=200_000)
def word_number(word: str) -> int:
    """The number that stands for a word: the first 32 bits of its BLAKE2b hash."""
    return int.from_bytes(blake2b(word.encode(), digest_size=4).digest(), "little")


def document_vector(fields: Sequence[Field], bm25: Bm25) -> SparseVector:
    """Weight of each word of a document; empty where it has none.

    Fields are combined before saturation, as in the simple BM25F of the same paper (section 3.6).
    """
    frequencies: dict[int, float] = {}
    length = 0.0
    for field in fields:
        for word in words(field.text):
            number = word_number(word)
            frequencies[number] = frequencies.get(number, 0.0) + field.weight
            length += field.weight
    return _sorted({number: _saturated(frequency, length, bm25) for number, frequency in frequencies.items()})


def query_vector(text: str) -> SparseVector:
    """1 for each distinct word of a cleaned query; empty where it has none."""
    return _sorted({word_number(word): 1.0 for word in words(text)})


def _saturated(frequency: float, length: float, bm25: Bm25) -> float:
    norm = bm25.k1 * (1.0 - bm25.b + bm25.b * length / bm25.average_length)
    return frequency * (bm25.k1 + 1.0) / (frequency + norm)


def _sorted(weights: Mapping[int, float]) -> SparseVector:
    numbers = sorted(weights)
    return numbers, [weights[number] for number in numbers]
