"""Partitions: rows lie by the month in which they arrived, so that a month that has run out goes as a whole."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol


class Month(NamedTuple):
    """A month of UTC."""

    year: int
    number: int
    """1 = January."""

    @property
    def begin(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def following(self) -> "Month":
        """The month after it."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.following.begin


def month_of(time: datetime) -> Month:
    """The month in which a moment lies."""
    in_utc = time.astimezone(UTC)
    return Month(in_utc.year, in_utc.month)


def months_from(time: datetime, ahead: int) -> list[Month]:
    """The month of a moment, and `ahead` more."""
    months = [month_of(time)]
    for _ in range(ahead):
        months.append(months[-1].following)
    return months


class PartitionStore(Protocol):
    """The partitions of one table."""

    async def present(self) -> Sequence[Month]:
        """Months that have one.

        Raises:
            Unavailable: the store is away.
        """
        ...

    async def make(self, months: Sequence[Month]) -> None:
        """Makes those that are not there; harmless while others do the same, and while rows are written.

        Raises:
            Unavailable: the store is away.
        """
        ...

    async def drop(self, month: Month) -> None:
        """Takes a month's rows away for good.

        Raises:
            Unavailable: the store is away, or the table was in use for too long.
        """
        ...
