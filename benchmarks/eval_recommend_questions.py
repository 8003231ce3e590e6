"""The questions that recommendations are measured by, each asked of the services and of what stands beside them."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from benchmarks.eval_recommend_lists import Asked, Served, computed, sample, served, until_ready
from benchmarks.eval_recommend_report import Goal, Line, gains_of, lines_of, paired
from benchmarks.eval_recommend_shop import Shop
from benchmarks.recommend_data import BehaviourSet, Visitor, shorten_visitors, withhold_products
from benchmarks.recommend_reference import FusionRules, Reference
from benchmarks.recommend_vectors import centred_titles

SEED: Final = 11
EXPLOIT, RESERVED = "recommend-exploit", "recommend"
SERVED: Final = "served"
WITH_PLACES: Final = "served, with reserved places and exploration"
SINGLE: Final = ("co-occurrence alone", "content alone", "popularity")
COLD_PRODUCTS: Final = 0.1
COLD_VISITORS: Final = 0.05
BEAUTY_GOAL: Final = 0.068
COLD_GOAL: Final = 0.041
LOSS: Final = 0.05
BEAUTY: Final = "amazon_beauty"
"""Name of the set, and of its folder."""
_REFERENCE_BOUGHT: Final = 4.0
_REFERENCE_NEWCOMER: Final = 0.36
_READY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    visitors: int
    """Asked for at most, for each question."""
    households: int
    """Whose purchases are replayed."""
    groceries: int
    step: timedelta
    cold: bool


class Evaluation:
    """Lines, goals and remarks as they come."""

    def __init__(self, shop: Shop, sizes: Sizes) -> None:
        self._shop = shop
        self._sizes = sizes
        self.lines: list[Line] = []
        self.goals: list[Goal] = []
        self.remarks: list[str] = []

    async def beauty(self, data: BehaviourSet) -> None:
        """Leave the last product out."""
        visitors = sample(data.visitors, self._sizes.visitors, SEED)
        reference = Reference(data, centred_titles(data.titles))
        await self._open("beauty", data, self._sizes.step)
        lists = await self._policies("beauty", data, visitors)
        lists |= _reference_lists(reference, visitors)
        question = "the last product of a sequence"
        lines = self._add(data.name, question, visitors, lists)
        self._goal(f"{data.name}: NDCG@10 of at least {BEAUTY_GOAL}", lines[0].ndcg, at_least=BEAUTY_GOAL)
        self._beats_single_sources(data.name, question, lines)
        self._loses_little(data.name, question, visitors, lists)
        if self._sizes.cold:
            await self._cold("beauty-cold", data, self._sizes.step)

    async def groceries(self, data: BehaviourSet) -> None:
        """The next basket after a date."""
        visitors = sample(data.visitors, self._sizes.visitors, SEED)
        new = [replace(one, targets=one.targets - one.seen) for one in visitors if one.targets - one.seen]
        reference = Reference(data, centred_titles(data.titles))
        await self._open("groceries", data, None)
        lists = await self._policies("groceries", data, new) | _reference_lists(reference, new)
        question = "the next basket, products new to the household"
        lines = self._add(data.name, question, new, lists)
        self._beats_single_sources(data.name, question, lines)
        self._loses_little(data.name, question, new, lists)
        await self._repeats(data, visitors, reference)
        if self._sizes.cold:
            await self._cold("groceries-cold", data, None)

    async def _repeats(self, data: BehaviourSet, visitors: Sequence[Visitor], reference: Reference) -> None:
        with_bought = replace(reference, fusion=FusionRules(bought=_REFERENCE_BOUGHT))
        asked = Asked("groceries", EXPLOIT, excludes_seen=False)
        lists = {
            SERVED: (await self._served(asked, data, visitors)).lists,
            "reference, in plain numpy": computed(visitors, with_bought.fused),
            "bought before, by frequency and recency": computed(visitors, reference.bought_before),
            "popularity": computed(visitors, with_bought.popular),
        }
        self._add(data.name, "the next basket, all of it, bought products allowed", visitors, lists)
        again = [i for i, one in enumerate(visitors) if one.targets & one.seen]
        chosen = [replace(visitors[i], targets=visitors[i].targets & visitors[i].seen) for i in again]
        lists = {name: [each[i] for i in again] for name, each in lists.items()}
        self._add(data.name, "of it, what was bought before", chosen, lists)

    async def _cold(self, catalog: str, data: BehaviourSet, step: timedelta | None) -> None:
        without, withheld = withhold_products(data, COLD_PRODUCTS, SEED)
        cold, short = shorten_visitors(without, COLD_VISITORS, SEED)
        reference = Reference(cold, centred_titles(cold.titles), fusion=FusionRules(newcomer=_REFERENCE_NEWCOMER))
        await self._open(catalog, cold, step)
        whole = [one for one in cold.visitors if one.visitor_id not in short]
        wanting = [replace(one, targets=one.targets & withheld) for one in whole]
        await self._cold_products(catalog, cold, sample(wanting, self._sizes.visitors // 2, SEED), reference)
        others = [replace(one, targets=one.targets - withheld - one.seen) for one in whole]
        await self._others(catalog, cold, sample(others, self._sizes.visitors, SEED), reference)
        begun = [replace(one, targets=one.targets - one.seen) for one in cold.visitors if one.visitor_id in short]
        await self._cold_visitors(catalog, cold, sample(begun, self._sizes.visitors, SEED), reference)

    async def _cold_products(
        self, catalog: str, data: BehaviourSet, visitors: Sequence[Visitor], reference: Reference
    ) -> None:
        lists = await self._policies(catalog, data, visitors)
        lists = {WITH_PLACES: lists[WITH_PLACES], f"{SERVED}, without": lists[SERVED]}
        lists |= {
            "reference, in plain numpy": computed(visitors, reference.fused),
            "content alone": computed(visitors, reference.alike),
        }
        question = f"a product that nobody has turned to yet ({COLD_PRODUCTS:.0%} of all)"
        lines = self._add(data.name, question, visitors, lists, WITH_PLACES)
        if data.name == BEAUTY:
            text = f"{data.name}: NDCG@10 of products without behaviour at least {COLD_GOAL}"
            self._goal(text, lines[0].ndcg, at_least=COLD_GOAL)

    async def _others(
        self, catalog: str, data: BehaviourSet, visitors: Sequence[Visitor], reference: Reference
    ) -> None:
        lists = await self._policies(catalog, data, visitors)
        lists["reference, in plain numpy"] = computed(visitors, reference.fused)
        question = "any other product, beside these"
        self._add(data.name, question, visitors, lists)
        self._loses_little(data.name, question, visitors, lists)

    async def _cold_visitors(
        self, catalog: str, data: BehaviourSet, visitors: Sequence[Visitor], reference: Reference
    ) -> None:
        lists: dict[str, Sequence[Sequence[int]]] = {}
        lists[SERVED] = (await self._served(Asked(catalog, EXPLOIT), data, visitors)).lists
        session = Asked(catalog, EXPLOIT, as_session=True)
        lists["served, the event told as the session"] = (await self._served(session, data, visitors)).lists
        lists |= _reference_lists(reference, visitors)
        question = "what a visitor of one event turns to"
        self._beats_single_sources(data.name, question, self._add(data.name, question, visitors, lists))

    async def _open(self, catalog: str, data: BehaviourSet, step: timedelta | None) -> None:
        await self._shop.put_on_sale(catalog, data)
        count = await self._shop.replay(catalog, data, step)
        await until_ready(self._shop.gateway, catalog, _READY_SECONDS)
        self.remarks.append(
            f"{catalog}: {len(data.product_ids):,} products, {count:,} events of {len(data.visitors):,}"
        )

    async def _policies(
        self, catalog: str, data: BehaviourSet, visitors: Sequence[Visitor]
    ) -> dict[str, Sequence[Sequence[int]]]:
        policies = {SERVED: EXPLOIT, WITH_PLACES: RESERVED}
        return {
            name: (await self._served(Asked(catalog, policy), data, visitors)).lists
            for name, policy in policies.items()
        }

    async def _served(self, asked: Asked, data: BehaviourSet, visitors: Sequence[Visitor]) -> Served:
        found = await served(self._shop.gateway, asked, data, visitors)
        sys.stderr.write(f"{asked}: {len(visitors):,} replies after {found.seconds:.1f} s\n")
        if found.degradations:
            self.remarks.append(f"{asked}: of {len(visitors):,} replies lacked {dict(found.degradations)}")
        return found

    def _add(
        self,
        data: str,
        question: str,
        visitors: Sequence[Visitor],
        lists: Mapping[str, Sequence[Sequence[int]]],
        compared: str = SERVED,
    ) -> list[Line]:
        lines = lines_of(data, question, [one.targets for one in visitors], lists, compared)
        self.lines += lines
        return lines

    def _goal(self, text: str, value: float, at_least: float) -> None:
        self.goals.append(Goal(text, value, value >= at_least))

    def _beats_single_sources(self, data: str, question: str, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.method in SINGLE and line.less_than_served is not None:
                text = f"{data}: {question}: better than {line.method}"
                self.goals.append(Goal(text, line.less_than_served, line.less_than_served > 0))

    def _loses_little(
        self, data: str, question: str, visitors: Sequence[Visitor], lists: Mapping[str, Sequence[Sequence[int]]]
    ) -> None:
        targets = [one.targets for one in visitors]
        without, with_places = (gains_of(lists[name], targets) for name in (SERVED, WITH_PLACES))
        loss = paired(without, with_places)[0] / (sum(without) / len(without) or 1.0)
        text = f"{data}: {question}: reserved places and exploration lose at most {LOSS:.0%}"
        self.goals.append(Goal(text, loss, loss <= LOSS))


def _reference_lists(reference: Reference, visitors: Sequence[Visitor]) -> dict[str, Sequence[Sequence[int]]]:
    methods = (reference.together, reference.alike, reference.popular)
    lists = {name: computed(visitors, method) for name, method in zip(SINGLE, methods, strict=True)}
    return {"reference, in plain numpy": computed(visitors, reference.fused), **lists}
