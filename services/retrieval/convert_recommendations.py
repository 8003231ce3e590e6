"""Recommendations: between the messages of the API and the plain values of the domain."""

from binascii import a2b_base64
from math import isnan

from services.retrieval.convert_search import behaviours, degradation, fill_summary, fill_usage, product_filter
from services.retrieval.recommend_rules import CategoryScope, RecommendQuery
from services.retrieval.recommended import Recommended
from services.retrieval.recommending import RecommendResult
from services.retrieval.variants import VariantMode
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb


def recommend_query(catalog: str, request: pb.RecommendCandidatesRequest) -> RecommendQuery:
    """A request in plain values."""
    return RecommendQuery(
        catalog,
        behaviours(request.behaviours),
        tuple(request.page_product_ids),
        tuple(request.extra_product_ids),
        tuple(request.excluded_product_ids),
        request.limit,
        product_filter(request.filter),
        request.region,
        request.category_scope or CategoryScope.ALL,
        request.variants or VariantMode.COLLAPSED,
    )


def recommend_response(query: RecommendQuery, result: RecommendResult) -> pb.RecommendCandidatesResponse:
    """Candidates with what a result shows of them."""
    response = pb.RecommendCandidatesResponse(
        index_version=result.version.name,
        degradations=[degradation(missing) for missing in result.missing],
        interests=[pb.Interest(share=each.share, behaviours=each.places) for each in result.interests],
    )
    if result.cost is not None:
        fill_usage(response.usage, result.cost)
    for product in result.products:
        _fill(response.found.add(), product, query)
    for card, offer in result.seeds:
        fill_summary(response.seed_summaries.add(), card, offer)
    return response


def _fill(message: pb.RecommendedProduct, product: Recommended, query: RecommendQuery) -> None:
    # A card is a FoundProduct, whose fields these are too.
    message.ParseFromString(a2b_base64(product.card.product))
    if not isnan(product.visitor):
        message.candidate.scores.visitor = product.visitor
    if product.interest is not None:
        message.interest = product.interest
        message.interest_cosine = product.interest_cosine
    if product.seed is not None:
        message.seed_product_id = query.behaviours[product.seed].product_id
    if not isnan(product.page_cosine):
        message.page_cosine = product.page_cosine
        message.page_product_id = product.page_product_id
    if product.card.offer:
        offer = message.summary.offer
        offer.ParseFromString(a2b_base64(product.card.offer))
        message.candidate.signals.availability = offer.availability
    message.is_by_content = product.is_by_content
    message.other_variant_count = product.other_variants
