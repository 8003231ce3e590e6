"""Searches: between the messages of the API and the plain values of the domain."""

from binascii import a2b_base64
from collections.abc import Iterable
from math import isnan
from typing import Final

from services.retrieval.answering import Answer
from services.retrieval.convert import money
from services.retrieval.facets import Facet, FacetScope, FacetSpec
from services.retrieval.filters import AttributeCondition, NumberRange, PriceRange, ProductFilter
from services.retrieval.ranking import Missing, ScoredProduct
from services.retrieval.relaxing import RelaxationMode
from services.retrieval.search import EncodingCost, SearchQuery, SearchResult
from services.retrieval.seeds import Behaviour
from services.retrieval.similar import SimilarQuery
from services.retrieval.sorting import SortOrder
from services.retrieval.variants import VariantMode
from zhiyin.common.v1 import behaviour_pb2, degradation_pb2, filter_pb2, model_pb2, product_pb2, result_set_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

_DEGRADATIONS: Final = {
    "LEXICAL_ONLY": degradation_pb2.DEGRADATION_KIND_LEXICAL_ONLY,
    "SEMANTIC_ONLY": degradation_pb2.DEGRADATION_KIND_SEMANTIC_ONLY,
    "SCORES_INCOMPLETE": degradation_pb2.DEGRADATION_KIND_SCORES_INCOMPLETE,
    "NOT_PERSONALISED": degradation_pb2.DEGRADATION_KIND_NOT_PERSONALISED,
    "WITHOUT_TEXTS": degradation_pb2.DEGRADATION_KIND_WITHOUT_TEXTS,
}


def search_query(catalog: str, request: pb.SearchCandidatesRequest) -> SearchQuery:
    """A search in plain values."""
    return SearchQuery(
        catalog,
        request.query,
        request.limit,
        product_filter(request.filter),
        request.region,
        tuple(_facet_spec(spec) for spec in request.facets),
        request.order or SortOrder.RELEVANCE,
        request.relaxation or RelaxationMode.STRICT,
        request.variants or VariantMode.COLLAPSED,
        behaviours(request.behaviours),
    )


def similar_query(catalog: str, request: pb.FindSimilarProductsRequest) -> SimilarQuery:
    """A search for similar products in plain values."""
    return SimilarQuery(
        catalog,
        request.product_id,
        request.limit,
        product_filter(request.filter),
        request.region,
        tuple(request.excluded_product_ids),
        request.variants or VariantMode.COLLAPSED,
    )


def behaviours(messages: Iterable[behaviour_pb2.Behaviour]) -> tuple[Behaviour, ...]:
    """What a visitor did, in plain values."""
    return tuple(Behaviour(message.product_id, message.text, message.weight) for message in messages)


def product_filter(message: filter_pb2.ProductFilter) -> ProductFilter:
    """A filter in plain values."""
    return ProductFilter(
        brands=tuple(message.brands),
        categories=tuple(message.categories),
        price=_price_range(message.price) if message.HasField("price") else None,
        availabilities=tuple(message.availabilities),
        rating=_number_range(message.rating) if message.HasField("rating") else None,
        attributes=tuple(_attribute_condition(condition) for condition in message.attributes),
        any=tuple(product_filter(group) for group in message.any),
        none=tuple(product_filter(group) for group in message.none),
    )


def search_response(result: SearchResult) -> pb.SearchCandidatesResponse:
    """Candidates with what a result shows of them."""
    response = pb.SearchCandidatesResponse(
        index_version=result.version.name, degradations=[degradation(missing) for missing in result.missing]
    )
    if result.cost is not None:
        fill_usage(response.usage, result.cost)
    for found in result.answer.products:
        _fill_found(response.found.add(), found)
    _fill_result_set(response.result_set, result.answer)
    return response


def similar_response(result: SearchResult) -> pb.FindSimilarProductsResponse:
    """Similar products with what a result shows of them."""
    response = pb.FindSimilarProductsResponse(
        index_version=result.version.name, degradations=[degradation(missing) for missing in result.missing]
    )
    for found in result.answer.products:
        _fill_found(response.found.add(), found)
    _fill_result_set(response.result_set, result.answer)
    return response


