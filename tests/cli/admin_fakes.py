"""Versions of an index and settings of a catalogue behind a gateway, in memory."""

from dataclasses import dataclass, field

from services.common.errors import Aborted, FailedPrecondition, NotFound
from tests.cli.feeds.catalogue_fake import CatalogueFake
from zhiyin.common.v1 import catalog_settings_pb2 as settings_pb
from zhiyin.common.v1 import index_version_pb2 as index_pb
from zhiyin.common.v1 import write_pb2
from zhiyin.gateway.v1 import catalog_settings_service_pb2 as catalog_pb
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import index_admin_service_pb2 as admin_pb
from zhiyin.gateway.v1.catalog_settings_service_pb2_grpc import CatalogSettingsServiceServicer
from zhiyin.gateway.v1.index_admin_service_pb2_grpc import IndexAdminServiceServicer

BUILDING, READY = index_pb.INDEX_VERSION_STATE_BUILDING, index_pb.INDEX_VERSION_STATE_READY
ACTIVE, DELETED = index_pb.INDEX_VERSION_STATE_ACTIVE, index_pb.INDEX_VERSION_STATE_DELETED


def index_version(number, state=ACTIVE, pending=0, **counts):
    version = index_pb.IndexVersion(number=number, state=state, product_count=4_000, pending_count=pending, **counts)
    version.model.name, version.model.revision, version.model.dims = "small", "388ad1c39f94d174", 384
    version.create_time.FromJsonString("2026-11-25T17:00:00Z")
    return version


class FakeIndexAdmin(IndexAdminServiceServicer):
    """Each look at a version that is being built finds `step` more products in it."""

    def __init__(self):
        self.versions = {1: index_version(1)}
        self.calls = []
        self.failures = []
        """Raised by the next looks at a version, one each."""
        self.step = 4_000
        self.failing = 0
        """Products that a build is refused."""
        self.parts = [index_pb.IndexFindings(checked_count=8_000)]
        self.asked = []

    async def CreateIndexVersion(self, request, context):
        self.calls.append("Create")
        if request.model_revision == "none":
            raise FailedPrecondition(
                "no encoder has a model of that revision", reason="MODEL_NOT_LOADED", metadata={"models": "small 388a"}
            )
        self.versions[2] = index_version(2, BUILDING, pending=4_000)
        return admin_pb.CreateIndexVersionResponse(version=self.versions[2])

    async def ListIndexVersions(self, request, context):
        return admin_pb.ListIndexVersionsResponse(versions=[self.versions[n] for n in sorted(self.versions)[::-1]])

    async def GetIndexVersion(self, request, context):
        if self.failures:
            raise self.failures.pop(0)
        version = self._named(request.number)
        self._build(version)
        return admin_pb.GetIndexVersionResponse(version=version)

    async def ActivateIndexVersion(self, request, context):
        self.calls.append(f"Activate {request.number}")
        version = self._named(request.number)
        if version.state == BUILDING:
            raise FailedPrecondition("the version is still being built", reason="INDEX_VERSION_BUILDING")
        version.state = ACTIVE
        return admin_pb.ActivateIndexVersionResponse(version=version)

    async def RollBackIndexVersion(self, request, context):
        self.calls.append("RollBack")
        before = next((v for v in self.versions.values() if v.state == READY and v.HasField("activate_time")), None)
        if before is None:
            raise FailedPrecondition("no version was active before", reason="NO_PREVIOUS_VERSION")
        for version in self.versions.values():
            if version.state == ACTIVE:
                version.state = READY
        before.state = ACTIVE
        return admin_pb.RollBackIndexVersionResponse(version=before)

    async def DeleteIndexVersion(self, request, context):
        self.calls.append(f"Delete {request.number}")
        version = self._named(request.number)
        version.state = DELETED
        return admin_pb.DeleteIndexVersionResponse(version=version)

    async def RebuildIndexVersion(self, request, context):
        self.calls.append(f"Rebuild {request.number}")
        version = self._named(request.number)
        version.pending_count = version.product_count
        return admin_pb.RebuildIndexVersionResponse(version=version)

    async def VerifyIndexVersion(self, request, context):
        self.asked.append((request.number, request.mode, request.page_token))
        part = int(request.page_token or 0)
        token = str(part + 1) if part + 1 < len(self.parts) else ""
        return admin_pb.VerifyIndexVersionResponse(findings=self.parts[part], next_page_token=token)

    def _named(self, number):
        if number not in {0, *self.versions}:
            raise NotFound("there is no such index version", reason="INDEX_VERSION_NOT_FOUND")
        return self.versions[number or 1]

    def _build(self, version):
        if version.pending_count:
            version.pending_count = max(0, version.pending_count - self.step)
            version.failed_count = self.failing
            if not version.pending_count and version.state == BUILDING:
                version.state = READY


