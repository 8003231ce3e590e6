"""The products of one handle of Shopify's product CSV.

A product without options is one product, with the handle as its id. One with variants is a primary product with the
handle as its id, and one product per variant, `handle:SKU`, or `handle:n` where the SKU is missing, taken already or
cannot stand in an id; n is the place among the variants. The primary product shows the offer of its first variant that
can be bought, as the shop's own page does.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from cli.feeds.shopify_groups import Group, ShopifyRow
from cli.problems import FieldError, Problem
from cli.rows import BadRow, Remarks, Row

_NO_OPTION: Final = ("title", "default title")
_OPTIONS: Final = ("option1", "option2", "option3")
_HIDDEN: Final = frozenset({"draft", "archived", "unlisted"})
_NO: Final = frozenset({"false", "no", "0"})
_ID: Final = re.compile(r"[A-Za-z0-9._:/-]+")
_ID_CHARACTERS: Final = 128
_HANDLE_CHARACTERS: Final = 100
"""Leaves room for `:` and an SKU."""
_TAGS: Final = 50
_TAG_CHARACTERS: Final = 256
"""The service's default limits of an attribute; Shopify allows 250 tags."""
_CHANGED: Final = FieldError("id", "no id as it stands: its allowed characters and a hash are used", "ID_CHANGED")
_CUT: Final = FieldError(
    "attributes.tags", f"tags beyond the {_TAGS}th or {_TAG_CHARACTERS} characters were left out", "TOO_MANY"
)
_FIELDS: Final = {
    "title": ("title",),
    "body": ("description",),
    "vendor": ("brand",),
    "category": ("categories",),
    "type": ("categories", "attributes"),
    "tags": ("attributes",),
    "option1 value": ("attributes", "primary_product_id"),
    "sku": ("sku",),
    "barcode": ("gtin",),
    "image": ("images",),
    "variant image": ("images",),
    "price": ("offers.price",),
    "compare": ("offers.original_price",),
    "quantity": ("offers.quantity", "offers.availability"),
}
_COLUMNS: Final = {
    "id": "handle",
    "title": "title",
    "description": "body",
    "brand": "vendor",
    "categories": "category",
    "attributes.product_type": "type",
    "attributes.tags": "tags",
    "sku": "sku",
    "gtin": "barcode",
    "images": "image",
    "price": "price",
    "original_price": "compare",
    "quantity": "quantity",
    "availability": "quantity",
}


@dataclass(frozen=True, slots=True)
class _Variant:
    row: ShopifyRow
    options: Mapping[str, str]
    """Value by the option's name in lower case."""


def fields_of(columns: Mapping[str, str]) -> tuple[str, ...]:
    """The fields of a product that the columns of a file speak of."""
    return tuple(dict.fromkeys(name for ours in columns for name in _FIELDS.get(ours, ())))


def products_of(group: Group, remarks: Remarks) -> Iterator[Row | BadRow]:
    """The products of a group; none where the shop does not offer it."""
    first = group.rows[0]
    if _is_hidden(first):
        remarks.skipped += 1
        return
    columns = {field: group.columns[ours] for field, ours in _COLUMNS.items() if ours in group.columns}
    if group.has("title") and not first.cells["title"]:
        problem = Problem(first.line, group.handle, "title", "NO_TITLE_ROW", "the first row has no title", "Title")
        yield BadRow(problem, group.raw)
        return
    common, raw = _common(group), group.raw
    own_id = document_id(group.handle)
    warnings = (*(() if own_id == group.handle else (_CHANGED,)), *(() if _fits(_tags(group)) else (_CUT,)))
    variants = list(_variants(group))
    if len(variants) == 1 and not variants[0].options:
        values = {"id": own_id, **common, **_own(group, variants[0])}
        yield Row(first.line, values, columns, raw, warnings=warnings)
        return
    rows = [
        Row(variant.row.line, {**common, **_own(group, variant), "id": product_id}, columns, raw)
        for variant, product_id in zip(variants, _ids(own_id, variants), strict=True)
    ]
    yield Row(first.line, {**common, **_shown_offer(rows), "id": own_id}, columns, raw, warnings=warnings)
    yield from (replace(row, values={**row.values, "primary_product_id": own_id}) for row in rows)


def document_id(handle: str) -> str:
    """A handle as a product's id: itself, or its allowed characters and a hash of it where it has others or is long."""
    if _ID.fullmatch(handle) and len(handle) <= _HANDLE_CHARACTERS:
        return handle
    allowed = re.sub(r"[^A-Za-z0-9._:/-]+", "-", handle)[: _HANDLE_CHARACTERS - 17].strip("-")
    return f"{allowed}.{sha256(handle.encode('utf-8', 'replace')).hexdigest()[:16]}".removeprefix(".")