def fill_summary(message: product_pb2.ProductSummary, card: str, packed_offer: str) -> None:
    """What a result shows of a product, from what the index keeps of it."""
    message.CopyFrom(pb.FoundProduct.FromString(a2b_base64(card)).summary)
    if packed_offer:
        message.offer.ParseFromString(a2b_base64(packed_offer))


def _fill_found(message: pb.FoundProduct, found: ScoredProduct) -> None:
    message.ParseFromString(a2b_base64(found.card))
    scores = message.candidate.scores
    if not isnan(found.centred_cosine):
        scores.cosine = found.cosine
        scores.centred_cosine = found.centred_cosine
        scores.dot_product = found.dot_product
    if not isnan(found.lexical):
        scores.lexical = found.lexical
    if not isnan(found.visitor):
        scores.visitor = found.visitor
    if found.offer:
        offer_message = message.summary.offer
        offer_message.ParseFromString(a2b_base64(found.offer))
        message.candidate.signals.availability = offer_message.availability
    if found.other_variants:
        message.other_variant_count = found.other_variants


def _fill_result_set(message: result_set_pb2.ResultSet, answer: Answer) -> None:
    message.size = answer.size
    message.truncated = answer.truncated
    message.relaxed_fields.extend(answer.relaxed_fields)
    message.facets.extend(_facet(facet) for facet in answer.facets)


def _facet(facet: Facet) -> result_set_pb2.Facet:
    message = result_set_pb2.Facet(
        field=facet.spec.field,
        values=[result_set_pb2.FacetValue(value=value, count=count) for value, count in facet.values],
        ranges=[
            result_set_pb2.FacetRange(range=_range_message(bounds), count=count)
            for bounds, count in zip(facet.spec.ranges, facet.ranges, strict=True)
        ],
        currency_code=facet.currency,
        missing_count=facet.missing,
        distinct_count=facet.distinct,
    )
    if facet.observed is not None:
        message.observed.CopyFrom(_range_message(NumberRange(*facet.observed, facet.unit)))
    return message


def _facet_spec(message: result_set_pb2.FacetSpec) -> FacetSpec:
    return FacetSpec(
        message.field,
        message.limit,
        tuple(_number_range(bounds) for bounds in message.ranges),
        message.scope or FacetScope.RESULTS,
        message.parent_category,
    )


def _price_range(message: filter_pb2.PriceRange) -> PriceRange:
    lowest = money(message.min) if message.HasField("min") else None
    return PriceRange(lowest, money(message.max) if message.HasField("max") else None)


def _number_range(message: filter_pb2.NumberRange) -> NumberRange:
    lowest = message.min if message.HasField("min") else None
    return NumberRange(lowest, message.max if message.HasField("max") else None, message.unit)


def _range_message(bounds: NumberRange) -> filter_pb2.NumberRange:
    return filter_pb2.NumberRange(min=bounds.lowest, max=bounds.highest, unit=bounds.unit)


def _attribute_condition(message: filter_pb2.AttributeCondition) -> AttributeCondition:
    match message.WhichOneof("condition"):
        case "texts":
            return AttributeCondition(message.name, texts=tuple(message.texts.values))
        case "range":
            return AttributeCondition(message.name, range=_number_range(message.range))
        case "flag":
            return AttributeCondition(message.name, flag=message.flag)
        case _:
            return AttributeCondition(message.name)


def fill_usage(message: model_pb2.ModelUsage, cost: EncodingCost) -> None:
    """What vectors cost."""
    message.model.name = cost.model.name
    message.model.revision = cost.model.revision
    message.model.dims = cost.model.dims
    message.tokens = cost.tokens
    message.queue_time.FromNanoseconds(int(cost.queue_seconds * 1e9))
    message.compute_time.FromNanoseconds(int(cost.compute_seconds * 1e9))


def degradation(missing: Missing) -> degradation_pb2.Degradation:
    """A part that a reply had to do without."""
    return degradation_pb2.Degradation(
        kind=_DEGRADATIONS[missing.kind], component=missing.component, reason=missing.reason
    )
