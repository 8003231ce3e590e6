"""The gateway's calls for operators: versions of the index, settings of a catalogue."""

from collections.abc import Sequence
from typing import Final

from cli.gateway import Connection
from services.common.channels import Peer
from zhiyin.common.v1.catalog_settings_pb2 import CatalogSettings
from zhiyin.common.v1.index_version_pb2 import IndexVersion, VerifyMode
from zhiyin.gateway.v1 import catalog_settings_service_pb2 as settings_pb
from zhiyin.gateway.v1 import index_admin_service_pb2 as pb

_INDEX: Final = "/zhiyin.gateway.v1.IndexAdminService"
_SETTINGS: Final = "/zhiyin.gateway.v1.CatalogSettingsService"


class IndexGateway(Connection):
    """The versions of a catalogue's index. Every method raises ServiceError; number 0 = the active version."""

    def __init__(self, peer: Peer, catalog: str, seconds: float) -> None:
        """`seconds` is the deadline of one call."""
        super().__init__(peer, catalog, seconds)
        unary = peer.unary
        self._create = unary(
            f"{_INDEX}/CreateIndexVersion", pb.CreateIndexVersionRequest, pb.CreateIndexVersionResponse
        )
        self._list = unary(f"{_INDEX}/ListIndexVersions", pb.ListIndexVersionsRequest, pb.ListIndexVersionsResponse)
        self._get = unary(f"{_INDEX}/GetIndexVersion", pb.GetIndexVersionRequest, pb.GetIndexVersionResponse)
        self._activate = unary(
            f"{_INDEX}/ActivateIndexVersion", pb.ActivateIndexVersionRequest, pb.ActivateIndexVersionResponse
        )
        self._roll_back = unary(
            f"{_INDEX}/RollBackIndexVersion", pb.RollBackIndexVersionRequest, pb.RollBackIndexVersionResponse
        )
        self._delete = unary(
            f"{_INDEX}/DeleteIndexVersion", pb.DeleteIndexVersionRequest, pb.DeleteIndexVersionResponse
        )
        self._rebuild = unary(
            f"{_INDEX}/RebuildIndexVersion", pb.RebuildIndexVersionRequest, pb.RebuildIndexVersionResponse
        )
        self._verify = unary(
            f"{_INDEX}/VerifyIndexVersion", pb.VerifyIndexVersionRequest, pb.VerifyIndexVersionResponse
        )

    async def create(self, model_revision: str) -> IndexVersion:
        """Begins to build a version; empty = by the one model that the encoders have."""
        request = pb.CreateIndexVersionRequest(catalog=self._catalog, model_revision=model_revision)
        return (await self._call(self._create, request)).version

    async def versions(self) -> Sequence[IndexVersion]:
        """Latest first."""
        return (await self._call(self._list, pb.ListIndexVersionsRequest(catalog=self._catalog))).versions

    async def version(self, number: int) -> IndexVersion:
        """A version and how far it is."""
        return (await self._call(self._get, pb.GetIndexVersionRequest(catalog=self._catalog, number=number))).version

    async def activate(self, number: int) -> IndexVersion:
        """Has searches use a version."""
        request = pb.ActivateIndexVersionRequest(catalog=self._catalog, number=number)
        return (await self._call(self._activate, request)).version

    async def roll_back(self) -> IndexVersion:
        """Activates the version that was active before."""
        return (await self._call(self._roll_back, pb.RollBackIndexVersionRequest(catalog=self._catalog))).version

    async def delete(self, number: int) -> IndexVersion:
        """Removes a version and its collection."""
        request = pb.DeleteIndexVersionRequest(catalog=self._catalog, number=number)
        return (await self._call(self._delete, request)).version

    async def rebuild(self, number: int) -> IndexVersion:
        """Has every product indexed again."""
        request = pb.RebuildIndexVersionRequest(catalog=self._catalog, number=number)
        return (await self._call(self._rebuild, request)).version

    async def verify(self, number: int, mode: "VerifyMode.ValueType", token: str) -> pb.VerifyIndexVersionResponse:
        """Compares one part of catalogue and index."""
        request = pb.VerifyIndexVersionRequest(catalog=self._catalog, number=number, mode=mode, page_token=token)
        return await self._call(self._verify, request)


class SettingsGateway(Connection):
    """The settings of a catalogue. Every method raises ServiceError."""

    def __init__(self, peer: Peer, catalog: str, seconds: float) -> None:
        """`seconds` is the deadline of one call."""
        super().__init__(peer, catalog, seconds)
        self._get = peer.unary(
            f"{_SETTINGS}/GetCatalogSettings",
            settings_pb.GetCatalogSettingsRequest,
            settings_pb.GetCatalogSettingsResponse,
        )
        self._update = peer.unary(
            f"{_SETTINGS}/UpdateCatalogSettings",
            settings_pb.UpdateCatalogSettingsRequest,
            settings_pb.UpdateCatalogSettingsResponse,
        )
        self._list = peer.unary(
            f"{_SETTINGS}/ListCatalogSettings",
            settings_pb.ListCatalogSettingsRequest,
            settings_pb.ListCatalogSettingsResponse,
        )

    async def settings(self, version: int = 0) -> CatalogSettings:
        """One version; 0 = the latest, which is empty where there is none."""
        request = settings_pb.GetCatalogSettingsRequest(catalog=self._catalog, version=version)
        return (await self._call(self._get, request)).settings

    async def update(self, settings: CatalogSettings) -> CatalogSettings:
        """Makes a new version; the latest one where nothing changed."""
        request = settings_pb.UpdateCatalogSettingsRequest(catalog=self._catalog, settings=settings)
        return (await self._call(self._update, request)).settings

    async def history(self, count: int, before: int) -> Sequence[CatalogSettings]:
        """Versions before one, 0 = from the latest; latest first."""
        request = settings_pb.ListCatalogSettingsRequest(catalog=self._catalog, page_size=count, before_version=before)
        return (await self._call(self._list, request)).settings
