"""Field masks: which fields of what is stored a write replaces.

A path names a field of the message; `attributes.NAME` names one attribute, which is removed where the write has none of
that name. An update time that is given counts, named or not: it guards against writes that come too late.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from services.common.errors import Violation
from services.retrieval.attributes import ATTRIBUTE_FIELD
from services.retrieval.validation import ProductLimits

PRODUCT_FIELDS: Final = (
    "title",
    "description",
    "brand",
    "categories",
    "language_code",
    "images",
    "uri",
    "sku",
    "gtin",
    "primary_product_id",
    "rating",
    "sales_count",
    "create_time",
    "update_time",
    "attributes",
    "offers",
)
OFFER_FIELDS: Final = ("price", "original_price", "availability", "quantity")


def product_mask_violations(paths: Sequence[str], limits: ProductLimits) -> Iterator[Violation]:
    """Paths of a mask that name nothing that can be written of a product."""
    most = len(PRODUCT_FIELDS) + 2 * limits.attributes
    if len(paths) > most:
        yield Violation("update_mask.paths", f"must have at most {most} entries", "TOO_MANY")
        return
    for position, path in enumerate(paths):
        field = f"update_mask.paths[{position}]"
        if path.startswith(ATTRIBUTE_FIELD):
            if not 1 <= len(attribute_of(path)) <= limits.attribute_name_characters:
                reach = f"1 to {limits.attribute_name_characters} characters"
                yield Violation(field, f"must name an attribute of {reach} behind `{ATTRIBUTE_FIELD}`", "TOO_LONG")
        elif path not in PRODUCT_FIELDS:
            yield Violation(field, "must be a field of Product other than `id` and `etag`", "UNKNOWN_FIELD")


def offer_mask_violations(paths: Sequence[str]) -> Iterator[Violation]:
    """Paths of a mask that name nothing that can be written of an offer."""
    if len(paths) > len(OFFER_FIELDS):
        yield Violation("update_mask.paths", f"must have at most {len(OFFER_FIELDS)} entries", "TOO_MANY")
        return
    for position, path in enumerate(paths):
        if path not in OFFER_FIELDS:
            names = ", ".join(f"`{name}`" for name in OFFER_FIELDS)
            yield Violation(f"update_mask.paths[{position}]", f"must be one of {names}", "UNKNOWN_FIELD")


def attribute_of(path: str) -> str:
    """The attribute that a path names; empty where it names none."""
    return path.removeprefix(ATTRIBUTE_FIELD) if path.startswith(ATTRIBUTE_FIELD) else ""
