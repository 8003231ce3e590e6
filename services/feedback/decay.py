"""Exponential decay: a sum in which everything counts half as much one half-life later."""

from typing import Final

DAY: Final = 86_400_000_000
"""Microseconds."""

TRENDING_HALF_LIFE: Final = 1.0
WEEK_HALF_LIFE: Final = 7.0
POPULAR_HALF_LIFE: Final = 30.0
"""Days, as the contract has them."""


def days(microseconds: int) -> float:
    """A Unix time in days since 1970."""
    return microseconds / DAY


def share_left(age: float, half_life: float) -> float:
    """What is left of 1 after `age` days: 2^(-age / half_life); 0 once a float cannot hold it."""
    return 0.0 if age > 1_000 * half_life else 2.0 ** (-age / half_life)


def value_at(value: float, as_of: float, day: float, half_life: float) -> float:
    """A decayed sum as of a later day. A clock that lags behind the sum's own day changes nothing; never below 0."""
    return max(0.0, value * share_left(max(0.0, day - as_of), half_life))
