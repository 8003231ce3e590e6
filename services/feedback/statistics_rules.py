"""The rules of the tables as text, kept beside the tables."""

import json
from dataclasses import asdict

from services.feedback.co_occurrence import PairRules
from services.feedback.counting import CountingRules


def written(rules: CountingRules) -> str:
    """What decides which number an event adds. Not the rules for programs: they may change without a recount."""
    weights = {str(int(action)): weight for action, weight in sorted(rules.weights.items())}
    return json.dumps({"weights": weights, "pairs": asdict(rules.pairs)}, sort_keys=True)


def read(text: str, wanted: CountingRules) -> CountingRules:
    """The rules that were written, with the rules for programs of `wanted`."""
    kept = json.loads(text)
    weights = {int(action): weight for action, weight in kept["weights"].items()}
    return CountingRules(weights, PairRules(**kept["pairs"]), wanted.bots)
