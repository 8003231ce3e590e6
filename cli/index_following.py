"""Work on an index that takes long, followed to its end: a build, a rebuild, a verification.

What is followed goes on by itself: a command that is stopped stops nothing, and another one can follow on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from cli.patience import Patience
from cli.progress import Show
from zhiyin.common.v1.index_version_pb2 import IndexFindings, IndexVersion, IndexVersionState, VerifyMode
from zhiyin.gateway.v1.index_admin_service_pb2 import VerifyIndexVersionResponse

POLL_SECONDS: Final = 0.5
SHOWN_SAMPLES: Final = 20


class Verifies(Protocol):
    """The part of a gateway that a verification needs."""

    async def verify(self, number: int, mode: "VerifyMode.ValueType", token: str) -> VerifyIndexVersionResponse:
        """Compares one part. Raises ServiceError."""


async def followed(
    read: Callable[[], Awaitable[IndexVersion]], patience: Patience, show: Show, pause: float = POLL_SECONDS
) -> IndexVersion:
    """The version once it has got every product, or is deleted.

    Raises:
        ServiceError: it was refused, or the gateway was away for too long.
    """
    while True:
        version = await patience.call(read)
        show(done_count(version), version.product_count)
        if is_whole(version) or version.state == IndexVersionState.INDEX_VERSION_STATE_DELETED:
            return version
        await asyncio.sleep(pause)


def done_count(version: IndexVersion) -> int:
    """Products that a version has got with their vectors, those that it refused included."""
    return max(0, version.product_count - version.pending_count - version.words_only_count)


def is_whole(version: IndexVersion) -> bool:
    """Whether nothing is on its way to a version."""
    is_building = version.state == IndexVersionState.INDEX_VERSION_STATE_BUILDING
    return not is_building and version.pending_count == 0 and version.words_only_count == 0


async def verified(
    gateway: Verifies, version: IndexVersion, mode: "VerifyMode.ValueType", patience: Patience, show: Show
) -> IndexFindings:
    """Everything that a verification found, with the first samples.

    Raises:
        ServiceError: a part was refused, or the gateway was away for too long.
    """
    found, token = IndexFindings(), ""
    # Each product is looked at on both sides.
    total = 2 * version.product_count
    while True:
        part = await patience.call(lambda token=token: gateway.verify(version.number, mode, token))  # type: ignore[misc]
        found = _sum(found, part.findings)
        token = part.next_page_token
        if not token:
            show(found.checked_count, found.checked_count)
            return found
        show(found.checked_count, max(total, found.checked_count))


def _sum(first: IndexFindings, second: IndexFindings) -> IndexFindings:
    samples = dict.fromkeys([*first.sample_product_ids, *second.sample_product_ids])
    return IndexFindings(
        checked_count=first.checked_count + second.checked_count,
        missing_count=first.missing_count + second.missing_count,
        extra_count=first.extra_count + second.extra_count,
        stale_count=first.stale_count + second.stale_count,
        sample_product_ids=[*samples][:SHOWN_SAMPLES],
    )


def fault_count(findings: IndexFindings) -> int:
    """Everything that is not as it should be."""
    return findings.missing_count + findings.extra_count + findings.stale_count
