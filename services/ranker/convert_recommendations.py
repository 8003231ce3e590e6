"""Between the messages of RankRecommendations and the domain."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, Violation
from services.ranker.arranging import NO_INTEREST
from services.ranker.candidates import COSINE_SLACK, MAX_ID_LENGTH, MAX_SCORE, Limits, violations_of
from services.ranker.convert import candidate_columns, factor_rows, factor_schema
from services.ranker.recommendation import (
    Action,
    Behaviour,
    PlaceKind,
    ReasonCode,
    RecommendationRequest,
    Recommendations,
    Source,
    SourceScores,
)
from zhiyin.common.v1 import recommendation_pb2, user_event_pb2
from zhiyin.ranker.v1 import ranker_service_pb2 as pb

CATEGORY_SEPARATOR: Final = " > "
MAX_LANGUAGE_LENGTH: Final = 35
"""Characters of a BCP-47 tag at most (RFC 5646, section 4.4.1)."""
_COSINES: Final = [int(Source.INTEREST), int(Source.PAGE)]
_TOO_LONG: Final = f"must have at most {MAX_ID_LENGTH} characters"
_ACTIONS: Final = {
    user_event_pb2.USER_EVENT_TYPE_SEARCH: Action.SEARCH,
    user_event_pb2.USER_EVENT_TYPE_DETAIL_PAGE_VIEW: Action.VIEW,
    user_event_pb2.USER_EVENT_TYPE_CLICK: Action.VIEW,
    user_event_pb2.USER_EVENT_TYPE_ADD_TO_CART: Action.CART,
    user_event_pb2.USER_EVENT_TYPE_PURCHASE_COMPLETE: Action.PURCHASE,
    user_event_pb2.USER_EVENT_TYPE_RATE: Action.OPINION,
    user_event_pb2.USER_EVENT_TYPE_COMMENT: Action.OPINION,
    user_event_pb2.USER_EVENT_TYPE_SHARE: Action.OPINION,
}
_CODES: Final = {
    code: recommendation_pb2.ReasonCode.Value(
        "REASON_CODE_UNSPECIFIED" if code is ReasonCode.NONE else f"REASON_CODE_{code.name}"
    )
    for code in ReasonCode
}
_KINDS: Final = {kind: pb.PlaceKind.Value(f"PLACE_KIND_{kind.name}") for kind in PlaceKind}


def recommendation_request(request: pb.RankRecommendationsRequest, limits: Limits) -> RecommendationRequest:
    """The request in the domain's terms.

    Raises:
        InvalidArgument: names the fields that are missing, too many or out of range.
    """
    limits.check_count(len(request.candidates))
    violations = list(_count_violations(request, limits))
    if violations:
        raise InvalidArgument(violations)
    candidates = candidate_columns([entry.candidate for entry in request.candidates])
    said = _said(request)
    violations = [
        *(Violation(_inner(v.field), v.description, v.reason) for v in violations_of(candidates)),
        *_entry_violations(request, said),
        *_field_violations(request),
    ]
    if violations:
        raise InvalidArgument(violations)
    return RecommendationRequest(
        policy=request.policy,
        catalog=request.catalog,
        candidates=candidates,
        said=said,
        categories=[_first_level(entry) for entry in request.candidates],
        interests=_interests(request),
        behaviours=[
            Behaviour(_ACTIONS.get(b.type, Action.OTHER), b.product_id, b.weight, b.age.seconds + b.age.nanos / 1e9)
            for b in request.behaviours
        ],
        titles=dict(request.titles),
        language_code=request.language_code,
        limit=request.limit,
        seed=request.seed,
    )


def recommendations_response(recommendations: Recommendations) -> pb.RankRecommendationsResponse:
    """The reply: what the factors are once, their values beside each product."""
    reply = pb.RankRecommendationsResponse(
        policy=pb.PolicyIdentity(name=recommendations.policy_name, version=recommendations.policy_version),
        factors=factor_schema(recommendations.scorer, recommendations.factors),
        feature_schema=recommendations.feature_schema,
    )
    rows = zip(
        recommendations.product_ids,
        recommendations.scores,
        factor_rows(recommendations.factors),
        recommendations.propensities,
        recommendations.reasons,
        recommendations.kinds,
        recommendations.features,
        strict=True,
    )
    for product_id, score, values, propensity, reason, kind, features in rows:
        ranked = reply.ranked.add(
            product_id=product_id,
            score=score,
            factor_values=values,
            propensity=propensity,
            place=_KINDS[kind],
            features=features,
        )
        ranked.reason.code = _CODES[reason.code]
        ranked.reason.product_id, ranked.reason.text = reason.product_id, reason.text
    return reply


def _said(request: pb.RankRecommendationsRequest) -> SourceScores:
    entries = [
        (row, said.source, said.score, said.seed_product_id)
        for row, entry in enumerate(request.candidates)
        for said in entry.sources
    ]
    return SourceScores(
        rows=np.array([entry[0] for entry in entries], dtype=np.int64),
        sources=np.array([entry[1] for entry in entries], dtype=np.int64),
        scores=np.array([entry[2] for entry in entries], dtype=np.float64),
        seeds=[entry[3] for entry in entries],
    )


def _interests(request: pb.RankRecommendationsRequest) -> NDArray[np.int64]:
    interests = [entry.interest if entry.HasField("interest") else NO_INTEREST for entry in request.candidates]
    return np.array(interests, dtype=np.int64)


def _first_level(entry: pb.RecommendationCandidate) -> str:
    return entry.categories[0].partition(CATEGORY_SEPARATOR)[0] if entry.categories else ""


def _inner(field: str) -> str:
    # The columns know candidates; here each lies within an entry.
    return field.replace("].", "].candidate.", 1)


def _count_violations(request: pb.RankRecommendationsRequest, limits: Limits) -> Iterator[Violation]:
    if len(request.behaviours) > limits.max_behaviours:
        yield Violation("behaviours", f"must be at most {limits.max_behaviours}", "TOO_MANY")
    if len(request.titles) > limits.max_titles:
        yield Violation("titles", f"must be at most {limits.max_titles}", "TOO_MANY")
    for row, entry in enumerate(request.candidates):
        if len(entry.sources) > limits.max_sources:
            yield Violation(f"candidates[{row}].sources", f"must be at most {limits.max_sources}", "TOO_MANY")


def _entry_violations(request: pb.RankRecommendationsRequest, said: SourceScores) -> Iterator[Violation]:
    is_cosine = np.isin(said.sources, _COSINES)
    highest = np.where(is_cosine, 1 + COSINE_SLACK, MAX_SCORE)
    is_known = (said.sources >= min(Source)) & (said.sources <= max(Source))
    # NaN is in no range.
    in_range = (said.scores >= np.where(is_cosine, -highest, 0.0)) & (said.scores <= highest)
    fits = np.array([len(seed) <= MAX_ID_LENGTH for seed in said.seeds], dtype=np.bool_)
    keys = list(zip(said.rows.tolist(), said.sources.tolist(), said.seeds, strict=True))
    if len(set(keys)) == len(keys) and (is_known & in_range & fits).all():
        return
    places = [(row, place) for row, entry in enumerate(request.candidates) for place in range(len(entry.sources))]
    seen: set[tuple[int, int, str]] = set()
    for entry, (row, place) in enumerate(places):
        field = f"candidates[{row}].sources[{place}]"
        if not is_known[entry]:
            yield Violation(f"{field}.source", "must be a known source", "REQUIRED")
        elif not in_range[entry]:
            limits = "must be -1 to 1" if is_cosine[entry] else "must be 0 to 1e9"
            yield Violation(f"{field}.score", limits, "OUT_OF_RANGE")
        elif not fits[entry]:
            yield Violation(f"{field}.seed_product_id", _TOO_LONG, "TOO_LONG")
        elif keys[entry] in seen:
            yield Violation(field, "says the same source and seed as another", "DUPLICATE")
        seen.add(keys[entry])


def _field_violations(request: pb.RankRecommendationsRequest) -> Iterator[Violation]:
    for row, entry in enumerate(request.candidates):
        if entry.interest < 0:
            yield Violation(f"candidates[{row}].interest", "must not be negative", "OUT_OF_RANGE")
    for place, behaviour in enumerate(request.behaviours):
        if len(behaviour.product_id) > MAX_ID_LENGTH:
            yield Violation(f"behaviours[{place}].product_id", _TOO_LONG, "TOO_LONG")
        if not math.isfinite(behaviour.weight):
            yield Violation(f"behaviours[{place}].weight", "must be a finite number", "OUT_OF_RANGE")
    if len(request.language_code) > MAX_LANGUAGE_LENGTH:
        yield Violation("language_code", f"must have at most {MAX_LANGUAGE_LENGTH} characters", "TOO_LONG")
