"""The API of catalogue settings: convert in, call, convert out."""

import grpc

from services.retrieval import convert_settings as convert
from services.retrieval.catalog_settings import CatalogSettings
from services.retrieval.requests import catalog_name
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as pb
from zhiyin.retrieval.v1 import catalog_settings_service_pb2_grpc as rpc

Context = grpc.aio.ServicerContext


class CatalogSettingsServicer(rpc.CatalogSettingsServiceServicer):
    """zhiyin.retrieval.v1.CatalogSettingsService."""

    def __init__(self, settings: CatalogSettings) -> None:
        self._settings = settings

    async def GetCatalogSettings(
        self,
        request: pb.GetCatalogSettingsRequest,
        context: "Context[pb.GetCatalogSettingsRequest, pb.GetCatalogSettingsResponse]",
    ) -> pb.GetCatalogSettingsResponse:
        found = await self._settings.get(catalog_name(request.catalog), request.version)
        return pb.GetCatalogSettingsResponse(settings=convert.settings_message(found))

    async def UpdateCatalogSettings(
        self,
        request: pb.UpdateCatalogSettingsRequest,
        context: "Context[pb.UpdateCatalogSettingsRequest, pb.UpdateCatalogSettingsResponse]",
    ) -> pb.UpdateCatalogSettingsResponse:
        draft = convert.settings_draft(request.settings) if request.HasField("settings") else None
        latest = await self._settings.update(catalog_name(request.catalog), draft)
        return pb.UpdateCatalogSettingsResponse(settings=convert.settings_message(latest))

    async def ListCatalogSettings(
        self,
        request: pb.ListCatalogSettingsRequest,
        context: "Context[pb.ListCatalogSettingsRequest, pb.ListCatalogSettingsResponse]",
    ) -> pb.ListCatalogSettingsResponse:
        catalog = catalog_name(request.catalog)
        versions = await self._settings.page(catalog, request.page_size, request.before_version)
        return pb.ListCatalogSettingsResponse(settings=[convert.settings_message(each) for each in versions])
