"""Profiles: what a visitor did lately, as signals of what the visitor wants."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from services.feedback.behaviours import Behaviour, BehaviourRules, PastEvent, behaviours_of
from services.feedback.catalogs import catalog_named
from services.feedback.persons import Person, PersonHasher
from services.feedback.statistics_requests import PageLimits

_DAY: Final = 86_400.0


class Choice(NamedTuple):
    """Products that were bought, or dismissed, at once."""

    time: float
    """Unix seconds."""
    product_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class History:
    """What was read of a person, each list newest first."""

    events: Sequence[PastEvent]
    purchases: Sequence[Choice]
    dismissals: Sequence[Choice]
    is_bot: bool


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How much is read of a person at most."""

    events: int
    purchases: int
    """Of these, and of dismissals."""
    visitors: int
    """Visitors of one account, the latest ones."""


class RepeatPurchase(NamedTuple):
    """A product that was bought more than once."""

    product_id: str
    purchases: int
    age: float
    """Seconds since the last purchase."""
    mean_interval: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A person's recent behaviour."""

    behaviours: Sequence[Behaviour]
    """Newest first."""
    purchased: Sequence[str]
    """Within the window, newest first."""
    dismissed: Sequence[str]
    repeats: Sequence[RepeatPurchase]
    """Most often first."""
    is_bot: bool
    event_count: int
    """Events that were read."""

    @property
    def is_known(self) -> bool:
        """Whether anything is kept of this person."""
        return bool(self.event_count or self.purchased or self.dismissed)


@dataclass(frozen=True, slots=True)
class ProfileRules:
    """How a history becomes a profile."""

    behaviours: BehaviourRules
    limits: PageLimits
    """Of behaviours."""
    purchase_days: float
    dismissal_days: float
    max_products: int
    """Length of the lists of what was bought, and dismissed."""
    max_repeats: int


class HistoryStore(Protocol):
    """What was kept of persons."""

    async def history(self, catalog: str, person: Person, limits: HistoryLimits) -> History:
        """What a person did, with what the same account did as another visitor.

        An anonymous visitor counts for the account that it last logged in to; what was done under another account
        stays with that one.

        Raises:
            Unavailable: the store is away.
        """
        ...


class Profiles:
    """Profiles of the visitors of all catalogues."""

    def __init__(
        self,
        store: HistoryStore,
        hasher: PersonHasher,
        rules: ProfileRules,
        limits: HistoryLimits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._rules = rules
        self._limits = limits
        self._clock = clock

    async def profile(self, catalog: str, visitor_id: str, user_id: str = "", limit: int = 0) -> UserProfile:
        """The profile of a person; an empty one for somebody not seen before.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the store is away.
        """
        catalog, limit = catalog_named(catalog), self._rules.limits.limit(limit)
        person = self._hasher.person(catalog, visitor_id, user_id)
        return profile_of(await self._store.history(catalog, person, self._limits), self._rules, limit, self._clock())


def profile_of(history: History, rules: ProfileRules, limit: int, now: float) -> UserProfile:
    """The profile that a history gives at `now`, in Unix seconds."""
    return UserProfile(
        behaviours_of(history.events, rules.behaviours, limit, now),
        _since(history.purchases, now - rules.purchase_days * _DAY, rules.max_products),
        _since(history.dismissals, now - rules.dismissal_days * _DAY, rules.max_products),
        _repeats(history.purchases, rules.max_repeats, now),
        history.is_bot,
        len(history.events),
    )


def _since(choices: Sequence[Choice], begin: float, most: int) -> list[str]:
    # A dict keeps the order, and each product once.
    found = dict.fromkeys(product_id for choice in choices if choice.time >= begin for product_id in choice.product_ids)
    return list(found)[:most]


def _repeats(purchases: Sequence[Choice], most: int, now: float) -> list[RepeatPurchase]:
    times: dict[str, list[float]] = {}
    for purchase in purchases:
        for product_id in purchase.product_ids:
            times.setdefault(product_id, []).append(purchase.time)
    repeats = [_repeat(product_id, found, now) for product_id, found in _several(times).items()]
    return sorted(repeats, key=lambda repeat: (-repeat.purchases, repeat.age, repeat.product_id))[:most]


def _several(times: Mapping[str, Sequence[float]]) -> Mapping[str, Sequence[float]]:
    return {product_id: found for product_id, found in times.items() if len(found) > 1}


def _repeat(product_id: str, times: Sequence[float], now: float) -> RepeatPurchase:
    last, first = max(times), min(times)
    return RepeatPurchase(product_id, len(times), max(0.0, now - last), (last - first) / (len(times) - 1))
