"""Reading many products: by their ids, or the whole catalogue page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.common.errors import NotFound, invalid
from services.retrieval.requests import batch_violations, page_size, require
from services.retrieval.validation import product_id_violations

_TOLD_MISSING: Final = 16
"""Ids of missing products that an error names: it travels in HTTP/2 trailers, which gRPC limits to 8 KiB."""


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product as it was sent."""

    product_id: str
    change: int
    content: bytes | None = None
    """The message without its etag and its offers; None = not asked for, or beyond what a reply may hold."""
    offers: Sequence[bytes] = ()
    """The messages of its offers, by region."""


@dataclass(frozen=True, slots=True)
class ProductPage:
    """Products by id, compared as bytes."""

    products: Sequence[ListedProduct]
    more: bool
    """Whether there are products behind the last one."""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which products a page shows."""

    size: int
    after: str = ""
    """Id that those of the page come after."""
    primary: str = ""
    """Only this product and its variants; empty = all."""
    ids_only: bool = False


@dataclass(frozen=True, slots=True)
class ListingLimits:
    """How much one reply may hold."""

    batch: int = 500
    """Products asked for by id."""
    page: int = 100
    largest_page: int = 500
    content_bytes: int = 16 * 1024 * 1024
    """Of products and offers; a product that is larger alone is given all the same."""


class ProductReader(Protocol):
    """Where products are read."""

    async def read(self, catalog: str, ids: Sequence[str], content_bytes: int) -> Sequence[ListedProduct]:
        """Those of the products that exist, by id; without content from where it would be beyond `content_bytes`."""

    async def page(self, catalog: str, query: PageQuery, content_bytes: int) -> ProductPage:
        """One page; shorter than asked for where it would be beyond `content_bytes`."""


class ProductListing:
    """Products of a catalogue as they were imported."""

    def __init__(self, reader: ProductReader, limits: ListingLimits) -> None:
        self._reader = reader
        self._limits = limits

    async def batch(self, catalog: str, ids: Sequence[str]) -> list[ListedProduct]:
        """All of the products, in the order of their ids.

        Raises:
            InvalidArgument: the batch is empty, too large, or names an id twice; an id is none.
            NotFound: one or more are not there; names the first of them.
            Unavailable: the database is away.
        """
        violations = list(batch_violations("product_ids", ids, self._limits.batch))
        for position, product_id in enumerate(ids[: self._limits.batch]):
            violations += product_id_violations(f"product_ids[{position}]", product_id)
        require(violations)
        found = await self._reader.read(catalog, ids, self._limits.content_bytes)
        products = {each.product_id: each for each in found}
        missing = [product_id for product_id in ids if product_id not in products]
        if missing:
            raise _not_found(missing)
        if any(each.content is None for each in found):
            most = f"{self._limits.content_bytes:,} bytes"
            raise invalid("product_ids", f"these products have more than {most} together; ask for fewer", "TOO_LARGE")
        return [products[product_id] for product_id in ids]

    async def page(self, catalog: str, query: PageQuery) -> ProductPage:
        """Products by id, compared as bytes. Size 0 = the default; one above the largest is lowered to it.

        Raises:
            InvalidArgument: the size is negative; an id is none.
            Unavailable: the database is away.
        """
        size = page_size(query.size, self._limits.page, self._limits.largest_page)
        for field, product_id in (("after_product_id", query.after), ("primary_product_id", query.primary)):
            require(list(product_id_violations(field, product_id)) if product_id else [])
        wanted = PageQuery(size, query.after, query.primary, ids_only=query.ids_only)
        return await self._reader.page(catalog, wanted, self._limits.content_bytes)


def _not_found(missing: Sequence[str]) -> NotFound:
    named = ",".join(missing[:_TOLD_MISSING])
    return NotFound(
        "one or more of the products are not there",
        reason="PRODUCT_NOT_FOUND",
        metadata={"product_ids": named, "count": str(len(missing))},
    )
