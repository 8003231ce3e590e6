"""Points that a search returned, as the domain takes them: as few fields of each as will do."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from qdrant_client import grpc as q

from services.retrieval.adapters.cards import price_and_availability
from services.retrieval.adapters.qdrant_fields import (
    BRAND,
    CARD,
    CATEGORY_PATHS,
    CREATED,
    KEY,
    OFFER_CARDS,
    RATING,
    RATING_COUNT,
    SALES,
    attribute_field,
    offer_card_field,
    region_key,
)
from services.retrieval.attributes import ATTRIBUTE_FIELD
from services.retrieval.product_index import BRAND as BRAND_FACT
from services.retrieval.product_index import CATEGORY, NO_FACTS, Card, Facts, Hit
from services.retrieval.product_index import CREATED as CREATED_FACT
from services.retrieval.product_index import RATING as RATING_FACT
from services.retrieval.product_index import SALES as SALES_FACT

Payload = Mapping[str, q.Value]
_LENGTHS_FROM: Final = 4
"""Parts of a key that has lengths."""


def shown_fields(region: str) -> q.WithPayloadSelector:
    """What a result shows."""
    return _include([CARD, offer_card_field(region)])


def card_of(payload: Payload, region: str) -> Card:
    """Card and the region's offer; both empty where the point has none."""
    return Card(payload[CARD].string_value if CARD in payload else "", _offer_card(payload, region_key(region)))


def category_paths_of(payload: Payload) -> Sequence[str]:
    """Paths and all above them, normalised."""
    paths = payload[CATEGORY_PATHS].list_value.values if CATEGORY_PATHS in payload else ()
    return tuple(entry.string_value for entry in paths)


class HitReader:
    """Reads hits with some facts."""

    def __init__(self, facts: frozenset[str], region: str, *, cards: bool) -> None:
        self._cards = cards
        self._region = region_key(region)
        self._offer_field = offer_card_field(region)
        self._names = facts
        self._readers = [(name, self._reader(name)) for name in sorted(facts) if not name.startswith(ATTRIBUTE_FIELD)]
        attributes = [name.removeprefix(ATTRIBUTE_FIELD) for name in facts if name.startswith(ATTRIBUTE_FIELD)]
        self._attributes = {name: attribute_field(name) for name in sorted(attributes)}

    @property
    def fields(self) -> q.WithPayloadSelector:
        """The fields that it reads."""
        shown = [CARD, self._offer_field] if self._cards else []
        fields = [KEY, *shown, *self._attributes.values()]
        for name, _ in self._readers:
            fields += _FIELDS.get(name, [self._offer_field])
        return _include(dict.fromkeys(fields))

    def read(self, points: Iterable[q.ScoredPoint]) -> list[Hit]:
        """Hits in the order of the points. One without a key was written before keys were: its rewriting is due."""
        with_payloads = [(point, point.payload) for point in points]
        return [self._hit(point, payload) for point, payload in with_payloads if KEY in payload]

    def _hit(self, point: q.ScoredPoint, payload: Payload) -> Hit:
        parts = payload[KEY].string_value.split(" ")
        known = len(parts) == _LENGTHS_FROM
        return Hit(
            point.id.uuid,
            point.score,
            parts[0],
            parts[1],
            float(parts[2]) if known else math.nan,
            float(parts[3]) if known else math.nan,
            self._facts(payload) if self._names else NO_FACTS,
            payload,
        )

    def _facts(self, payload: Payload) -> Facts:
        facts: dict[str, Any] = {}
        for _, read in self._readers:
            facts |= read(payload)
        if self._attributes:
            facts["attributes"] = {
                name: _values(payload[field]) for name, field in self._attributes.items() if field in payload
            }
        return Facts(**facts)

    def _reader(self, name: str) -> Callable[[Payload], dict[str, Any]]:
        return _READERS.get(name, self._offer)

    def _offer(self, payload: Payload) -> dict[str, Any]:
        currency, price, availability = price_and_availability(_offer_card(payload, self._region))
        return {"currency": currency, "price": price, "availability": availability}


def _brand(payload: Payload) -> dict[str, Any]:
    return {"brand": payload[BRAND].string_value} if BRAND in payload else {}


def _categories(payload: Payload) -> dict[str, Any]:
    return {"categories": _values(payload[CATEGORY_PATHS])} if CATEGORY_PATHS in payload else {}


def _rating(payload: Payload) -> dict[str, Any]:
    if RATING not in payload:
        return {}
    return {"rating": _number(payload[RATING]), "rating_count": payload[RATING_COUNT].integer_value}


def _sales(payload: Payload) -> dict[str, Any]:
    return {"sales": payload[SALES].integer_value} if SALES in payload else {}


def _created(payload: Payload) -> dict[str, Any]:
    return {"created": _number(payload[CREATED])} if CREATED in payload else {}


_READERS: Final[Mapping[str, Callable[[Payload], dict[str, Any]]]] = {
    BRAND_FACT: _brand,
    CATEGORY: _categories,
    RATING_FACT: _rating,
    SALES_FACT: _sales,
    CREATED_FACT: _created,
}
_FIELDS: Final[Mapping[str, list[str]]] = {
    BRAND_FACT: [BRAND],
    CATEGORY: [CATEGORY_PATHS],
    RATING_FACT: [RATING, RATING_COUNT],
    SALES_FACT: [SALES],
    CREATED_FACT: [CREATED],
}
"""What is not here is read from the region's packed offer: price and availability."""


def _include(fields: Iterable[str]) -> q.WithPayloadSelector:
    return q.WithPayloadSelector(include=q.PayloadIncludeSelector(fields=list(fields)))


def _offer_card(payload: Payload, key: str) -> str:
    if OFFER_CARDS not in payload:
        return ""
    cards = payload[OFFER_CARDS].struct_value.fields
    return cards[key].string_value if key in cards else ""


def _values(value: q.Value) -> tuple[str, ...] | tuple[float, ...]:
    """The texts or numbers of a list."""
    entries = value.list_value.values
    if entries and entries[0].WhichOneof("kind") == "string_value":
        return tuple(entry.string_value for entry in entries)
    return tuple(_number(entry) for entry in entries)


def _number(value: q.Value) -> float:
    """A whole number comes back as an integer from some stores of JSON."""
    return float(value.integer_value) if value.WhichOneof("kind") == "integer_value" else value.double_value
