"""Options that say which products may be found, for every command that lists results."""

from dataclasses import dataclass
from typing import Annotated

import typer
from google.type.money_pb2 import Money

from cli.problems import FieldError
from cli.running import USAGE, CommandFailed
from cli.values import currency_code, money
from zhiyin.common.v1.filter_pb2 import AttributeCondition, PriceRange, ProductFilter
from zhiyin.common.v1.product_pb2 import Availability
from zhiyin.common.v1.result_set_pb2 import VariantMode

BrandOption = Annotated[list[str] | None, typer.Option("--brand", help="Only this brand; can be repeated.")]
CategoryOption = Annotated[
    list[str] | None, typer.Option("--category", help="Only below this path, `A > B`; can be repeated.")
]
MinPriceOption = Annotated[str | None, typer.Option("--min-price", help="Lowest price.")]
MaxPriceOption = Annotated[str | None, typer.Option("--max-price", help="Highest price.")]
CurrencyOption = Annotated[str, typer.Option("--currency", help="Currency of the prices, ISO 4217.")]
InStockOption = Annotated[bool, typer.Option("--in-stock", "--available", help="Only what can be bought now.")]
AttributeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        help="Only with this declared attribute: `colour=red|blue`, `size=42`, `weight=1..2 kg`, `vegan=yes`; "
        "can be repeated, and all must hold.",
    ),
]
RegionOption = Annotated[str, typer.Option("--region", help="Region of offers.")]
VisitorOption = Annotated[str, typer.Option("--visitor", help="Pseudonym of a visitor; results are then personal.")]
SeparateOption = Annotated[
    bool, typer.Option("--separate-variants", help="Every variant is a result of its own, instead of the best one.")
]
PageSizeOption = Annotated[int, typer.Option("--page-size", min=1, help="Results on one page.")]
PagesOption = Annotated[int, typer.Option("--pages", min=1, help="Pages to show, one after the other.")]
NextOption = Annotated[str, typer.Option("--next", help="Go on behind a page: its `next_page_token`.")]


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """What the options say of the filter, but for attributes."""

    brands: list[str]
    categories: list[str]
    min_price: str | None
    max_price: str | None
    currency: str
    in_stock: bool


def product_filter(options: FilterOptions, attributes: list[AttributeCondition]) -> ProductFilter | None:
    """The filter that the options ask for; None where they ask for none.

    Raises:
        CommandFailed: a price or the currency is none.
    """
    chosen = ProductFilter(brands=options.brands, categories=options.categories, attributes=attributes)
    price = PriceRange()
    if options.min_price is not None:
        price.min.CopyFrom(_price("--min-price", options.min_price, options.currency))
    if options.max_price is not None:
        price.max.CopyFrom(_price("--max-price", options.max_price, options.currency))
    if price.ByteSize():
        chosen.price.CopyFrom(price)
    if options.in_stock:
        chosen.availabilities.append(Availability.AVAILABILITY_IN_STOCK)
    return chosen if chosen.ByteSize() else None


def variant_mode(*, separate: bool) -> "VariantMode.ValueType":
    """How variants are shown."""
    return VariantMode.VARIANT_MODE_SEPARATE if separate else VariantMode.VARIANT_MODE_COLLAPSED


def _price(option: str, value: str, currency: str) -> Money:
    try:
        return money(value, currency_code(currency))
    except FieldError as exc:
        raise CommandFailed(f"{option}, --currency: {exc.description}", USAGE) from exc
