"""What a product has to be: every rule, with its limit, as one list of violations."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stdnum import ean

from services.common.errors import Violation
from services.retrieval import categories
from services.retrieval.product import AttributeValue, Money, Offer, Product, Timestamp
from services.retrieval.text_cleaning import strip_markup

PRODUCT_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}")
_GTIN: Final = re.compile(r"\d{8}|\d{12,14}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MAX_AVAILABILITY: Final = 4
_NANOS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ProductLimits:
    """How much a product may hold; characters are Unicode code points."""

    title_characters: int = 1_000
    """Without markup."""
    description_characters: int = 20_000
    """Without markup."""
    markup_factor: int = 5
    """With its markup a text may be this many times as long."""
    brand_characters: int = 200
    categories: int = 20
    category_levels: int = 10
    category_characters: int = 200
    images: int = 50
    uri_characters: int = 2_000
    sku_characters: int = 128
    attributes: int = 100
    attribute_name_characters: int = 64
    attribute_values: int = 50
    attribute_characters: int = 256
    offers: int = 250
    region_characters: int = 64


def product_violations(product: Product, limits: ProductLimits) -> list[Violation]:
    """Every rule that a product breaks; empty where it may be stored."""
    return [
        *_identity(product),
        *_texts(product, limits),
        *_categories(product, limits),
        *_images(product, limits),
        *_numbers(product),
        *_timestamp("create_time", product.create_time),
        *_timestamp("update_time", product.update_time),
        *_attributes(product.attributes or {}, limits),
        *_offers(product, limits),
    ]


def product_id_violations(field: str, product_id: str) -> Iterator[Violation]:
    """The rule of product ids."""
    if not product_id:
        yield Violation(field, "must be given", "REQUIRED")
    elif not PRODUCT_ID.fullmatch(product_id):
        yield Violation(field, "must be 1 to 128 characters of A-Z a-z 0-9 . _ : - /", "INVALID_FORMAT")


def money_violations(field: str, money: Money) -> Iterator[Violation]:
    """The rules of an amount: a currency, and not below zero."""
    if not _CURRENCY.fullmatch(money.currency):
        yield Violation(f"{field}.currency_code", "must be three capital letters (ISO 4217)", "INVALID_FORMAT")
    if money.units < 0 or not 0 <= money.nanos < _NANOS:
        yield Violation(field, "must not be negative, with nanos from 0 to 999,999,999", "OUT_OF_RANGE")


def too_long(field: str, text: str, limit: int) -> Iterator[Violation]:
    """The rule of a text's length."""
    if len(text) > limit:
        yield Violation(field, f"must have at most {limit:,} characters", "TOO_LONG")


def too_many(field: str, count: int, limit: int) -> Iterator[Violation]:
    """The rule of a list's length."""
    if count > limit:
        yield Violation(field, f"must have at most {limit:,} entries", "TOO_MANY")


def _identity(product: Product) -> Iterator[Violation]:
    yield from product_id_violations("id", product.id)
    if product.primary_product_id:
        yield from product_id_violations("primary_product_id", product.primary_product_id)
        if product.primary_product_id == product.id:
            yield Violation("primary_product_id", "must be another product", "INVALID")
    if product.gtin and not _GTIN.fullmatch(product.gtin):
        yield Violation("gtin", "must have 8, 12, 13 or 14 digits", "INVALID_FORMAT")
    elif product.gtin and not ean.is_valid(product.gtin):
        yield Violation("gtin", "must end with its check digit (GS1 General Specifications, 7.9)", "GTIN_CHECK_DIGIT")
    if product.language_code and not _LANGUAGE.fullmatch(product.language_code):
        yield Violation("language_code", "must be a BCP-47 tag", "INVALID_FORMAT")


def _texts(product: Product, limits: ProductLimits) -> Iterator[Violation]:
    title = list(_marked_up("title", product.title, limits.title_characters, limits.markup_factor))
    if not title and not strip_markup(product.title):
        yield Violation("title", "must hold text once HTML and control characters are removed", "REQUIRED")
    yield from title
    yield from _marked_up("description", product.description, limits.description_characters, limits.markup_factor)
    yield from too_long("brand", product.brand, limits.brand_characters)
    yield from too_long("uri", product.uri, limits.uri_characters)
    yield from too_long("sku", product.sku, limits.sku_characters)


def _marked_up(field: str, text: str, limit: int, factor: int) -> Iterator[Violation]:
    # Markup is not counted, but it is bounded, or cleaning it would be work without limit.
    if len(text) > factor * limit:
        yield Violation(field, f"must have at most {factor * limit:,} characters with its markup", "TOO_LONG")
    elif len(text) > limit:  # removing markup makes no text longer
        yield from too_long(field, strip_markup(text), limit)


def _categories(product: Product, limits: ProductLimits) -> Iterator[Violation]:
    yield from too_many("categories", len(product.categories), limits.categories)
    for position, path in enumerate(product.categories[: limits.categories]):
        yield from category_violations(f"categories[{position}]", path, limits)


