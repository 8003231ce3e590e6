"""The seam where Qdrant's refusals become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.common.errors import Internal, InvalidArgument, NotFound, ResourceExhausted, Unavailable

_RETRY_AFTER: Final = 1.0


@contextmanager
def reading(catalog: str) -> Iterator[None]:
    """Surrounds calls of a search.

    Raises:
        NotFound: there is no such collection.
        Unavailable: Qdrant is away, too slow, or too busy.
        Internal: Qdrant refused what we asked: our fault, not the caller's.
    """
    try:
        yield
    except NotFound as exc:
        raise NotFound(
            "there is no such catalogue, or nothing of it is indexed yet",
            reason="CATALOG_NOT_FOUND",
            metadata={"catalog": catalog},
        ) from exc
    except (Unavailable, ResourceExhausted) as exc:
        raise Unavailable("the index cannot be reached", reason="QDRANT_UNAVAILABLE", retry_after=_RETRY_AFTER) from exc
    except InvalidArgument as exc:
        raise Internal("the index refused a search", reason="QDRANT_REFUSED") from exc


@contextmanager
def writing() -> Iterator[None]:
    """Surrounds writes. A refusal stays an InvalidArgument: the indexer looks for the one product that causes it.

    Raises:
        InvalidArgument: Qdrant refused the points.
        Unavailable: Qdrant is away, too slow, or too busy.
        ServiceError: any other answer.
    """
    try:
        yield
    except InvalidArgument as exc:
        raise InvalidArgument(exc.violations, reason="QDRANT_REFUSED") from exc
    except (Unavailable, ResourceExhausted) as exc:
        raise Unavailable("the index cannot be reached", reason="QDRANT_UNAVAILABLE", retry_after=None) from exc
