"""The API of index versions: convert in, call, convert out."""

import grpc
from opentelemetry import trace

from services.retrieval import convert_index
from services.retrieval.index_admin import IndexAdministration
from services.retrieval.requests import catalog_name
from services.retrieval.verification import Verification
from zhiyin.retrieval.v1 import index_admin_service_pb2 as pb
from zhiyin.retrieval.v1 import index_admin_service_pb2_grpc as rpc

Context = grpc.aio.ServicerContext


class IndexAdminServicer(rpc.IndexAdminServiceServicer):
    """zhiyin.retrieval.v1.IndexAdminService."""

    def __init__(self, administration: IndexAdministration, verification: Verification) -> None:
        self._administration = administration
        self._verification = verification

    async def CreateIndexVersion(
        self,
        request: pb.CreateIndexVersionRequest,
        context: "Context[pb.CreateIndexVersionRequest, pb.CreateIndexVersionResponse]",
    ) -> pb.CreateIndexVersionResponse:
        status = await self._administration.create(catalog_name(request.catalog), request.model_revision)
        return pb.CreateIndexVersionResponse(version=convert_index.index_version(status))

    async def ListIndexVersions(
        self,
        request: pb.ListIndexVersionsRequest,
        context: "Context[pb.ListIndexVersionsRequest, pb.ListIndexVersionsResponse]",
    ) -> pb.ListIndexVersionsResponse:
        statuses = await self._administration.statuses(catalog_name(request.catalog))
        return pb.ListIndexVersionsResponse(versions=[convert_index.index_version(status) for status in statuses])

    async def GetIndexVersion(
        self,
        request: pb.GetIndexVersionRequest,
        context: "Context[pb.GetIndexVersionRequest, pb.GetIndexVersionResponse]",
    ) -> pb.GetIndexVersionResponse:
        status = await self._administration.status(catalog_name(request.catalog), request.number)
        return pb.GetIndexVersionResponse(version=convert_index.index_version(status))

    async def ActivateIndexVersion(
        self,
        request: pb.ActivateIndexVersionRequest,
        context: "Context[pb.ActivateIndexVersionRequest, pb.ActivateIndexVersionResponse]",
    ) -> pb.ActivateIndexVersionResponse:
        status = await self._administration.activate(catalog_name(request.catalog), request.number)
        return pb.ActivateIndexVersionResponse(version=convert_index.index_version(status))

    async def RollBackIndexVersion(
        self,
        request: pb.RollBackIndexVersionRequest,
        context: "Context[pb.RollBackIndexVersionRequest, pb.RollBackIndexVersionResponse]",
    ) -> pb.RollBackIndexVersionResponse:
        status = await self._administration.roll_back(catalog_name(request.catalog))
        return pb.RollBackIndexVersionResponse(version=convert_index.index_version(status))

    async def DeleteIndexVersion(
        self,
        request: pb.DeleteIndexVersionRequest,
        context: "Context[pb.DeleteIndexVersionRequest, pb.DeleteIndexVersionResponse]",
    ) -> pb.DeleteIndexVersionResponse:
        status = await self._administration.delete(catalog_name(request.catalog), request.number)
        return pb.DeleteIndexVersionResponse(version=convert_index.index_version(status))

    async def RebuildIndexVersion(
        self,
        request: pb.RebuildIndexVersionRequest,
        context: "Context[pb.RebuildIndexVersionRequest, pb.RebuildIndexVersionResponse]",
    ) -> pb.RebuildIndexVersionResponse:
        status = await self._administration.rebuild(catalog_name(request.catalog), request.number)
        return pb.RebuildIndexVersionResponse(version=convert_index.index_version(status))

    async def VerifyIndexVersion(
        self,
        request: pb.VerifyIndexVersionRequest,
        context: "Context[pb.VerifyIndexVersionRequest, pb.VerifyIndexVersionResponse]",
    ) -> pb.VerifyIndexVersionResponse:
        wanted = convert_index.verify_request(request, catalog_name(request.catalog))
        findings, token = await self._verification.part(wanted)
        trace.get_current_span().set_attributes(
            {
                "zhiyin.index.checked": findings.checked,
                "zhiyin.index.faults": findings.missing + findings.extra + findings.stale,
            }
        )
        return pb.VerifyIndexVersionResponse(findings=convert_index.index_findings(findings), next_page_token=token)
