"""Offers of schema.org (https://schema.org/Offer, https://schema.org/AggregateOffer) as the columns of our offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli.feeds.schema_values import first, first_text, listed, local_name, types_of
from cli.problems import FieldError

_AVAILABILITY: Final = {
    "InStock": "in_stock",
    "InStoreOnly": "in_stock",
    "OnlineOnly": "in_stock",
    "LimitedAvailability": "in_stock",
    "OutOfStock": "out_of_stock",
    "SoldOut": "out_of_stock",
    "Discontinued": "out_of_stock",
    "Reserved": "out_of_stock",
    "PreOrder": "preorder",
    "PreSale": "preorder",
    "BackOrder": "backorder",
    "MadeToOrder": "backorder",
}
"""Members of https://schema.org/ItemAvailability."""
_LIST_PRICES: Final = frozenset({"ListPrice", "StrikethroughPrice", "MSRP", "SRP", "RegularPrice"})


@dataclass(frozen=True, slots=True)
class ReadOffer:
    """Our columns of one offer, and what was wrong with it."""

    values: Mapping[str, Any]
    errors: tuple[FieldError, ...] = ()


def offer_of(value: Any) -> ReadOffer:
    """The offer of a product. An AggregateOffer gives its lowest price; several plain offers are a problem."""
    offers = listed(value)
    if not offers:
        return ReadOffer({})
    if len(offers) > 1:
        return _refused("several offers for one product", "SEVERAL_OFFERS")
    offer = offers[0]
    if not isinstance(offer, dict) or offer.keys() <= {"@id", "@type"}:
        return _refused("a reference to another node", "REFERENCE")
    if "AggregateOffer" in types_of(offer):
        return _aggregate(offer)
    return _offer(offer)


def _refused(description: str, reason: str) -> ReadOffer:
    return ReadOffer({}, (FieldError("price", description, reason),))


def _aggregate(offer: Mapping[str, Any]) -> ReadOffer:
    inner = listed(offer.get("offers"))
    if "lowPrice" not in offer and len(inner) == 1:
        return offer_of(inner)
    states = {_availability(entry) for entry in inner if isinstance(entry, dict)}
    available = _availability(offer) or ("in_stock" if "in_stock" in states else "")
    price = first(offer.get("lowPrice", offer.get("price")))
    return _finished({"price": price, "currency": first_text(offer.get("priceCurrency")), "availability": available})


def _offer(offer: Mapping[str, Any]) -> ReadOffer:
    now, before = _specified(offer)
    price, currency = offer.get("price"), first_text(offer.get("priceCurrency"))
    level = first(offer.get("inventoryLevel"))
    return _finished(
        {
            "price": first(price if price is not None else now.get("price")),
            "original_price": first(before.get("price")),
            "currency": currency or first_text(now.get("priceCurrency")),
            "availability": _availability(offer),
            "quantity": first_text(level),
            "region": first_text(offer.get("eligibleRegion")) or first_text(offer.get("areaServed")),
        }
    )


def _specified(offer: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The price that holds and the one before a reduction, of `priceSpecification`."""
    now: Mapping[str, Any] = {}
    before: Mapping[str, Any] = {}
    for entry in listed(offer.get("priceSpecification")):
        if not isinstance(entry, dict):
            continue
        if local_name(first_text(entry.get("priceType"))) in _LIST_PRICES:
            before = before or entry
        elif not now or local_name(first_text(entry.get("priceType"))) == "SalePrice":
            now = entry
    return now or (before if "price" not in offer else {}), before if now or "price" in offer else {}


def _availability(offer: Mapping[str, Any]) -> str:
    written = local_name(first_text(offer.get("availability")))
    return _AVAILABILITY.get(written, written)


def _finished(values: dict[str, Any]) -> ReadOffer:
    if isinstance(values.get("price"), dict | list | bool):
        return _refused("not a number", "INVALID")
    return ReadOffer({name: value for name, value in values.items() if value not in (None, "")})
