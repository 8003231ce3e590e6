import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from services.common.errors import Unavailable
from services.feedback.config_events import EventSettings
from services.feedback.partitions import Month, month_of, months_from
from services.feedback.retention import KeptMonths, KeptRows, Upkeep, UpkeepRules

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class FakePartitions:
    def __init__(self, *months):
        self.months = set(months)
        self.error = None

    async def present(self):
        return sorted(self.months)

    async def make(self, months):
        if self.error:
            error, self.error = self.error, None
            raise error
        self.months |= set(months)

    async def drop(self, month):
        self.months.remove(month)


class FakeLedger:
    """Forgets what it holds of arrivals, two at a time."""

    def __init__(self, *arrivals):
        self.events = set(arrivals)
        self.accounts = set(arrivals)

    async def forget_events(self, before):
        return self._forget(self.events, before)

    async def forget_accounts(self, before):
        return self._forget(self.accounts, before)

    def _forget(self, held, before):
        old = sorted(time for time in held if time < before)[:2]
        held.difference_update(old)
        return len(old)


def upkeep(partitions, ledger, *, event_days=395, ledger_days=395, retry=0.001):
    rules = UpkeepRules(months_ahead=2, between=3_600, retry=retry, step=5)
    rows = [KeptRows(ledger.forget_events, ledger_days), KeptRows(ledger.forget_accounts, event_days)]
    return Upkeep([KeptMonths(partitions, event_days)], rows, rules, lambda: NOW)


async def test_the_present_month_and_the_next_ones_are_there_after_a_round():
    partitions = FakePartitions()
    await upkeep(partitions, FakeLedger()).round()
    assert partitions.months == {Month(2026, 11), Month(2026, 12), Month(2027, 1)}


async def test_a_month_goes_when_its_last_event_has_run_out_and_not_before():
    # 395 days before noon of 25 November 2026 it was 26 October 2025.
    partitions = FakePartitions(Month(2025, 8), Month(2025, 9), Month(2025, 10))
    await upkeep(partitions, FakeLedger()).round()
    assert min(partitions.months) == Month(2025, 10)


async def test_the_retention_of_a_month_is_that_of_its_last_moment():
    partitions = FakePartitions(Month(2026, 9), Month(2026, 10))
    # October ended 24 and a half days before.
    await upkeep(partitions, FakeLedger(), event_days=25).round()
    assert min(partitions.months) == Month(2026, 10)
    await upkeep(partitions, FakeLedger(), event_days=24).round()
    assert min(partitions.months) == Month(2026, 11)


async def test_ids_and_accounts_are_forgotten_to_the_last_one_each_after_its_own_time():
    arrivals = [NOW - timedelta(days=days) for days in range(1, 12)]
    ledger = FakeLedger(*arrivals)
    await upkeep(FakePartitions(), ledger, event_days=3, ledger_days=8).round()
    assert sorted(ledger.events) == sorted(arrivals[:8])
    assert sorted(ledger.accounts) == sorted(arrivals[:3])


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("a fault")])
async def test_a_round_that_failed_is_made_again(error, caplog):
    partitions = FakePartitions()
    partitions.error = error
    running = asyncio.create_task(upkeep(partitions, FakeLedger()).run())
    async with asyncio.timeout(10):
        while not partitions.months:
            await asyncio.sleep(0.001)
    running.cancel()
    assert "tried again" in caplog.text


@pytest.mark.parametrize(
    ("time", "month"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, UTC), Month(2026, 12)),
        (datetime.fromisoformat("2027-01-01T00:30:00+01:00"), Month(2026, 12)),
    ],
)
def test_a_month_is_one_of_utc(time, month):
    assert month_of(time) == month
    assert month.begin <= time < month.end


def test_months_go_on_over_the_turn_of_the_year():
    assert months_from(NOW, 3) == [Month(2026, 11), Month(2026, 12), Month(2027, 1), Month(2027, 2)]


def test_ids_cannot_be_forgotten_before_their_events():
    with pytest.raises(ValidationError, match="LEDGER_RETENTION_DAYS"):
        EventSettings(event_retention_days=30, ledger_retention_days=29)
