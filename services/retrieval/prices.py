"""Prices of several products: compared in one currency, that of most."""

from collections import Counter
from collections.abc import Iterable

from services.retrieval.product_index import Hit


def currency_of_most(hits: Iterable[Hit]) -> str:
    """The currency that most results have a price in, ties by its code; empty where none has a price.

    A result counts once for each currency that one of its variants has.
    """
    counts = Counter(currency for _, currency in {(hit.group, hit.facts.currency) for hit in hits} if currency)
    return min(counts, key=lambda currency: (-counts[currency], currency), default="")
