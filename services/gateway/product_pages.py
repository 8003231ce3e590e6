"""A catalogue's products page by page, by id."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.gateway.tokens import PageTokens


@dataclass(frozen=True, slots=True)
class ProductsQuery:
    """Which page; retrieval validates everything but the token."""

    catalog: str
    page_size: int
    page_token: str
    primary_product_id: str
    view: int
    digest: bytes
    """16 bytes over everything but page size and token."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Products that follow one another."""

    products: Sequence[Any]
    """As messages of the API."""
    last_id: str
    """Id of the last one; empty where there is none."""
    more: bool
    """Whether there are products behind the last one."""


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A page for the caller."""

    products: Sequence[Any]
    next_page_token: str


class ProductSource(Protocol):
    """Retrieval."""

    async def products(self, query: ProductsQuery, after_id: str) -> Portion:
        """The products whose ids come after `after_id`."""
        ...


class ProductPages:
    """The ListProducts RPC without its wire format. A token says after which product its page begins."""

    def __init__(self, source: ProductSource, tokens: PageTokens) -> None:
        self._source = source
        self._tokens = tokens

    async def page(self, query: ProductsQuery) -> ProductPage:
        """The page that the query asks for.

        Raises:
            InvalidArgument: retrieval refuses a field, or the page token is not of this request.
        """
        after = self._tokens.read(query.page_token, query.digest).decode() if query.page_token else ""
        portion = await self._source.products(query, after)
        token = self._tokens.issue(portion.last_id.encode(), query.digest) if portion.more else ""
        return ProductPage(portion.products, token)