def category_violations(field: str, path: str, limits: ProductLimits) -> Iterator[Violation]:
    """The rules of a category path."""
    names = categories.levels(path)
    if not all(names):
        yield Violation(field, "must name every level, `Grocery > Dairy`", "INVALID_FORMAT")
    if len(names) > limits.category_levels:
        yield Violation(field, f"must have at most {limits.category_levels} levels", "TOO_MANY")
    if any(len(name) > limits.category_characters for name in names):
        yield Violation(field, f"each level must have at most {limits.category_characters} characters", "TOO_LONG")


def _images(product: Product, limits: ProductLimits) -> Iterator[Violation]:
    yield from too_many("images", len(product.images), limits.images)
    for position, image in enumerate(product.images[: limits.images]):
        field = f"images[{position}]"
        if not image.uri:
            yield Violation(f"{field}.uri", "must be given", "REQUIRED")
        yield from too_long(f"{field}.uri", image.uri, limits.uri_characters)
        if image.height < 0 or image.width < 0:
            yield Violation(field, "height and width must not be negative", "OUT_OF_RANGE")


def _numbers(product: Product) -> Iterator[Violation]:
    rating = product.rating
    if rating is not None:
        if not 0 <= rating.average <= 5:  # NaN fails it too
            yield Violation("rating.average", "must be 0 to 5", "OUT_OF_RANGE")
        if rating.count < 0:
            yield Violation("rating.count", "must not be negative", "OUT_OF_RANGE")
    if product.sales_count is not None and product.sales_count < 0:
        yield Violation("sales_count", "must not be negative", "OUT_OF_RANGE")


def _timestamp(field: str, moment: Timestamp | None) -> Iterator[Violation]:
    if moment is not None and not moment.is_valid:
        yield Violation(field, "must lie in the years 1 to 9999, with nanos from 0 to 999,999,999", "OUT_OF_RANGE")


def _attributes(attributes: Mapping[str, AttributeValue], limits: ProductLimits) -> Iterator[Violation]:
    yield from too_many("attributes", len(attributes), limits.attributes)
    # By position in the order of names: a name is the shop's own text and is not repeated in a message.
    for position, name in enumerate(sorted(attributes)[: limits.attributes]):
        field = f"attributes[{position}]"
        if not 1 <= len(name) <= limits.attribute_name_characters:
            yield Violation(field, f"names must have 1 to {limits.attribute_name_characters} characters", "TOO_LONG")
        yield from _attribute(field, attributes[name], limits)


def _attribute(field: str, value: AttributeValue, limits: ProductLimits) -> Iterator[Violation]:
    if (bool(value.texts), bool(value.numbers), value.flag is not None).count(True) != 1:
        yield Violation(field, "must hold either texts, or numbers, or a flag", "INVALID")
    if value.unit and not value.numbers:
        yield Violation(f"{field}.unit", "belongs to numbers only", "INVALID")
    yield from too_long(f"{field}.unit", value.unit, limits.attribute_name_characters)
    yield from too_many(f"{field}.texts", len(value.texts), limits.attribute_values)
    yield from too_many(f"{field}.numbers", len(value.numbers), limits.attribute_values)
    for position, text in enumerate(value.texts[: limits.attribute_values]):
        yield from too_long(f"{field}.texts[{position}]", text, limits.attribute_characters)
    if not all(math.isfinite(number) for number in value.numbers):
        yield Violation(f"{field}.numbers", "must be finite", "OUT_OF_RANGE")


def _offers(product: Product, limits: ProductLimits) -> Iterator[Violation]:
    yield from too_many("offers", len(product.offers), limits.offers)
    yield from _repeated_regions(product.offers)
    for position, offer in enumerate(product.offers[: limits.offers]):
        yield from offer_violations(f"offers[{position}]", offer, limits)


def _repeated_regions(offers: Iterable[Offer]) -> Iterator[Violation]:
    seen: set[str] = set()
    for position, offer in enumerate(offers):
        if offer.region in seen:
            yield Violation(f"offers[{position}].region", "must not repeat: one offer per region", "DUPLICATE")
        seen.add(offer.region)


def offer_violations(field: str, offer: Offer, limits: ProductLimits) -> Iterator[Violation]:
    """The rules of an offer."""
    yield from too_long(f"{field}.region", offer.region, limits.region_characters)
    if _CONTROL.search(offer.region):
        yield Violation(f"{field}.region", "must not hold control characters", "INVALID_FORMAT")
    for name, money in (("price", offer.price), ("original_price", offer.original_price)):
        if money is not None:
            yield from money_violations(f"{field}.{name}", money)
    if offer.price and offer.original_price and offer.price.currency != offer.original_price.currency:
        yield Violation(f"{field}.original_price.currency_code", "must be the currency of the price", "INVALID")
    if not 0 <= offer.availability <= _MAX_AVAILABILITY:
        yield Violation(f"{field}.availability", "must be a value of the enum", "OUT_OF_RANGE")
    if offer.quantity is not None and offer.quantity < 0:
        yield Violation(f"{field}.quantity", "must not be negative", "OUT_OF_RANGE")
    yield from _timestamp(f"{field}.update_time", offer.update_time)
