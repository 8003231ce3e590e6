"""A row of an import as a Product. The columns are listed in cli/README.md."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import Message

from cli.problems import FieldError, Problem, Severity
from cli.rows import Row
from cli.values import availability, currency_code, is_absent, moment, money, number, text, texts, whole_number
from zhiyin.common.v1.product_pb2 import AttributeValue, Image, Offer, Product, Rating

M = TypeVar("M", bound=Message)
Setter = Callable[[Product, Any], None]

ATTRIBUTE_PREFIX: Final = "attributes."
_TEXTS: Final = (
    "id",
    "title",
    "description",
    "brand",
    "language_code",
    "uri",
    "sku",
    "gtin",
    "primary_product_id",
    "etag",
)
_PROTO_NAMES: Final = {field.camelcase_name: field.name for field in Product.DESCRIPTOR.fields}
_ON_THE_WAY: Final = re.compile(r"Failed to parse (\w+) field")
_SHORT_OFFER: Final = ("price", "original_price", "currency", "availability", "quantity", "region")
_OFFER_PATH: Final = re.compile(r"^offers\[0\]\.")
_MASKED: Final = {
    **{name: f"offers.{name}" for name in ("price", "original_price", "availability", "quantity")},
    "image": "images",
    "rating_average": "rating",
    "rating_count": "rating",
}


def product_of(row: Row) -> Product | list[Problem]:
    """The product that a row describes, or everything that is wrong with the row.

    Only the form is checked here: what a field may hold is decided by the service, so that the rules are in one place.
    """
    given = {_PROTO_NAMES.get(name, name): value for name, value in row.values.items() if not is_absent(value)}
    known = {error.field for error in row.errors}
    values = {name: value for name, value in given.items() if name not in known}
    product = Product()
    errors = list(row.errors)
    for name, value in values.items():
        try:
            _set_field(product, name, value)
        except FieldError as exc:
            errors.append(exc)
    errors.extend(_set_short_offer(product, values))
    if "id" not in given and "id" not in known:
        errors.append(FieldError("id", "is required", "REQUIRED"))
    if not errors:
        return product
    return [problem_of(row, product.id, error) for error in errors]


def problem_of(row: Row, product_id: str, error: FieldError, severity: Severity = Severity.ERROR) -> Problem:
    """What is wrong with a field of a row, with the column that the field came from."""
    column = column_of(row, error.field)
    return Problem(row.line, product_id, error.field, error.reason, error.description, column, severity)


def column_of(row: Row, field: str) -> str:
    """The column of the file that a field of a product came from; empty where it has the field's name."""
    if not row.columns:
        return ""
    inner = _OFFER_PATH.sub("", field)
    for name in (inner, re.split(r"[.\[]", inner)[0]):
        if name in row.columns:
            return row.columns[name]
    return ""


