"""The result set: what passes the filter, lies within the window of the best of each leg, and is above its floor.

What a dense leg can match is everything, so a set needs bounds. A product belongs to it where a leg has it among its
best `window`, with a score of at least a share of that leg's best one. Neither bound follows the number of results that
a caller asks for, so facets, orders and counts are those of the set, whatever is shown of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.retrieval.index_version import IndexVersion
from services.retrieval.product_index import Hit, LegHits, LegQuery, ProductIndex, Window


@dataclass(frozen=True, slots=True)
class SetRules:
    """Bounds of a result set."""

    window: int
    """Products of each leg at most."""
    ranked_window: int
    """The same where nothing is counted and nothing ordered but by relevance: more would be compared for nothing."""
    dense_floor: float
    """Share of the best centred cosine that the dense leg's products have at least."""
    lexical_floor: float
    """Share of the best lexical score that the lexical leg's products have at least."""
    groups: int
    """Primary products that a full window should show."""
    rounds: int
    """How often the legs are asked where variants of fewer products than that fill the window."""


@dataclass(frozen=True, slots=True)
class ResultSet:
    """Products with the scores that are known so far, by point."""

    members: Sequence[Hit]
    """The set itself."""
    hits: Mapping[str, Hit]
    """All that the windows showed, by point: also what is below the floors, which scores are compared with."""
    dense: Mapping[str, float]
    lexical: Mapping[str, float]
    dense_cut: bool
    """Whether the leg may know more products than it returned: then an unknown score is not a missing one."""
    lexical_cut: bool
    truncated: bool
    """Whether more products may be above the floor."""


async def collect(
    index: ProductIndex,
    version: IndexVersion,
    legs: LegQuery,
    region: str,
    windows: Sequence[Window],
    rules: SetRules,
    *,
    collapsed: bool,
) -> tuple[list[ResultSet], int]:
    """The result set of each window, and the number of round trips that it took. Raises as ProductIndex.find.

    Hundreds of variants of few products can fill a window. Where they do, and are going to be shown as one result each,
    the legs are asked again without the products found so far.
    """
    growing = [_Growing(window, rules) for window in windows]
    open_sets, trips = growing, 0
    while open_sets and trips < rules.rounds:
        found = await index.find(version, legs, region, [one.next_window() for one in open_sets])
        for one, hits in zip(open_sets, found, strict=True):
            one.add(hits)
        trips += 1
        open_sets = [one for one in open_sets if collapsed and one.is_starved]
    return [one.result() for one in growing], trips


class _Leg:
    """What one leg has found, round after round, best first within each."""

    def __init__(self, share: float) -> None:
        self._share = share
        self.hits: dict[str, Hit] = {}
        self.floor: float | None = None
        """Set by the best score of the first round, than which none of a later one is better."""
        self.was_cut = False

    def add(self, hits: Sequence[Hit] | None, window: int) -> bool:
        """Takes a round's hits; whether more of them may be above the floor."""
        if not hits:
            return False
        if self.floor is None:
            best = hits[0].score
            # A share of a negative score would lie above it.
            self.floor = best - (1.0 - self._share) * abs(best)
        self.hits.update((hit.point, hit) for hit in hits)
        is_cut = len(hits) >= window
        self.was_cut |= is_cut
        return is_cut and hits[-1].score >= self.floor

    def members(self) -> Iterable[Hit]:
        """Hits at or above the floor."""
        return [hit for hit in self.hits.values() if self.floor is not None and hit.score >= self.floor]


class _Growing:
    """A result set that is being collected."""

    def __init__(self, window: Window, rules: SetRules) -> None:
        self._window = window
        self._groups_wanted = rules.groups
        self._dense, self._lexical = _Leg(rules.dense_floor), _Leg(rules.lexical_floor)
        self._is_open = False
        self._truncated = False

    @property
    def is_starved(self) -> bool:
        """Whether there is more to find and variants of few products are all that was found."""
        return self._is_open and len(self._groups()) < self._groups_wanted

    def next_window(self) -> Window:
        """The window of the next round: without what was found."""
        groups = self._groups()
        return replace(self._window, without_groups=[*self._window.without_groups, *groups]) if groups else self._window

    def add(self, hits: LegHits) -> None:
        """Takes what a round found."""
        more_dense = self._dense.add(hits.dense, self._window.size)
        more_lexical = self._lexical.add(hits.lexical, self._window.size)
        self._is_open = more_dense or more_lexical
        self._truncated |= self._is_open

    def result(self) -> ResultSet:
        """The set."""
        legs = (self._dense, self._lexical)
        members = {hit.point: hit for leg in legs for hit in leg.members()}
        return ResultSet(
            list(members.values()),
            {**self._lexical.hits, **self._dense.hits},
            {point: hit.score for point, hit in self._dense.hits.items()},
            {point: hit.score for point, hit in self._lexical.hits.items()},
            self._dense.was_cut,
            self._lexical.was_cut,
            self._truncated,
        )

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(hit.group for leg in (self._dense, self._lexical) for hit in leg.hits.values()))
