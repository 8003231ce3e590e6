"""New settings of a catalogue, followed until they are in force."""

import asyncio
from typing import Final, Protocol

from cli.index_following import done_count
from cli.patience import Patience
from cli.progress import Show
from services.common.errors import NotFound
from zhiyin.common.v1.catalog_settings_pb2 import CatalogSettings, CatalogSettingsState
from zhiyin.common.v1.index_version_pb2 import IndexVersion

POLL_SECONDS: Final = 0.5


class ReadsSettings(Protocol):
    """The part of a gateway that says how far settings are."""

    async def settings(self, version: int = 0) -> CatalogSettings:
        """One version. Raises ServiceError."""


class ReadsVersions(Protocol):
    """The part of a gateway that says how far the index is."""

    async def version(self, number: int) -> IndexVersion:
        """A version of the index. Raises ServiceError."""


async def settled(
    settings: ReadsSettings,
    index: ReadsVersions,
    version: int,
    patience: Patience,
    show: Show,
    pause: float = POLL_SECONDS,
) -> CatalogSettings:
    """The settings of that version once they are in force, or another version took their place.

    Raises:
        ServiceError: the gateway refused, or was away for too long.
    """
    while True:
        found = await patience.call(lambda: settings.settings(version))
        if found.state != CatalogSettingsState.CATALOG_SETTINGS_STATE_APPLYING:
            return found
        try:
            active = await patience.call(lambda: index.version(0))
            show(done_count(active), active.product_count)
        except NotFound:
            # The index is being made.
            pass
        await asyncio.sleep(pause)