def mask_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The fields of a product that columns speak of, `offers.price` for those of offers; the id is none."""
    names = [_PROTO_NAMES.get(name, name) for name in columns]
    fields = {_MASKED.get(name, name): None for name in names}
    return tuple(name for name in fields if name not in {"id", "etag", "currency", "region"})


def unknown_columns(columns: tuple[str, ...]) -> list[str]:
    """The columns that stand for nothing in a product."""
    return [name for name in columns if not _is_known(_PROTO_NAMES.get(name, name))]


def _is_known(name: str) -> bool:
    return name in _SETTERS or name in _SHORT_OFFER or name.startswith(ATTRIBUTE_PREFIX)


def _set_field(product: Product, name: str, value: Any) -> None:
    if name in _SHORT_OFFER:
        return
    try:
        _setter_of(name)(product, value)
    except FieldError as exc:
        raise FieldError(f"{name}{exc.field}", exc.description, exc.reason) from None


def _setter_of(name: str) -> Setter:
    if name.startswith(ATTRIBUTE_PREFIX):
        return lambda product, value: product.attributes[name.removeprefix(ATTRIBUTE_PREFIX)].CopyFrom(
            _attribute(value)
        )
    if name in _SETTERS:
        return _SETTERS[name]
    raise FieldError("", f"no such field; an attribute is written as `{ATTRIBUTE_PREFIX}NAME`", "UNKNOWN")


def _set_short_offer(product: Product, values: Mapping[str, Any]) -> list[FieldError]:
    """The columns of one offer; a product with several of them gives `offers`."""
    given = {name: values[name] for name in _SHORT_OFFER if name in values}
    if not given:
        return []
    if "offers" in values:
        return [FieldError(next(iter(given)), "give either `offers` or the columns of one offer", "CONFLICT")]
    offer, errors = Offer(), []
    currency = ""
    for name in ("currency", *(name for name in given if name != "currency")):
        try:
            if name == "currency":
                currency = currency_code(given[name]) if name in given else ""
            else:
                _set_offer_field(offer, name, given[name], currency)
        except FieldError as exc:
            errors.append(FieldError(name, exc.description, exc.reason))
    product.offers.append(offer)
    return errors


def _set_offer_field(offer: Offer, name: str, value: Any, currency: str) -> None:
    if name in {"price", "original_price"}:
        if not currency:
            raise FieldError("", "needs the column `currency`", "REQUIRED")
        getattr(offer, name).CopyFrom(money(value, currency))
    elif name == "availability":
        offer.availability = availability(value)
    elif name == "quantity":
        offer.quantity = whole_number(value)
    else:
        offer.region = text(value)


def _set_images(product: Product, value: Any) -> None:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        product.images.extend(_message(Image(), item, f"[{i}]") for i, item in enumerate(value))
    else:
        product.images.extend(Image(uri=uri) for uri in texts(value))


def _set_offers(product: Product, value: Any) -> None:
    if not isinstance(value, list):
        raise FieldError("", "not a list of offers")
    product.offers.extend(_message(Offer(), item, f"[{i}]") for i, item in enumerate(value))


def _set_attributes(product: Product, value: Any) -> None:
    # A column of maps comes from Parquet as a list of pairs.
    pairs = value.items() if isinstance(value, dict) else value
    try:
        attributes = dict(pairs)
    except (TypeError, ValueError):
        raise FieldError("", "not a map from name to value") from None
    for name, item in attributes.items():
        try:
            product.attributes[text(name)].CopyFrom(_attribute(item))
        except FieldError as exc:
            raise FieldError(f".{name}{exc.field}", exc.description, exc.reason) from None


def _attribute(value: Any) -> AttributeValue:
    if isinstance(value, dict):
        return _message(AttributeValue(), value, "")
    if isinstance(value, bool):
        return AttributeValue(flag=value)
    items = value if isinstance(value, list) else [value]
    if items and all(isinstance(item, int | float | Decimal) and not isinstance(item, bool) for item in items):
        return AttributeValue(numbers=[number(item) for item in items])
    if all(isinstance(item, str) for item in items):
        return AttributeValue(texts=[text(item) for item in items])
    raise FieldError("", "neither texts nor numbers nor a yes or no")


def _message(message: M, value: Any, path: str) -> M:
    """`value` as proto JSON."""
    try:
        return Parse(json.dumps(value, default=_json_value), message)
    except ParseError as exc:
        # The text of the error may quote the value; the names of the fields on the way to it are ours.
        inner = "".join(f".{name}" for name in _ON_THE_WAY.findall(str(exc)))
        raise FieldError(f"{path}{inner}", f"not the proto JSON form of {message.DESCRIPTOR.name}") from None


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return moment(value).ToJsonString()
    raise FieldError("", "holds a value that JSON has no form for")


def _text_setter(name: str) -> Setter:
    def set_text(product: Product, value: Any) -> None:
        setattr(product, name, text(value))

    return set_text


def _set_rating_average(product: Product, value: Any) -> None:
    product.rating.average = number(value)


def _set_rating_count(product: Product, value: Any) -> None:
    product.rating.count = whole_number(value)


def _set_sales_count(product: Product, value: Any) -> None:
    product.sales_count = whole_number(value)


_SETTERS: Final[dict[str, Setter]] = {
    **{name: _text_setter(name) for name in _TEXTS},
    "categories": lambda product, value: product.categories.extend(texts(value)),
    "image": lambda product, value: product.images.append(Image(uri=text(value))),
    "images": _set_images,
    "rating": lambda product, value: product.rating.MergeFrom(_message(Rating(), value, "")),
    "rating_average": _set_rating_average,
    "rating_count": _set_rating_count,
    "sales_count": _set_sales_count,
    "create_time": lambda product, value: product.create_time.CopyFrom(moment(value)),
    "update_time": lambda product, value: product.update_time.CopyFrom(moment(value)),
    "attributes": _set_attributes,
    "offers": _set_offers,
}
