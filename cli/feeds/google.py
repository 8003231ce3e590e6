"""An item of a Google Merchant product feed as a row (support.google.com/merchants, "Product data specification").

Attributes that become no field of a product (shipping, tax, advertising) are reported as unused, and so are those that
the specification does not know.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

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
_SALE_TIME: Final = "sale_price_effective_date"
USED: Final = frozenset({*_TEXTS, *_ATTRIBUTES, *_LISTS, *_MEASURES, *_ELSEWHERE, _SALE_TIME})
"""The attributes that this module reads."""
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
    _put_prices(fields, item, options.now)
    if fields.values.get("primary_product_id") == fields.values.get("id"):
        fields.values.pop("primary_product_id", None)
    return Row(line, fields.values, fields.columns, raw, tuple(fields.errors))


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


def _put_prices(fields: _Fields, item: Item, now: datetime) -> None:
    price, sale = item.get("price", [""])[0], item.get("sale_price", [""])[0]
    try:
        on_sale = bool(sale) and _is_in_effect(item.get(_SALE_TIME, [""])[0], now)
    except ValueError:
        description = "its effective dates are not two times of ISO 8601 with / between them"
        fields.errors.append(FieldError("price", description, "INVALID_FORMAT"))
        fields.columns["price"] = _SALE_TIME
        return
    if on_sale:
        fields.put("price", sale, "sale_price")
        if price:
            fields.put("original_price", price, "price")
    elif price:
        fields.put("price", price, "price")


def _is_in_effect(period: str, now: datetime) -> bool:
    """Whether a sale price holds; one without dates always does."""
    if not period.strip():
        return True
    start, end = (_time(part.strip()) for part in period.split("/"))
    return start <= now <= end


def _time(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
