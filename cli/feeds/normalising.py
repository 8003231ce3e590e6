"""What rows of every format have in common once their columns are ours: amounts, currencies, regions, GTINs."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from cli.feeds.gtins import gtin_of
from cli.feeds.prices import amount_of
from cli.problems import FieldError
from cli.rows import ReadOptions, Row
from cli.values import is_absent, text

_PRICES: Final = ("price", "original_price")
_OFFER: Final = (*_PRICES, "availability", "quantity")
_NAMES: Final = {"originalPrice": "original_price"}


def normalised(row: Row, options: ReadOptions) -> Row:
    """A row whose amounts are numbers beside one currency, whose offer has its region, and whose GTIN is right.

    A value that cannot be is left as it stands and becomes an error of the row; a wrong GTIN is dropped if so asked.
    """
    values = {_NAMES.get(name, name): value for name, value in row.values.items() if not is_absent(value)}
    errors, warnings = list(row.errors), list(row.warnings)
    spoilt = {error.field for error in errors}
    _read_prices(values, options, errors, spoilt)
    _read_gtin(values, errors, warnings, drop=options.drop_bad_gtin)
    if options.region and any(name in values for name in _OFFER):
        values.setdefault("region", options.region)
    return replace(row, values=values, errors=tuple(errors), warnings=tuple(warnings))


def _read_prices(values: dict[str, Any], options: ReadOptions, errors: list[FieldError], spoilt: set[str]) -> None:
    currencies: dict[str, None] = dict.fromkeys(_written_currency(values))
    as_written: dict[str, Any] = {name: values[name] for name in _PRICES if name in values}
    for name in _PRICES:
        value = values.get(name)
        if isinstance(value, str) and value.strip() and name not in spoilt:
            try:
                amount = amount_of(value, options.numbers)
            except FieldError as exc:
                errors.append(FieldError(name, exc.description, exc.reason))
                spoilt.add(name)
                continue
            values[name] = amount.value
            currencies.update({amount.currency: None} if amount.currency else {})
    _settle_currency(values, as_written, [*currencies], options, errors, spoilt)


def _written_currency(values: Mapping[str, Any]) -> list[str]:
    value = values.get("currency")
    return [value.strip().upper()] if isinstance(value, str) and value.strip() else []


def _settle_currency(
    values: dict[str, Any],
    as_written: Mapping[str, Any],
    found: list[str],
    options: ReadOptions,
    errors: list[FieldError],
    spoilt: set[str],
) -> None:
    priced = [name for name in _PRICES if isinstance(values.get(name), str | int | float | Decimal)]
    if not priced:
        return
    if len(found) > 1:
        description = "the prices and the currency of one offer are not of one currency"
        errors.extend(FieldError(name, description, "CURRENCY_CONFLICT") for name in priced if name not in spoilt)
        # Amounts without their currencies would be wrong in the file of rejected rows.
        values.update(as_written)
    elif found or options.currency:
        values["currency"] = found[0] if found else options.currency
    elif "currency" not in values:
        errors.extend(FieldError(name, "has no currency", "CURRENCY_MISSING") for name in priced if name not in spoilt)


def _read_gtin(values: dict[str, Any], errors: list[FieldError], warnings: list[FieldError], *, drop: bool) -> None:
    if "gtin" not in values:
        return
    try:
        written = text(values["gtin"])
        values["gtin"] = gtin_of(written) if written else ""
    except FieldError as exc:
        found = FieldError("gtin", exc.description, exc.reason)
        if drop:
            del values["gtin"]
            warnings.append(found)
        else:
            errors.append(found)