def _is_hidden(row: ShopifyRow) -> bool:
    return row.cells.get("status", "").lower() in _HIDDEN or row.cells.get("published", "").lower() in _NO


def _variants(group: Group) -> Iterator[_Variant]:
    # Names of options stand in the first row only.
    names = {option: group.rows[0].cells.get(f"{option} name", "").lower() for option in _OPTIONS}
    for place, row in enumerate(group.rows):
        if place == 0 or row.is_variant:
            values = {names[option] or option: row.cells.get(f"{option} value", "") for option in _OPTIONS}
            yield _Variant(row, {name: value for name, value in values.items() if _is_option(name, value)})


def _is_option(name: str, value: str) -> bool:
    return bool(value) and (name, value.lower()) != _NO_OPTION


def _ids(handle: str, variants: list[_Variant]) -> Iterator[str]:
    taken: set[str] = set()
    for place, variant in enumerate(variants, start=1):
        sku = variant.row.cells.get("sku", "").removeprefix("'")
        fits = _ID.fullmatch(sku) and len(handle) + len(sku) < _ID_CHARACTERS
        part = sku if fits and sku not in taken else str(place)
        while part in taken:
            part = f"{part}.{place}"
        taken.add(part)
        yield f"{handle}:{part}"


def _common(group: Group) -> dict[str, Any]:
    """What all products of a handle share. A column that is missing leaves its field out."""
    cells = group.rows[0].cells
    paths = cells.get("category") or cells.get("type")
    found: dict[str, Any] = {
        "title": cells.get("title"),
        "description": cells.get("body"),
        "brand": cells.get("vendor"),
        "categories": [paths] if paths else None,
        "attributes.product_type": cells.get("type"),
        "attributes.tags": [tag for tag in _tags(group) if len(tag) <= _TAG_CHARACTERS][:_TAGS],
        "images": _images(group),
    }
    return {name: value for name, value in found.items() if value}


def _tags(group: Group) -> list[str]:
    written = group.rows[0].cells.get("tags", "").split(",")
    return list(dict.fromkeys(tag.strip() for tag in written if tag.strip()))


def _fits(tags: list[str]) -> bool:
    return len(tags) <= _TAGS and all(len(tag) <= _TAG_CHARACTERS for tag in tags)


def _images(group: Group) -> list[str]:
    placed = [(_place(row), row.cells["image"]) for row in group.rows if row.cells.get("image")]
    return list(dict.fromkeys(uri for _, uri in sorted(placed, key=lambda image: image[0])))


def _place(row: ShopifyRow) -> int:
    position = row.cells.get("image position", "")
    return int(position) if position.isascii() and position.isdigit() and len(position) < 10 else 1_000_000_000


def _own(group: Group, variant: _Variant) -> dict[str, Any]:
    """What a variant has of its own."""
    cells = variant.row.cells
    found: dict[str, Any] = {f"attributes.{name}": value for name, value in variant.options.items()}
    found |= {"sku": cells.get("sku", "").removeprefix("'"), "gtin": cells.get("barcode", "").removeprefix("'")}
    found |= _offer(cells)
    if own_image := cells.get("variant image"):
        found["images"] = list(dict.fromkeys([own_image, *_images(group)]))
    return {name: value for name, value in found.items() if value != ""}


def _offer(cells: Mapping[str, str]) -> dict[str, Any]:
    price, before = cells.get("price", ""), cells.get("compare", "")
    # Shopify writes 0 or the price itself where there is no reduction.
    reduced = before if before != price and before.strip("0.,") else ""
    return {"price": price, "original_price": reduced, **_stock(cells)}


def _stock(cells: Mapping[str, str]) -> dict[str, Any]:
    """Quantity and availability. Stock that nobody counts is there; less than nothing is oversold."""
    if "tracker" in cells and not cells["tracker"]:
        return {"availability": "in_stock"}
    written = cells.get("quantity", "")
    number = re.fullmatch(r"(-?[0-9]{1,18})(?:\.0*)?", written)
    if number is None:
        return {"quantity": written}
    quantity = int(number[1])
    if quantity > 0:
        return {"quantity": quantity, "availability": "in_stock"}
    goes_on = cells.get("policy", "").lower() in {"continue", "true", "yes"}
    return {"quantity": 0, "availability": "backorder" if goes_on else "out_of_stock"}


def _shown_offer(rows: list[Row]) -> dict[str, Any]:
    bought = (row for row in rows if row.values.get("availability") in {"in_stock", "backorder"})
    shown = next(bought, rows[0])
    names = ("price", "original_price", "quantity", "availability")
    return {name: shown.values[name] for name in names if name in shown.values}
