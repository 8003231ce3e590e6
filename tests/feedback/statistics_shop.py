"""A shop's events, written as the service writes them, and its statistics as they are in the tables."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg

from services.common.postgres import DatabaseSettings, open_database
from services.feedback.adapters.statistics_turns import PostgresTurns
from services.feedback.counting import CountedEvent, CountingRules
from services.feedback.statistics_turn import BatchLimits, Counter

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = 86_400_000_000
_IDS = count()
_EVENT = """
    INSERT INTO events (
        catalog, visitor_hash, key_version, event_id, type, event_time, arrival_time, product_ids, quantities
    ) VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8)
"""
_IMPRESSION = """
    INSERT INTO impressions (
        catalog, impression_id, attribution_id, visitor_hash, visitor_key_version, surface, show_time, policy,
        product_ids, positions, scores, propensities, feature_schema
    ) VALUES ('shop', gen_random_uuid(), 'attribution', $1, 1, 1, $2, 'default', $3, $4, $5, $5, 0)
"""


class Shop:
    """One catalogue, `shop`, on an empty database."""

    def __init__(self, database, connection, rules):
        self.database = database
        self.connection = connection
        self.turns = PostgresTurns(database)
        self.rules = rules
        self.events = []

    def counter(self, batch=1_000, rules=None, products=10_000):
        return Counter(self.turns, rules or self.rules, BatchLimits(batch, products))

    async def did(self, product_ids, *, visitor=b"v", action=2, ago=timedelta(), connection=None):
        """A visitor does something."""
        time = NOW - ago
        values = ("shop", visitor, str(next(_IDS)), action, time, NOW, list(product_ids), [1] * len(product_ids))
        await (connection or self.connection).execute(_EVENT, *values)
        microseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        self.events.append(CountedEvent(("shop", visitor), action, microseconds, list(product_ids), values[-1]))

    async def showed(self, product_ids, *, visitor=b"v"):
        """A list is shown to a visitor."""
        positions, ones = list(range(1, len(product_ids) + 1)), [1.0] * len(product_ids)
        await self.connection.execute(_IMPRESSION, visitor, NOW, list(product_ids), positions, ones)

    async def count(self, batch=1_000):
        """Counts all there is."""
        counter = self.counter(batch)
        while (await counter.one_pass()).is_more:
            pass

    async def tables(self, day):
        """(counts, popularity, pairs) as of a day, without what is zero."""
        counts = await self.connection.fetch(
            """SELECT catalog, product_id, action, count, quantity, decayed(decayed_1, $1 - as_of),
                decayed(decayed_7, ($1 - as_of) / 7), decayed(decayed_30, ($1 - as_of) / 30) FROM product_counts""",
            day,
        )
        popularity = await self.connection.fetch(
            """SELECT catalog, product_id, decayed(trending, $1 - as_of), decayed(popular, ($1 - as_of) / 30),
                decayed(chosen, ($1 - as_of) / 90) FROM product_popularity""",
            day,
        )
        pairs = await self.connection.fetch(
            "SELECT catalog, a, b, decayed(weight, ($1 - as_of) / 90) FROM product_pairs", day
        )
        return tuple(
            {tuple(row)[:keys]: list(row)[keys:] for row in rows}
            for rows, keys in ((counts, 3), (popularity, 2), (pairs, 3))
        )


@asynccontextmanager
async def open_shop(url, rules=None):
    """A shop whose events have partitions."""
    async with open_database(DatabaseSettings(database_url=url)) as database:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("CREATE TABLE events_of_the_test PARTITION OF events DEFAULT")
            yield Shop(database, connection, rules or CountingRules())
        finally:
            await connection.close()
