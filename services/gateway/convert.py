"""The public API's messages to the gateway's own types and back."""

import hashlib
import re
from typing import Final

from services.common.errors import InvalidArgument, Violation
from services.gateway.config import GatewaySettings
from services.gateway.frozen_list import FactorSchema, Place
from services.gateway.search import SearchQuery, ShownPage
from zhiyin.common.v1 import degradation_pb2, explanation_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

_CATALOG: Final = re.compile(r"[a-z0-9_-]{1,64}")
_MAX_NAME: Final = 64


class SearchRequests:
    """Reads Search requests under the limits of the settings."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings

    def read(self, request: pb.SearchRequest) -> SearchQuery:
        """The validated query.

        Raises:
            InvalidArgument: lists every field that breaks a rule.
        """
        violations = self._violations(request)
        if violations:
            raise InvalidArgument(violations)
        size = request.page_size or self._settings.default_page_size
        return SearchQuery(
            request.catalog or "default",
            request.query,
            request.filter if request.HasField("filter") else None,
            request.region,
            min(size, self._settings.max_page_size),
            request.page_token,
            request.visitor_id,
            request.policy,
            _digest(request),
        )

    def _violations(self, request: pb.SearchRequest) -> list[Violation]:
        limits = self._settings
        rules = [
            (not request.query.strip(), "query", "is required and must hold more than white space", "REQUIRED"),
            _too_long("query", request.query, limits.max_query_characters),
            _too_long("visitor_id", request.visitor_id, limits.max_visitor_id_characters),
            _too_long("region", request.region, _MAX_NAME),
            _too_long("policy", request.policy, _MAX_NAME),
            (request.page_size < 0, "page_size", "must be 0 or more", "OUT_OF_RANGE"),
            (
                bool(request.catalog) and not _CATALOG.fullmatch(request.catalog),
                "catalog",
                "must be 1 to 64 characters of a-z 0-9 - _",
                "INVALID_FORMAT",
            ),
        ]
        return [Violation(field, text, reason) for broken, field, text, reason in rules if broken]


def search_response(page: ShownPage) -> pb.SearchResponse:
    """A page as the API gives it. Places whose product is gone are left out; positions stay."""
    response = pb.SearchResponse(
        next_page_token=page.next_page_token,
        attribution_token=page.attribution_token,
        total_size=page.total_size,
        policy=page.policy,
        usage=page.usage,
        degradations=page.degradations,
    )
    for part in page.missing:
        kind = degradation_pb2.DegradationKind.Value(f"DEGRADATION_KIND_{part.kind}")
        response.degradations.add(kind=kind, component=part.component, reason=part.reason)
    for position, place in enumerate(page.places, page.first_position):
        summary = page.summaries.get(place.product_id)
        if summary is not None:
            explanation = _explanation(page.schema, place)
            response.results.add(product=summary, position=position, score=place.score, explanation=explanation)
    return response


def _explanation(schema: FactorSchema, place: Place) -> explanation_pb2.Explanation:
    explanation = explanation_pb2.Explanation(scorer=schema.scorer)
    for name, role, value in zip(schema.names, schema.roles, place.factors, strict=True):
        explanation.factors.add(name=name, value=value, role=explanation_pb2.FactorRole.ValueType(role))
    return explanation


def _too_long(field: str, value: str, limit: int) -> tuple[bool, str, str, str]:
    return len(value) > limit, field, f"must be at most {limit} characters", "TOO_LONG"


def _digest(request: pb.SearchRequest) -> bytes:
    arguments = pb.SearchRequest()
    arguments.CopyFrom(request)
    arguments.ClearField("page_size")
    arguments.ClearField("page_token")
    return hashlib.sha256(arguments.SerializeToString(deterministic=True)).digest()[:16]
