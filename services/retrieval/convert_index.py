"""Index versions: between the messages of the API and the plain values of the domain."""

from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import invalid
from services.retrieval.index_version import VersionState, VersionStatus
from services.retrieval.verification import Findings, VerifyRequest
from zhiyin.common.v1 import index_version_pb2, model_pb2
from zhiyin.retrieval.v1 import index_admin_service_pb2 as pb

_STATES: Final = {
    VersionState.BUILDING: index_version_pb2.INDEX_VERSION_STATE_BUILDING,
    VersionState.READY: index_version_pb2.INDEX_VERSION_STATE_READY,
    VersionState.ACTIVE: index_version_pb2.INDEX_VERSION_STATE_ACTIVE,
    VersionState.DELETED: index_version_pb2.INDEX_VERSION_STATE_DELETED,
}
_REPAIRS: Final = {
    index_version_pb2.VERIFY_MODE_UNSPECIFIED: False,
    index_version_pb2.VERIFY_MODE_REPORT: False,
    index_version_pb2.VERIFY_MODE_REPAIR: True,
}


def index_version(status: VersionStatus) -> index_version_pb2.IndexVersion:
    """A version and how far it is."""
    registered, counts = status.registered, status.counts
    version = registered.version
    return index_version_pb2.IndexVersion(
        number=version.number,
        model=model_pb2.ModelIdentity(
            name=version.model.name, revision=version.model.revision, dims=version.model.dims
        ),
        analyser_version=version.analyser_version,
        state=_STATES[registered.state],
        product_count=counts.products,
        pending_count=counts.pending,
        words_only_count=counts.words_only,
        failed_count=counts.failed,
        create_time=_timestamp(registered.create_time),
        activate_time=None if registered.activate_time is None else _timestamp(registered.activate_time),
        settings_version=registered.settings_version,
    )


def verify_request(request: pb.VerifyIndexVersionRequest, catalog: str) -> VerifyRequest:
    """What is to be verified.

    Raises:
        InvalidArgument: the mode is none.
    """
    if request.mode not in _REPAIRS:
        raise invalid("mode", "is none that this service knows", "UNKNOWN_VALUE")
    return VerifyRequest(catalog, request.number, _REPAIRS[request.mode], request.page_size, request.page_token)


def index_findings(findings: Findings) -> index_version_pb2.IndexFindings:
    """What one part of a verification found."""
    return index_version_pb2.IndexFindings(
        checked_count=findings.checked,
        missing_count=findings.missing,
        extra_count=findings.extra,
        stale_count=findings.stale,
        sample_product_ids=findings.samples,
    )


def _timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message