class FakeCatalogSettings(CatalogSettingsServiceServicer):
    """A version is in force at the second look at it."""

    def __init__(self):
        self.versions = []
        self.superseded = False

    async def GetCatalogSettings(self, request, context):
        if not self.versions:
            return catalog_pb.GetCatalogSettingsResponse()
        found = self.versions[(request.version or len(self.versions)) - 1]
        reply = catalog_pb.GetCatalogSettingsResponse()
        reply.settings.CopyFrom(found)
        if request.version:
            name = "SUPERSEDED" if self.superseded else "IN_FORCE"
            found.state = settings_pb.CatalogSettingsState.Value(f"CATALOG_SETTINGS_STATE_{name}")
        return reply

    async def UpdateCatalogSettings(self, request, context):
        given, latest = request.settings, str(len(self.versions))
        if given.etag not in {"", latest}:
            raise Aborted("settings.etag: is not that of the latest version", reason="ETAG_MISMATCH")
        if not self.versions or self.versions[-1].attributes != given.attributes:
            made = settings_pb.CatalogSettings(attributes=given.attributes, version=len(self.versions) + 1)
            made.etag, made.state = str(made.version), settings_pb.CATALOG_SETTINGS_STATE_APPLYING
            self.versions.append(made)
        return catalog_pb.UpdateCatalogSettingsResponse(settings=self.versions[-1])

    async def ListCatalogSettings(self, request, context):
        found = [
            each for each in self.versions[::-1] if not request.before_version or each.version < request.before_version
        ]
        return catalog_pb.ListCatalogSettingsResponse(settings=found[: request.page_size or 20])


@dataclass
class ListingFake(CatalogueFake):
    """Also tells what was asked, and lists what is similar."""

    result_set: object = None
    last_list: object = None
    last_similar: object = None
    last_update: object = None
    refused: set = field(default_factory=set)

    def __post_init__(self):
        super().__init__()

    async def Search(self, request, context):
        reply = await super().Search(request, context)
        if self.result_set is not None and not request.page_token:
            reply.result_set.CopyFrom(self.result_set)
            for result in reply.results:
                result.other_variant_count = 3
        return reply

    async def ListSimilarProducts(self, request, context):
        self._begin("ListSimilarProducts", context)
        self.last_similar = request
        results = [self._result(1, product) for name, product in self.products.items() if name != request.product_id]
        return pb.ListSimilarProductsResponse(results=results, total_size=len(results), policy="default@1a2b3c4d5e6f")

    async def ListProducts(self, request, context):
        self.last_list = request
        return await super().ListProducts(request, context)

    async def UpdateOffers(self, request, context):
        self.last_update = request
        self.wait_until.append(request.wait_until)
        reply = await super().UpdateOffers(request, context)
        for result in reply.results:
            if result.product_id in self.refused:
                result.outcome = write_pb2.WRITE_OUTCOME_REJECTED
                result.violations.add(
                    field="offer.update_time", reason="STALE", description="is older than the stored one"
                )
        return reply
