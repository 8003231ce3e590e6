"""Searches in the active version, which may be deleted or declared anew under them."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from services.common.errors import Internal, NotFound, Unavailable
from services.retrieval.filters import ProductFilter, groups_of
from services.retrieval.index_version import IndexVersion, index_lost
from services.retrieval.product_index import VersionLookUp

PRODUCT_NOT_INDEXED: Final = "PRODUCT_NOT_INDEXED"
"""Reason of the one NotFound that is no sign of a version that is gone."""
_RETRY_AFTER: Final = 1.0
Result = TypeVar("Result")


async def in_active_version(
    catalog: str,
    wanted: ProductFilter,
    versions: VersionLookUp,
    search: Callable[[IndexVersion], Awaitable[Result]],
) -> Result:
    """A search in the active version; once more where that was deleted or declared anew under the search.

    Raises:
        NotFound: there is no such catalogue.
        Unavailable: the index is away, lost, or not yet as its declarations say.
    """
    version = await versions.version(catalog)
    try:
        return await search(version)
    except (NotFound, Internal) as error:
        if not _is_overtaken(error, wanted):
            raise
    newer = await versions.version_now(catalog)
    try:
        return await search(newer)
    except (NotFound, Internal) as error:
        if not _is_overtaken(error, wanted):
            raise
        raise index_lost(catalog) if isinstance(error, NotFound) else _changing() from error


def _is_overtaken(error: NotFound | Internal, wanted: ProductFilter) -> bool:
    """Whether a search may have failed for what it knows of its version, which is some seconds old."""
    if isinstance(error, NotFound):
        return error.reason != PRODUCT_NOT_INDEXED
    # An attribute that is of another type now has another index, which refuses the condition of before.
    return error.reason == "QDRANT_REFUSED" and names_attributes(wanted)


def _changing() -> Unavailable:
    message = "an attribute of the filter is being declared anew"
    return Unavailable(message, reason="INDEX_CHANGING", retry_after=_RETRY_AFTER)


def names_attributes(wanted: ProductFilter) -> bool:
    """Whether a filter or one of its groups is about declared attributes."""
    return bool(wanted.attributes) or any(names_attributes(group) for _, group in groups_of(wanted, ""))
