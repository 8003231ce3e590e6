"""What sources say and what visitors did, for tests of recommendations."""

import json

import numpy as np

from services.ranker.adapters.policy_files import SHIPPED
from services.ranker.recommend_policy import RecommendPolicy
from services.ranker.recommendation import Action, Behaviour, RecommendationRequest, Source, SourceScores
from tests.ranker.columns import candidates

DOCUMENT = json.loads((SHIPPED / "recommend.json").read_text())
PLAIN = {"typical_count": 1.0, "gain": 0.0, "exponent": 0.0}
NO_BUSINESS = {
    "sales": PLAIN,
    "rating": {"prior_average": 4.0, "prior_count": 1.0, "exponent": 0.0},
    "review_count": PLAIN,
    "availability": {"in_stock": 1.0, "preorder": 1.0, "backorder": 1.0, "out_of_stock": 1.0},
    "freshness": {"gain": 0.0, "half_life_days": 1.0},
}


def policy(weights=None, **sections) -> RecommendPolicy:
    """Weights by source, each (weight, normalisation, combination, seed_decay); the rest weighs nothing."""
    silent = {"weight": 0.0, "normalisation": "peak", "combination": "max", "seed_decay": 1.0}
    document = {
        **DOCUMENT,
        "business": NO_BUSINESS,
        "novelty": {"fewer_actions_than": 10, "fewer_impressions_than": 100},
        "newcomers": {"weight": 0.0, "power": 1.0},
        "reserved": {"most": 0, "first": 1, "every": 1},
        "exploration": {"probability": 0.0, "most": 0, "first": 1, "every": 2, "window": 1},
        "diversity": {"places": 0, "window": 1, "category": 1.0, "interest": 1.0, "floor": 1.0},
        **sections,
    }
    if weights is not None:
        names = ("weight", "normalisation", "combination", "seed_decay")
        heard = {name: dict(zip(names, rules, strict=True)) for name, rules in weights.items()}
        document["sources"] = dict.fromkeys(DOCUMENT["sources"], silent) | heard
    return RecommendPolicy.model_validate(document)


def said(*entries) -> SourceScores:
    """Entries (row, source, score, seed)."""
    return SourceScores(
        rows=np.array([entry[0] for entry in entries], dtype=np.int64),
        sources=np.array([Source[entry[1]] for entry in entries], dtype=np.int64),
        scores=np.array([entry[2] for entry in entries], dtype=np.float64),
        seeds=[entry[3] for entry in entries],
    )


def viewed(*product_ids, weight=1.0) -> list[Behaviour]:
    return [Behaviour(Action.VIEW, product_id, weight, 60.0 * place) for place, product_id in enumerate(product_ids)]


def request(count, *entries, **fields) -> RecommendationRequest:
    columns = fields.pop("columns", {})
    values = {
        "policy": "",
        "catalog": "",
        "candidates": candidates(count, **columns),
        "said": said(*entries),
        "categories": [""] * count,
        "interests": np.full(count, -1, dtype=np.int64),
        "behaviours": [],
        "titles": {},
        "language_code": "",
        "limit": 0,
        "seed": 1,
        **fields,
    }
    return RecommendationRequest(**values)
