"""Recommendations: the public API's messages to the gateway's own types and back."""

import re
from collections.abc import Iterator
from typing import Final

from services.gateway.adapters.behaviours import seconds_of
from services.gateway.behaviours import COMMENT, SEARCH, Behaviour, of_session
from services.gateway.convert import ListRequests, Rule, degradation, explanation, too_long
from services.gateway.ranked_lists import ShownPage
from services.gateway.recommending import RecommendQuery
from zhiyin.common.v1 import filter_pb2, product_pb2, recommendation_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

_SURFACES: Final[dict[int, str]] = {
    pb.RECOMMENDATION_PAGE_UNSPECIFIED: "HOME",
    pb.RECOMMENDATION_PAGE_HOME: "HOME",
    pb.RECOMMENDATION_PAGE_PRODUCT: "PRODUCT_PAGE",
    pb.RECOMMENDATION_PAGE_CART: "CART",
    pb.RECOMMENDATION_PAGE_AFTER_PURCHASE: "AFTER_PURCHASE",
}
_SCOPES: Final = (
    pb.RECOMMENDATION_SCOPE_UNSPECIFIED,
    pb.RECOMMENDATION_SCOPE_ALL,
    pb.RECOMMENDATION_SCOPE_ACROSS_CATEGORIES,
)
_PURCHASED: Final = (
    pb.PURCHASED_PRODUCTS_UNSPECIFIED,
    pb.PURCHASED_PRODUCTS_EXCLUDED,
    pb.PURCHASED_PRODUCTS_ALLOWED,
)
_NO_PRODUCT: Final = (SEARCH, COMMENT)
_LAST_TYPE: Final = 10
_PRODUCT_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")


class RecommendRequests:
    """Reads requests for recommendations under the limits of the settings."""

    def __init__(self, lists: ListRequests) -> None:
        self._lists = lists
        self._settings = lists.settings

    def recommend(self, request: pb.RecommendRequest) -> RecommendQuery:
        """The validated query.

        Raises:
            InvalidArgument: lists every field that breaks a rule.
        """
        page = self._lists.page(request, list(self._rules(request)))
        return RecommendQuery(
            page,
            _SURFACES[request.page],
            list(dict.fromkeys(request.product_ids)),
            [_action(action) for action in request.session],
            self._filter(request),
            request.HasField("filter"),
            list(request.excluded_product_ids),
            request.variants,
            request.scope == pb.RECOMMENDATION_SCOPE_ACROSS_CATEGORIES,
            request.language_code,
            request.purchased == pb.PURCHASED_PRODUCTS_ALLOWED,
        )

    def _filter(self, request: pb.RecommendRequest) -> filter_pb2.ProductFilter | None:
        """The caller's filter, and none that is out of stock unless the caller says what may be."""
        if request.filter.availabilities or not self._settings.recommend_in_stock_only:
            return request.filter if request.HasField("filter") else None
        wanted = filter_pb2.ProductFilter()
        wanted.CopyFrom(request.filter)
        wanted.none.add(availabilities=[product_pb2.AVAILABILITY_OUT_OF_STOCK])
        return wanted

    def _rules(self, request: pb.RecommendRequest) -> Iterator[Rule]:
        limits = self._settings
        yield request.page not in _SURFACES, "page", "must be a known value", "OUT_OF_RANGE"
        yield request.scope not in _SCOPES, "scope", "must be a known value", "OUT_OF_RANGE"
        yield request.purchased not in _PURCHASED, "purchased", "must be a known value", "OUT_OF_RANGE"
        needs = request.page == pb.RECOMMENDATION_PAGE_PRODUCT and len(request.product_ids) != 1
        yield needs, "product_ids", "must hold the one product of the page", "REQUIRED"
        yield _too_many("product_ids", len(request.product_ids), limits.max_page_products)
        yield _too_many("session", len(request.session), limits.max_session_actions)
        yield _too_many("excluded_product_ids", len(request.excluded_product_ids), limits.max_excluded_products)
        yield too_long("language_code", request.language_code, limits.max_language_characters)
        for name, ids, most in (
            ("product_ids", request.product_ids, limits.max_page_products),
            ("excluded_product_ids", request.excluded_product_ids, limits.max_excluded_products),
        ):
            for position, product_id in enumerate(ids[:most]):
                yield _product_id(f"{name}[{position}]", product_id)
        for position, action in enumerate(request.session[: limits.max_session_actions]):
            yield from _action_rules(f"session[{position}]", action, limits.max_query_characters)


def _action_rules(field: str, action: pb.SessionAction, characters: int) -> Iterator[Rule]:
    yield not 0 < action.type <= _LAST_TYPE, f"{field}.type", "must be a known value", "OUT_OF_RANGE"
    has_product, has_text = bool(action.product_id), bool(action.text)
    yield has_product == has_text, field, "must have either a product_id or a text", "REQUIRED"
    is_text = action.type in _NO_PRODUCT
    yield has_text and not is_text, f"{field}.text", "goes with SEARCH and COMMENT only", "NOT_ALLOWED"
    yield has_product and is_text, f"{field}.product_id", "does not go with SEARCH and COMMENT", "NOT_ALLOWED"
    if has_product:
        yield _product_id(f"{field}.product_id", action.product_id)
    yield too_long(f"{field}.text", action.text, characters)
    yield seconds_of(action.age) < 0, f"{field}.age", "must not be negative", "OUT_OF_RANGE"


def _product_id(field: str, product_id: str) -> Rule:
    rule = "must be 1 to 128 characters of A-Z a-z 0-9 . _ : - /"
    return not _PRODUCT_ID.fullmatch(product_id), field, rule, "INVALID_FORMAT"


def _action(action: pb.SessionAction) -> Behaviour:
    return of_session(action.type, action.product_id, action.text, seconds_of(action.age))


def recommend_response(page: ShownPage) -> pb.RecommendResponse:
    """A page as the API gives it. Places whose product is gone are left out; positions stay."""
    return pb.RecommendResponse(
        recommendations=_recommendations(page),
        next_page_token=page.next_page_token,
        attribution_token=page.attribution_token,
        total_size=page.total_size,
        policy=page.policy,
        degradations=[*page.degradations, *map(degradation, page.missing)],
        behaviour_count=page.behaviour_count,
    )


def _recommendations(page: ShownPage) -> list[pb.Recommendation]:
    shown = []
    for position, place in enumerate(page.places, page.first_position):
        if place.product_id not in page.summaries:
            continue
        message = pb.Recommendation(
            product=page.summaries[place.product_id],
            position=position,
            score=place.score,
            explanation=explanation(page.schema, place),
            other_variant_count=place.other_variant_count,
        )
        if place.reason is not None:
            message.reason.code = recommendation_pb2.ReasonCode.ValueType(place.reason.code)
            message.reason.product_id = place.reason.product_id
            message.reason.text = place.reason.text
        shown.append(message)
    return shown


def _too_many(field: str, count: int, limit: int) -> Rule:
    return count > limit, field, f"must have at most {limit} entries", "TOO_MANY"
