"""Nodes of schema.org (https://schema.org/Product, https://schema.org/ProductGroup) as rows.

Only what stands inside of a node is read: a reference to another node by `@id` is a problem, because nodes are read one
by one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from cli.feeds.gtins import isbn_gtin
from cli.feeds.json_stream import Node
from cli.feeds.schema_offers import offer_of
from cli.feeds.schema_values import (
    amount_text,
    count_text,
    first,
    first_text,
    listed,
    local_name,
    measure,
    property_value,
    types_of,
)
from cli.problems import FieldError
from cli.rows import Remarks, Row

_PRODUCTS: Final = frozenset({"Product", "IndividualProduct", "SomeProducts", "ProductModel", "Vehicle", "Book"})
_GROUP: Final = "ProductGroup"
_CONTAINERS: Final = ("@graph", "mainEntity", "mainEntityOfPage", "itemListElement", "item", "about")
_MAX_DEPTH: Final = 8
_GTINS: Final = ("gtin", "gtin14", "gtin13", "gtin12", "gtin8", "isbn")
_ATTRIBUTES: Final = ("color", "material", "pattern", "size", "mpn", "model", "audience")
_MEASURES: Final = ("weight", "width", "height", "depth")
_USED: Final = frozenset(
    {
        *("@type", "@id", "@context", "name", "description", "url", "sku", "productID", "productGroupID", "image"),
        *("brand", "category", "offers", "aggregateRating", "releaseDate", "additionalProperty", "itemCondition"),
        *("hasVariant", "isVariantOf", "inProductGroupWithID", "variesBy", *_GTINS, *_ATTRIBUTES, *_MEASURES),
    }
)
_INHERITED: Final = ("title", "description", "brand", "categories", "images", "uri")


@dataclass(slots=True)
class _Fields:
    values: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)

    def put(self, name: str, value: Any, key: str) -> None:
        self.columns[name] = key
        if value not in (None, "", []):
            self.values[name] = value

    def fail(self, name: str, key: str, description: str, reason: str) -> None:
        self.columns[name] = key
        self.errors.append(FieldError(name, description, reason))


def products_in(node: Node, remarks: Remarks) -> Iterator[Row]:
    """The products of a node and of the nodes that it contains."""
    for found in _product_nodes(node.value, 0):
        remarks.unused.update({key: None for key in found if key not in _USED and len(remarks.unused) < 1000})
        row = _row(node.line, found)
        if _GROUP not in types_of(found):
            yield row
            continue
        variants = [_variant(node.line, value, row) for value in listed(found.get("hasVariant"))]
        yield replace(row, values={**_shown_offer(variants), **row.values})
        yield from variants


def _product_nodes(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for entry in value:
            yield from _product_nodes(entry, depth + 1)
    elif isinstance(value, dict):
        if types_of(value) & {*_PRODUCTS, _GROUP}:
            yield value
            return
        for name in _CONTAINERS:
            yield from _product_nodes(value.get(name), depth + 1)


def _variant(line: int, value: Any, group: Row) -> Row:
    """A variant has what its group has, where it says nothing itself."""
    if not isinstance(value, dict) or value.keys() <= {"@id", "@type"}:
        error = FieldError("primary_product_id", "a variant is a reference to another node", "REFERENCE")
        return Row(line, {}, {"primary_product_id": "hasVariant"}, errors=(error,))
    row = _row(line, value)
    shared = {name: group.values[name] for name in _INHERITED if name in group.values}
    primary = {"primary_product_id": group.values["id"]} if "id" in group.values else {}
    return replace(row, values={**shared, **row.values, **primary})


def _shown_offer(variants: list[Row]) -> dict[str, Any]:
    """The offer of the first variant that can be bought."""
    names = ("price", "original_price", "currency", "availability", "quantity")
    offers = [{name: row.values[name] for name in names if name in row.values} for row in variants]
    bought = [offer for offer in offers if offer.get("availability") in {"in_stock", "backorder"}]
    return (bought or offers or [{}])[0]


def _row(line: int, node: Mapping[str, Any]) -> Row:
    fields = _Fields()
    _put_identity(fields, node)
    _put_texts(fields, node)
    _put_attributes(fields, node)
    _put_rating(fields, node.get("aggregateRating"))
    offer = offer_of(node.get("offers"))
    for name, value in offer.values.items():
        fields.put(name, value, "offers")
    for error in offer.errors:
        fields.fail(error.field, "offers", error.description, error.reason)
    return Row(line, fields.values, fields.columns, errors=tuple(fields.errors))


def _put_identity(fields: _Fields, node: Mapping[str, Any]) -> None:
    keys = ("productGroupID", "sku", "productID") if _GROUP in types_of(node) else ("sku", "productID", "mpn")
    key = next((key for key in (*keys, *_GTINS) if first_text(node.get(key))), keys[0])
    fields.put("id", first_text(node.get(key)), key)
    fields.put("sku", first_text(node.get("sku")), "sku")
    gtin = next((key for key in _GTINS if first_text(node.get(key))), "gtin")
    fields.put("gtin", (isbn_gtin if gtin == "isbn" else str)(first_text(node.get(gtin))), gtin)
    group = first(node.get("isVariantOf"))
    if isinstance(group, dict) and "productGroupID" in group:
        fields.put("primary_product_id", first_text(group["productGroupID"]), "isVariantOf")
    elif isinstance(group, dict) and "@id" in group and "inProductGroupWithID" not in node:
        description = "a reference to another node, without its productGroupID"
        fields.fail("primary_product_id", "isVariantOf", description, "REFERENCE")
    else:
        fields.put("primary_product_id", first_text(node.get("inProductGroupWithID")), "inProductGroupWithID")


def _put_texts(fields: _Fields, node: Mapping[str, Any]) -> None:
    fields.put("title", first_text(node.get("name")), "name")
    fields.put("description", first_text(node.get("description")), "description")
    fields.put("uri", first_text(node.get("url")), "url")
    fields.put("brand", first_text(node.get("brand")), "brand")
    fields.put("categories", [text for text in map(first_text, listed(node.get("category"))) if text], "category")
    fields.put("images", [text for text in map(_image, listed(node.get("image"))) if text], "image")
    fields.put("create_time", first_text(node.get("releaseDate")), "releaseDate")
    for name in ("brand", "category", "image"):
        value = first(node.get(name))
        if isinstance(value, dict) and value.keys() <= {"@id", "@type"}:
            ours = {"brand": "brand", "category": "categories", "image": "images"}[name]
            fields.fail(ours, name, "a reference to another node", "REFERENCE")


def _image(value: Any) -> str:
    if isinstance(value, dict):
        return first_text(value.get("url")) or first_text(value.get("contentUrl"))
    return first_text(value)


def _put_attributes(fields: _Fields, node: Mapping[str, Any]) -> None:
    for name in _ATTRIBUTES:
        texts = [text for text in map(first_text, listed(node.get(name))) if text]
        fields.put(f"attributes.{name}", texts, name)
    for name in _MEASURES:
        fields.put(f"attributes.{name}", measure(first(node.get(name))), name)
    condition = local_name(first_text(node.get("itemCondition")))
    fields.put("attributes.condition", condition.removesuffix("Condition").lower(), "itemCondition")
    entries: dict[str, list[Mapping[str, Any]]] = {}
    for entry in listed(node.get("additionalProperty")):
        if isinstance(entry, dict) and (name := first_text(entry.get("name"))):
            entries.setdefault(name, []).append(entry)
    for name, same in entries.items():
        fields.put(f"attributes.{name}", property_value(same), "additionalProperty")


def _put_rating(fields: _Fields, value: Any) -> None:
    """Scaled from `worstRating` (default: nothing) and `bestRating` (5) to 0 to 5, as average / best x 5."""
    rating = first(value)
    if not isinstance(rating, dict):
        return
    count = count_text(rating.get("ratingCount")) or count_text(rating.get("reviewCount"))
    if not first_text(rating.get("ratingValue")) and count in {"", "0"}:
        # Shops leave the node there while nobody has rated the product.
        return
    average, best = amount_text(rating.get("ratingValue")), amount_text(rating.get("bestRating")) or Decimal(5)
    if average is None or best <= 0:
        fields.fail("rating_average", "aggregateRating", "its ratingValue or bestRating is not a number", "INVALID")
    else:
        fields.put("rating_average", average * 5 / best, "aggregateRating")
    fields.put("rating_count", count, "aggregateRating")
