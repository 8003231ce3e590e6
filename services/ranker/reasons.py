"""Why a product is recommended: the source that moved it most, and the seed that moved the source most."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.ranker.candidates import FloatArray
from services.ranker.merging import Merged
from services.ranker.reason_texts import reason_text
from services.ranker.recommendation import (
    Action,
    Behaviour,
    PlaceKind,
    Reason,
    ReasonCode,
    RecommendationRequest,
    Source,
    SourceScores,
)

_OF_SOURCE: Final = {
    Source.CO_OCCURRENCE: ReasonCode.TOGETHER,
    Source.PAGE: ReasonCode.SIMILAR,
    Source.TRENDING: ReasonCode.TRENDING,
    Source.POPULAR: ReasonCode.POPULAR,
    Source.NEW: ReasonCode.NEW,
    Source.BOUGHT_BEFORE: ReasonCode.BUY_AGAIN,
}
_OF_ACTION: Final = {
    Action.PURCHASE: ReasonCode.BOUGHT,
    Action.CART: ReasonCode.IN_CART,
    Action.OPINION: ReasonCode.LIKED,
    Action.VIEW: ReasonCode.VIEWED,
}
"""The strongest first: who bought a product has viewed it as well."""


class Reasons:
    """The reasons of one request."""

    def __init__(self, request: RecommendationRequest, merged: Merged, title_length: int) -> None:
        self._titles = request.titles
        self._language = request.language_code
        self._title_length = title_length
        self._actions = _strongest_actions(request.behaviours)
        self._text_code = _code_of_texts(request.behaviours)
        terms = np.stack([merged.terms[source] for source in Source])
        # `Source` counts from 1.
        sources = terms.argmax(axis=0) + 1
        self._sources = sources.tolist()
        self._has_any = (terms.max(axis=0) > 0).tolist()
        self._seeds = _strongest_seeds(request.said, merged.decayed, sources)
        self._told: dict[tuple[int, str], Reason] = {}

    def reason(self, row: int, kind: PlaceKind, *, brought_up: bool) -> Reason:
        """Why the candidate of this row stands where it stands."""
        if brought_up:
            return self._general(ReasonCode.EXPLORED)
        if kind is PlaceKind.RESERVED:
            return self._general(ReasonCode.NEW)
        if not self._has_any[row]:
            return self._general(ReasonCode.NONE)
        return self._of_source(self._sources[row], self._seeds.get(row, ""))

    def _general(self, code: ReasonCode) -> Reason:
        return Reason(code, "", reason_text(code, "", self._language, self._title_length))

    def _of_source(self, source: int, seed: str) -> Reason:
        # Few differ: many products go back to the same seed.
        told = self._told.get((source, seed))
        if told is None:
            code = self._code_of_interest(seed) if source == Source.INTEREST else _OF_SOURCE[Source(source)]
            text = reason_text(code, self._titles.get(seed, ""), self._language, self._title_length)
            told = self._told[source, seed] = Reason(code, seed, text)
        return told

    def _code_of_interest(self, seed: str) -> ReasonCode:
        return self._actions.get(seed, ReasonCode.SIMILAR) if seed else self._text_code


def _strongest_actions(behaviours: Sequence[Behaviour]) -> Mapping[str, ReasonCode]:
    strength = {code: place for place, code in enumerate(_OF_ACTION.values())}
    strongest: dict[str, ReasonCode] = {}
    for behaviour in behaviours:
        code = _OF_ACTION.get(behaviour.action)
        if code is None or behaviour.weight <= 0:
            continue
        known = strongest.get(behaviour.product_id)
        if known is None or strength[code] < strength[known]:
            strongest[behaviour.product_id] = code
    return strongest


def _code_of_texts(behaviours: Sequence[Behaviour]) -> ReasonCode:
    # An interest whose seed is no product goes back to a text, and without texts to the interest as a whole.
    texts = {behaviour.action for behaviour in behaviours if not behaviour.product_id and behaviour.weight > 0}
    if Action.SEARCH in texts:
        return ReasonCode.SEARCHED
    return ReasonCode.LIKED if Action.OPINION in texts else ReasonCode.NONE


def _strongest_seeds(said: SourceScores, decayed: FloatArray, sources: NDArray[np.int64]) -> dict[int, str]:
    """Seed of the largest entry of each candidate's own source; of equals, the first by product id."""
    mine = np.flatnonzero((said.sources == sources[said.rows]) & np.isfinite(decayed))
    strongest: dict[int, tuple[float, str]] = {}
    for entry, row, value in zip(mine.tolist(), said.rows[mine].tolist(), decayed[mine].tolist(), strict=True):
        known = strongest.get(row)
        if known is None or (-value, said.seeds[entry]) < known:
            strongest[row] = (-value, said.seeds[entry])
    return {row: seed for row, (_, seed) in strongest.items()}
