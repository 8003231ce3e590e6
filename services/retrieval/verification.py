"""Compares catalogue and index, one part a call: first the points of the index, then the products of the catalogue.

Nothing is locked, and products change meanwhile. So a difference counts only where the catalogue said the same before
and after the index was read, and had nothing on its way there: what it said, the index must have had.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from services.common.errors import Violation
from services.retrieval.index_version import IndexVersion, RegisteredVersion
from services.retrieval.requests import require
from services.retrieval.verify_token import Phase, VerifyPosition, packed, unpacked

_SAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What a caller wants verified."""

    catalog: str
    number: int
    """0 = the active version."""
    repairs: bool
    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True)
class ProductState:
    """What a product's point is made from."""

    change: int
    offers_digest: str


@dataclass(frozen=True, slots=True)
class PointState:
    """A point as the index has it."""

    point: str
    """Its own id."""
    product_id: str
    """Empty where it names none."""
    state: ProductState
    tells_of_vector: bool
    """Its payload holds the lengths of one."""
    has_vector: bool


@dataclass(frozen=True, slots=True)
class CatalogueState:
    """What the catalogue says of some products."""

    products: Mapping[str, ProductState]
    """Those that exist."""
    on_their_way: frozenset[str]
    """Those whose last change or removal the index need not have yet."""
    with_vectors: frozenset[str]
    """Those of the products whose vector the index must have."""

    def differs(self, product_id: str, point: PointState) -> bool:
        """Whether the product's point is of another state, or lacks its vector or the lengths that go with it."""
        is_to_have = point.tells_of_vector or product_id in self.with_vectors
        is_whole = point.has_vector and point.tells_of_vector
        return self.products.get(product_id) != point.state or (is_to_have and not is_whole)


@dataclass(frozen=True, slots=True)
class Findings:
    """What one part found."""

    checked: int = 0
    missing: int = 0
    extra: int = 0
    stale: int = 0
    samples: Sequence[str] = ()


class NamedVersions(Protocol):
    """Versions as callers name them."""

    async def named(self, catalog: str, number: int) -> RegisteredVersion:
        """A version that is not deleted; 0 = the active one. Raises InvalidArgument, NotFound or Unavailable."""


class CatalogueStates(Protocol):
    """The catalogue's side. Raises Unavailable."""

    async def states(self, version: IndexVersion, ids: Sequence[str]) -> CatalogueState:
        """What is stored under these ids."""

    async def ids_after(self, catalog: str, last: str, limit: int) -> Sequence[str]:
        """Up to `limit` ids of products that come after `last`, in the catalogue's order."""

    async def index_again(self, version: IndexVersion, ids: Sequence[str]) -> None:
        """Puts products, or their removal where they do not exist, into the version's queue."""


class IndexContents(Protocol):
    """The index's side. Raises ServiceError."""

    async def points_from(self, version: IndexVersion, first: str, limit: int) -> tuple[Sequence[PointState], str]:
        """Up to `limit` points from the id `first` on, "" = from the beginning; and the id of the next, "" = none."""

    async def points_of(self, version: IndexVersion, ids: Sequence[str]) -> Mapping[str, PointState]:
        """Points of products, by product id."""

    def point_of(self, catalog: str, product_id: str) -> str:
        """Id of the point that a product has."""

    async def remove_points(self, version: IndexVersion, points: Sequence[str]) -> None:
        """Removes points by their own ids."""


class Verification:
    """Finds what is missing, what is too much, and what is out of date."""

    def __init__(
        self,
        versions: NamedVersions,
        catalogue: CatalogueStates,
        index: IndexContents,
        wake: Callable[[], None],
        default_page: int,
        max_page: int,
    ) -> None:
        self._versions = versions
        self._catalogue = catalogue
        self._index = index
        self._wake = wake
        self._default_page = default_page
        self._max_page = max_page

    async def part(self, request: VerifyRequest) -> tuple[Findings, str]:
        """One part: what it found, and the token of the next; empty after the last.

        Raises:
            InvalidArgument: a number is negative, or the token is none of this verification.
            NotFound: there is no such version, or no more.
            Unavailable: the database or the index is away, or the version's collection is lost.
        """
        if request.page_size < 0:
            require([Violation("page_size", "must not be negative", "OUT_OF_RANGE")])
        size = min(request.page_size or self._default_page, self._max_page)
        position, version = await self._begun(request)
        following: VerifyPosition | None
        if position.phase is Phase.POINTS:
            findings, following = await self._points(version, position, size)
        else:
            findings, following = await self._products(version, position, size)
        if request.repairs and findings.missing + findings.extra + findings.stale:
            self._wake()
        return findings, "" if following is None else packed(following)

    async def _begun(self, request: VerifyRequest) -> tuple[VerifyPosition, IndexVersion]:
        if not request.page_token:
            version = (await self._versions.named(request.catalog, request.number)).version
            return VerifyPosition(request.catalog, request.number, version.number, request.repairs), version
        position = unpacked(request.page_token, request.catalog, request.number, repairs=request.repairs)
        return position, (await self._versions.named(request.catalog, position.number)).version

    async def _points(
        self, version: IndexVersion, position: VerifyPosition, size: int
    ) -> tuple[Findings, VerifyPosition]:
        points, following = await self._index.points_from(version, position.last, size)
        foreign = [p for p in points if p.point != self._index.point_of(version.catalog, p.product_id)]
        own = {p.product_id: p for p in points if p not in foreign}
        before = await self._catalogue.states(version, list(own))
        suspects = [i for i, point in own.items() if i not in before.on_their_way and before.differs(i, point)]
        faults = await self._confirmed(version, suspects, before)
        extra = [product_id for product_id, expected in faults.items() if expected is None]
        stale = [product_id for product_id, expected in faults.items() if expected is not None]
        if position.repairs:
            await self._catalogue.index_again(version, [*extra, *stale])
            await self._index.remove_points(version, [point.point for point in foreign])
        samples = [*extra, *stale, *(point.product_id or point.point for point in foreign)][:_SAMPLES]
        found = Findings(len(points), 0, len(extra) + len(foreign), len(stale), samples)
        if following:
            return found, replace(position, last=following)
        return found, replace(position, phase=Phase.PRODUCTS, last="")

    async def _products(
        self, version: IndexVersion, position: VerifyPosition, size: int
    ) -> tuple[Findings, VerifyPosition | None]:
        ids = await self._catalogue.ids_after(version.catalog, position.last, size)
        before = await self._catalogue.states(version, ids)
        points = await self._index.points_of(version, ids)
        suspects = [i for i in before.products if i not in before.on_their_way and i not in points]
        after = await self._catalogue.states(version, suspects)
        missing = [i for i in suspects if after.products.get(i) == before.products[i]]
        if position.repairs:
            await self._catalogue.index_again(version, missing)
        found = Findings(len(ids), len(missing), 0, 0, missing[:_SAMPLES])
        return found, replace(position, last=ids[-1]) if len(ids) == size else None

    async def _confirmed(
        self, version: IndexVersion, suspects: Sequence[str], before: CatalogueState
    ) -> dict[str, ProductState | None]:
        """Of products whose points differed, those whose points still do, with what the catalogue says of each."""
        if not suspects:
            return {}
        points = await self._index.points_of(version, suspects)
        after = await self._catalogue.states(version, suspects)
        return {
            i: after.products.get(i)
            for i in suspects
            if i in points and after.products.get(i) == before.products.get(i) and after.differs(i, points[i])
        }
