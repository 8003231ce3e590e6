"""Which visitors are programs: rules over what is known of a visitor, in the order in which it became known."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import sqrt
from typing import Final

_MINUTE: Final = 60_000_000
_DAY: Final = 86_400_000_000


class BotReason(StrEnum):
    """The rule that a visitor broke."""

    RATE = "RATE"
    RATIO = "RATIO"
    REGULARITY = "REGULARITY"


@dataclass(frozen=True, slots=True)
class BotRules:
    """Limits that no person reaches."""

    events_a_minute: int = 120
    views_a_day: int = 600
    """Page views within a day by a visitor who has never put anything into a cart or bought it."""
    regular_events: int = 30
    """Events in a row whose gaps are compared."""
    gap_variation: float = 0.05
    """Coefficient of variation of the gaps, standard deviation over mean, below which they are a clock's."""
    longest_gap: float = 600.0
    """Seconds; a mean gap above it is no clock's: who comes every morning is not a program."""


@dataclass(slots=True)
class Conduct:
    """Counters of one visitor; changed in place."""

    minute: int = 0
    """The latest minute of which anything is known, since 1970."""
    minute_events: int = 0
    day: int = 0
    day_views: int = 0
    has_bought: bool = False
    """Whether anything was ever put into a cart or bought."""


def observe(conduct: Conduct, time: int, *, is_view: bool, is_purchase: bool) -> None:
    """Counts one event at `time` Unix microseconds; one of an earlier minute or day no longer counts there."""
    minute, day = time // _MINUTE, time // _DAY
    if minute > conduct.minute:
        conduct.minute, conduct.minute_events = minute, 0
    conduct.minute_events += minute == conduct.minute
    if day > conduct.day:
        conduct.day, conduct.day_views = day, 0
    conduct.day_views += is_view and day == conduct.day
    conduct.has_bought = conduct.has_bought or is_purchase


def broken_rule(conduct: Conduct, times: Sequence[int], rules: BotRules) -> BotReason | None:
    """The rule that a visitor breaks now; `times` are those of its last choices, rising, in Unix microseconds."""
    if conduct.minute_events > rules.events_a_minute:
        return BotReason.RATE
    if conduct.day_views > rules.views_a_day and not conduct.has_bought:
        return BotReason.RATIO
    if len(times) >= rules.regular_events and _is_clockwork(times, rules):
        return BotReason.REGULARITY
    return None


def _is_clockwork(times: Sequence[int], rules: BotRules) -> bool:
    # Products of one event have one time, and are no gaps.
    gaps = [after - before for before, after in pairwise(times) if after > before][1 - rules.regular_events :]
    if len(gaps) < rules.regular_events - 1:
        return False
    mean = sum(gaps) / len(gaps)
    if mean > rules.longest_gap * 1_000_000:
        return False
    return sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) < rules.gap_variation * mean
