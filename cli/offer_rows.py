"""Rows of a file of offers as updates."""

from collections.abc import Mapping
from typing import Any, Final

from cli.problems import FieldError, Problem
from cli.rows import Row
from cli.values import availability, currency_code, moment, money, text, whole_number
from zhiyin.common.v1.product_pb2 import Offer
from zhiyin.common.v1.write_pb2 import OfferUpdate

PRODUCT_ID: Final = "product_id"
WRITTEN: Final = ("price", "original_price", "availability", "quantity")
"""Fields that an update can name."""
COLUMNS: Final = (PRODUCT_ID, "region", *WRITTEN, "currency", "update_time")


def fields_of(columns: Mapping[str, Any] | tuple[str, ...]) -> tuple[str, ...]:
    """The fields that a file with these columns speaks of; others stay as they are stored."""
    return tuple(name for name in WRITTEN if name in columns)


def unknown_columns(columns: Mapping[str, Any] | tuple[str, ...]) -> list[str]:
    """Columns that no offer has."""
    return [name for name in columns if name not in COLUMNS]


def update_of(row: Row) -> OfferUpdate | list[Problem]:
    """The update that a row asks for, or everything that is wrong with it."""
    product_id = str(row.values.get(PRODUCT_ID, "")).strip()
    errors = [*row.errors]
    errors += [FieldError(name, "no such column", "UNKNOWN") for name in unknown_columns(row.values)]
    if not product_id:
        errors.append(FieldError(PRODUCT_ID, "is required", "REQUIRED"))
    update, wrong = OfferUpdate(), {error.field for error in errors}
    for name, value in row.values.items():
        if name not in wrong:
            try:
                _set(update, name, value, row.values)
            except FieldError as exc:
                errors.append(FieldError(name, exc.description, exc.reason))
    if errors:
        return [Problem(row.line, product_id, error.field, error.reason, error.description) for error in errors]
    return update


def _set(update: OfferUpdate, name: str, value: Any, values: Mapping[str, Any]) -> None:
    offer: Offer = update.offer
    match name:
        case "product_id":
            update.product_id = text(value)
        case "region":
            offer.region = text(value)
        case "price" | "original_price":
            getattr(offer, name).CopyFrom(money(value, currency_code(values.get("currency", ""))))
        case "availability":
            offer.availability = availability(value)
        case "quantity":
            offer.quantity = whole_number(value)
        case "update_time":
            offer.update_time.CopyFrom(moment(value))
        case _:
            # The currency is read with the amounts.
            currency_code(value)
