"""The public API's messages to the gateway's own types and back."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.message import Message

from services.common.errors import InvalidArgument, Violation
from services.gateway.config import GatewaySettings
from services.gateway.frozen_list import FactorSchema, Place
from services.gateway.product_pages import ProductPage, ProductsQuery
from services.gateway.ranked_lists import ListRequest, Missing, ShownPage
from services.gateway.search import SearchQuery
from services.gateway.similar import SimilarQuery
from zhiyin.common.v1 import degradation_pb2, explanation_pb2, result_set_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

_CATALOG: Final = re.compile(r"[a-z0-9_-]{1,64}")
_BY_RELEVANCE: Final = (result_set_pb2.SORT_ORDER_UNSPECIFIED, result_set_pb2.SORT_ORDER_RELEVANCE)

Rule = tuple[bool, str, str, str]
"""Whether it is broken, its field, what it says, its reason."""


class ListRequests:
    """Reads requests for lists of products under the limits of the settings.

    Only what the gateway itself uses is validated here. The rest is retrieval's to refuse, under the same field names.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings

    def search(self, request: pb.SearchRequest) -> SearchQuery:
        """The validated query.

        Raises:
            InvalidArgument: lists every field that breaks a rule.
        """
        text = request.query
        rules = [
            (not text.strip(), "query", "is required and must hold more than white space", "REQUIRED"),
            too_long("query", text, self.settings.max_query_characters),
        ]
        return SearchQuery(
            self.page(request, rules),
            text,
            request.filter if request.HasField("filter") else None,
            request.facets,
            request.order,
            request.order not in _BY_RELEVANCE,
            request.relaxation,
            request.variants,
        )

    def similar(self, request: pb.ListSimilarProductsRequest) -> SimilarQuery:
        """The validated query.

        Raises:
            InvalidArgument: lists every field that breaks a rule.
        """
        rules = [(not request.product_id, "product_id", "is required", "REQUIRED")]
        return SimilarQuery(
            self.page(request, rules),
            request.product_id,
            request.filter if request.HasField("filter") else None,
            request.excluded_product_ids,
            request.variants,
        )

    def page(
        self, request: pb.SearchRequest | pb.ListSimilarProductsRequest | pb.RecommendRequest, rules: Sequence[Rule]
    ) -> ListRequest:
        """What every request for a page says, if neither it nor one of the further rules is broken.

        Raises:
            InvalidArgument: lists every field that breaks a rule.
        """
        user_id = "" if isinstance(request, pb.ListSimilarProductsRequest) else request.user_id
        limits = self.settings
        rules = [
            *rules,
            too_long("visitor_id", request.visitor_id, limits.max_visitor_id_characters),
            too_long("user_id", user_id, limits.max_visitor_id_characters),
            too_long("policy", request.policy, limits.max_policy_characters),
            (request.page_size < 0, "page_size", "must be 0 or more", "OUT_OF_RANGE"),
            (
                bool(request.catalog) and not _CATALOG.fullmatch(request.catalog),
                "catalog",
                "must be 1 to 64 characters of a-z 0-9 - _",
                "INVALID_FORMAT",
            ),
        ]
        violations = [Violation(field, text, reason) for broken, field, text, reason in rules if broken]
        if violations:
            raise InvalidArgument(violations)
        return ListRequest(
            request.catalog or "default",
            request.region,
            min(request.page_size or limits.default_page_size, limits.max_page_size),
            request.page_token,
            request.visitor_id,
            request.policy,
            _digest(request),
            user_id,
        )


def products_query(request: pb.ListProductsRequest) -> ProductsQuery:
    """The request for a page of the catalogue; retrieval validates it."""
    return ProductsQuery(
        request.catalog,
        request.page_size,
        request.page_token,
        request.primary_product_id,
        request.view,
        _digest(request),
    )


def search_response(page: ShownPage) -> pb.SearchResponse:
    """A page as the API gives it. Places whose product is gone are left out; positions stay."""
    return pb.SearchResponse(
        results=_results(page),
        next_page_token=page.next_page_token,
        attribution_token=page.attribution_token,
        total_size=page.total_size,
        policy=page.policy,
        usage=page.usage,
        degradations=[*page.degradations, *map(degradation, page.missing)],
        result_set=page.result_set,
        personal_share=page.personal_share,
    )


def similar_response(page: ShownPage) -> pb.ListSimilarProductsResponse:
    """As `search_response`."""
    return pb.ListSimilarProductsResponse(
        results=_results(page),
        next_page_token=page.next_page_token,
        attribution_token=page.attribution_token,
        total_size=page.total_size,
        policy=page.policy,
        degradations=[*page.degradations, *map(degradation, page.missing)],
    )


def products_response(page: ProductPage) -> pb.ListProductsResponse:
    """A page of the catalogue as the API gives it."""
    return pb.ListProductsResponse(products=page.products, next_page_token=page.next_page_token)


def _results(page: ShownPage) -> list[pb.SearchResult]:
    return [
        pb.SearchResult(
            product=page.summaries[place.product_id],
            position=position,
            score=place.score,
            explanation=explanation(page.schema, place),
            other_variant_count=place.other_variant_count,
        )
        for position, place in enumerate(page.places, page.first_position)
        if place.product_id in page.summaries
    ]


def explanation(schema: FactorSchema, place: Place) -> explanation_pb2.Explanation:
    """Every factor of a place's score."""
    message = explanation_pb2.Explanation(scorer=schema.scorer)
    for name, role, value in zip(schema.names, schema.roles, place.factors, strict=True):
        message.factors.add(name=name, value=value, role=explanation_pb2.FactorRole.ValueType(role))
    return message


def degradation(part: Missing) -> degradation_pb2.Degradation:
    """A part that the reply had to do without."""
    kind = degradation_pb2.DegradationKind.Value(f"DEGRADATION_KIND_{part.kind}")
    return degradation_pb2.Degradation(kind=kind, component=part.component, reason=part.reason)


def too_long(field: str, value: str, limit: int) -> Rule:
    """The rule of a text's length."""
    return len(value) > limit, field, f"must be at most {limit} characters", "TOO_LONG"


def _digest(request: Any) -> bytes:
    arguments: Message = type(request)()
    arguments.CopyFrom(request)
    arguments.ClearField("page_size")
    arguments.ClearField("page_token")
    return hashlib.sha256(arguments.SerializeToString(deterministic=True)).digest()[:16]
