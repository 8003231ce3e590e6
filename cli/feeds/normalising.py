"""What rows of every format have in common once their columns are ours: amounts, currencies, regions, GTINs."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from cli.feeds.gtins import gtin_of
from cli.feeds.prices import Amount, amount_of
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
    _Prices(values, errors, warnings, {name: values[name] for name in _PRICES if name in values}).read(options)
    _read_gtin(values, errors, warnings, drop=options.drop_bad_gtin)
    if options.region and any(name in values for name in _OFFER):
        values.setdefault("region", options.region)
    return replace(row, values=values, errors=tuple(errors), warnings=tuple(warnings))


@dataclass(slots=True)
class _Prices:
    """The two prices of an offer while they are read."""

    values: dict[str, Any]
    """All values of the row; amounts become numbers here."""
    errors: list[FieldError]
    warnings: list[FieldError]
    as_written: dict[str, Any]
    amounts: dict[str, Amount] = field(default_factory=dict)

    def read(self, options: ReadOptions) -> None:
        """Reads the amounts, and settles their currency."""
        for name, value in self.as_written.items():
            if isinstance(value, str) and value.strip() and not self._is_spoilt(name):
                try:
                    self.amounts[name] = amount_of(value, options.numbers)
                    self.values[name] = self.amounts[name].value
                except FieldError as exc:
                    self._refuse(name, exc.description, exc.reason)
        self._settle_currency(options.currency)
        self._drop_what_is_no_reduction()

    def _settle_currency(self, insisted: str) -> None:
        priced = [name for name in self.as_written if isinstance(self.values.get(name), str | int | float | Decimal)]
        found = list(dict.fromkeys([*self._written_currency(), *self._named_currencies()]))
        currency = found[0] if found else insisted
        if not priced:
            return
        if len(found) > 1:
            self._refuse_all(priced, "the prices and the currency of one offer are not of one currency")
        elif wrong := [name for name in priced if currency and not self._may_be(name, currency)]:
            self._refuse_all(wrong, "the sign beside it is not one of that currency")
        elif currency:
            self.values["currency"] = currency
        elif "currency" not in self.values:
            for name in priced:
                self._refuse(name, "has no currency", "CURRENCY_MISSING")

    def _written_currency(self) -> list[str]:
        value = self.values.get("currency")
        return [value.strip().upper()] if isinstance(value, str) and value.strip() else []

    def _named_currencies(self) -> list[str]:
        return [amount.currency for amount in self.amounts.values() if amount.currency]

    def _may_be(self, name: str, currency: str) -> bool:
        return name not in self.amounts or self.amounts[name].may_be(currency)

    def _drop_what_is_no_reduction(self) -> None:
        """A price before a reduction is above the price that holds."""
        price, before = (self.values.get(name) for name in _PRICES)
        if any(isinstance(amount, bool) or not isinstance(amount, int | float | Decimal) for amount in (price, before)):
            return
        if before < price and not any(self._is_spoilt(name) for name in _PRICES):  # type: ignore[operator]
            del self.values["original_price"]
            self.warnings.append(FieldError("original_price", "is below the price and was left out", "NOT_REDUCED"))

    def _refuse_all(self, names: list[str], description: str) -> None:
        for name in names:
            self._refuse(name, description, "CURRENCY_CONFLICT")
        # Amounts without their currencies would be wrong in the file of rejected rows.
        self.values.update(self.as_written)

    def _refuse(self, name: str, description: str, reason: str) -> None:
        if not self._is_spoilt(name):
            self.errors.append(FieldError(name, description, reason))

    def _is_spoilt(self, name: str) -> bool:
        return any(error.field == name for error in self.errors)


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
