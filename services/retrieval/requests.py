"""Rules that requests share: catalogue names, regions, batches of ids."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from services.common.errors import InvalidArgument, Violation

Key = str | tuple[str, ...]
"""What an item of a batch is about: a product, or the offer of a product and a region."""
DEFAULT_CATALOG: Final = "default"
_CATALOG: Final = re.compile(r"[a-z0-9_-]{1,64}")


def catalog_name(given: str) -> str:
    """The catalogue that a request names; `default` where it names none.

    Raises:
        InvalidArgument: it is no catalogue's name.
    """
    name = given or DEFAULT_CATALOG
    require([] if _CATALOG.fullmatch(name) else [_CATALOG_RULE])
    return name


def batch_violations(field: str, ids: Sequence[Key], limit: int, *, inner: str = "") -> Iterator[Violation]:
    """The rules of a batch: neither empty nor too large, each id at most once. `inner` is the id's path in an item."""
    if not ids:
        yield Violation(field, "must not be empty", "REQUIRED")
    if len(ids) > limit:
        yield Violation(field, f"must have at most {limit:,} entries", "TOO_MANY")
        return
    seen: set[Key] = set()
    for position, product_id in enumerate(ids):
        if product_id and product_id in seen:
            yield Violation(f"{field}[{position}]{inner}", "must not repeat within one request", "DUPLICATE")
        seen.add(product_id)


def page_size(given: int, default: int, largest: int) -> int:
    """How many entries one page of a list has; 0 = the default.

    Raises:
        InvalidArgument: it is negative.
    """
    require([_PAGE_RULE] if given < 0 else [])
    return min(given or default, largest)


def require(violations: Sequence[Violation]) -> None:
    """Nothing, where no rule is broken.

    Raises:
        InvalidArgument: names every rule that is.
    """
    if violations:
        raise InvalidArgument(violations)


_PAGE_RULE: Final = Violation("page_size", "must not be negative", "OUT_OF_RANGE")
_CATALOG_RULE: Final = Violation("catalog", "must be 1 to 64 characters of a-z 0-9 - _", "INVALID_FORMAT")
