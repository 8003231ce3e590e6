"""An item of a Google Merchant product feed as a row (support.google.com/merchants, "Product data specification").

Attributes that become no field of a product (shipping, tax, advertising) are reported as unused, and so are those that
the specification does not know.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cli.feeds.google_sales import SALE_TIME, prices_of
from cli.problems import FieldError
from cli.rows import Raw, ReadOptions, Row

Item = Mapping[str, Sequence[str]]
"""Values by name of the attribute, in the order of the feed; blank ones are left out."""

_TEXTS: Final = {
    "id": "id",
    "title": "title",
    "description": "description",
    "link": "uri",
    "brand": "brand",
    "gtin": "gtin",
    "item_group_id": "primary_product_id",
    "quantity": "quantity",
    "availability": "availability",
}
_ATTRIBUTES: Final = frozenset(
    {
        *(
            "age_group",
            "availability_date",
            "condition",
            "energy_efficiency_class",
            "gender",
            "google_product_category",
        ),
        *("mpn", "pattern", "size", "size_system"),
        *(f"custom_label_{number}" for number in range(5)),
    }
)
_LISTS: Final = {"color": "/", "material": "/", "product_highlight": None, "size_type": None}
"""Attributes with several values, and what stands between them in one text."""
_MEASURES: Final = frozenset(
    {"product_height", "product_length", "product_weight", "product_width", "unit_pricing_measure"}
)
_ELSEWHERE: Final = frozenset({"additional_image_link", "image_link", "price", "product_type", "sale_price"})
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "price": ("offers.price", "offers.original_price"),
    "sale_price": ("offers.price", "offers.original_price"),
    "availability": ("offers.availability",),
    "quantity": ("offers.quantity",),
    "image_link": ("images",),
    "additional_image_link": ("images",),
    "product_type": ("categories",),
    "google_product_category": ("categories", "attributes.google_product_category"),
}
USED: Final = frozenset({*_TEXTS, *_ATTRIBUTES, *_LISTS, *_MEASURES, *_ELSEWHERE, SALE_TIME})
"""The attributes that this module reads."""
_SINGLE: Final[Mapping[str, str]] = {
    **_TEXTS,
    **{name: f"attributes.{name}" for name in (*_ATTRIBUTES, *_MEASURES)},
    "price": "price",
    "sale_price": "price",
}
"""Attributes with one value, and the field that it fills."""
_MEASURE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]{1,16})")


def attribute_name(column: str) -> str:
    """`g:image_link`, `Image Link` and `image link` are one attribute; `size (text)` of an older feed is `size`."""
    name = re.sub(r"\s*\(.*\)$", "", column.strip().lower()).removeprefix("g:")
    return re.sub(r"[\s_]+", "_", name)


def fields_of(names: Iterable[str]) -> tuple[str, ...]:
    """The fields of a product that attributes speak of; the id is none."""
    found: dict[str, None] = {}
    for name in names:
        if name in _FIELDS:
            found.update(dict.fromkeys(_FIELDS[name]))
        elif name in _ATTRIBUTES or name in _LISTS or name in _MEASURES:
            found[f"attributes.{name}"] = None
        elif name in _TEXTS and name != "id":
            found[_TEXTS[name]] = None
    return tuple(found)


@dataclass(slots=True)
class _Fields:
    values: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)
    warnings: list[FieldError] = field(default_factory=list)

    def put(self, name: str, value: Any, column: str) -> None:
        self.values[name] = value
        self.columns[name] = column


def row_of(line: int, item: Item, options: ReadOptions, raw: Raw | None = None) -> Row:
    """The product that an item describes."""
    fields = _Fields()
    for name, values in item.items():
        _put(fields, name, values)
    _put_images(fields, item)
    _put_categories(fields, item)
    _put_prices(fields, item, options)
    _warn_of_several(fields, item)
    if fields.values.get("primary_product_id") == fields.values.get("id"):
        fields.values.pop("primary_product_id", None)
    return Row(line, fields.values, fields.columns, raw, tuple(fields.errors), tuple(fields.warnings))


def _put(fields: _Fields, name: str, values: Sequence[str]) -> None:
    if name in _TEXTS:
        fields.put(_TEXTS[name], values[0], name)
    elif name in _LISTS:
        fields.put(f"attributes.{name}", _split(values, _LISTS[name]), name)
    elif name in _MEASURES:
        fields.put(f"attributes.{name}", _measure(values[0]), name)
    elif name in _ATTRIBUTES:
        fields.put(f"attributes.{name}", values[0], name)


def _split(values: Sequence[str], separator: str | None) -> list[str]:
    parts = [part for value in values for part in (value.split(separator) if separator else [value])]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _measure(value: str) -> Any:
    """A number with its unit; a text where it is written in another way."""
    match = _MEASURE.fullmatch(value.strip())
    return {"numbers": [float(match[1])], "unit": match[2]} if match else value


def _put_images(fields: _Fields, item: Item) -> None:
    # A comma inside of an address is written as %2C there.
    more = [uri.strip() for value in item.get("additional_image_link", ()) for uri in value.split(",")]
    images = [uri for uri in [*item.get("image_link", ()), *more] if uri]
    if images:
        fields.put("images", list(dict.fromkeys(images)), "image_link")


def _put_categories(fields: _Fields, item: Item) -> None:
    google = [path for path in item.get("google_product_category", ()) if not path.strip().isdecimal()]
    if own := item.get("product_type"):
        fields.put("categories", list(own), "product_type")
    elif google:
        fields.put("categories", google, "google_product_category")


def _put_prices(fields: _Fields, item: Item, options: ReadOptions) -> None:
    try:
        prices = prices_of(item, options)
    except FieldError as exc:
        fields.errors.append(exc)
        fields.columns["price"] = SALE_TIME
        return
    is_sale = bool(prices.original) or "price" not in item
    if prices.price:
        fields.put("price", prices.price, "sale_price" if is_sale else "price")
    if prices.original:
        fields.put("original_price", prices.original, "price")
    if prices.warnings:
        fields.warnings.extend(prices.warnings)
        fields.columns["original_price"] = "sale_price"


def _warn_of_several(fields: _Fields, item: Item) -> None:
    """Of an attribute that holds one value the first one counts."""
    for name, values in item.items():
        field_name = _SINGLE.get(name)
        if field_name is not None and len(set(values)) > 1:
            warning = FieldError(field_name, "has several values, of which the first one is used", "SEVERAL_VALUES")
            fields.warnings.append(warning)
