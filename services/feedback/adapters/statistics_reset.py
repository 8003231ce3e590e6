"""Beginning to count anew."""

from typing import Final

from services.common.postgres import Database
from services.feedback import statistics_rules
from services.feedback.adapters.statistics_turns import open_turn
from services.feedback.counting import CountingRules

# Products stay, with nothing: readers of the changes learn of it. So does what operators said of visitors.
_RESET: Final = (
    "TRUNCATE product_counts, catalog_counts, product_pairs, statistics_rules",
    """
    UPDATE product_popularity
    SET trending = 0, popular = 0, chosen = 0, tx = pg_current_xact_id(), seq = nextval('popularity_seq')
    """,
    """
    UPDATE visitor_states
    SET chosen_times = '{}', chosen_products = '{}', is_cut = false, minute = 0, minute_events = 0, day = 0,
        day_views = 0, has_bought = false, event_count = 0, reason = NULL
    """,
    "UPDATE cursors SET tx = '0', seq = 0 WHERE name IN ('statistics', 'statistics_impressions')",
)


async def reset(database: Database, rules: CountingRules) -> None:
    """Empties the tables, by these rules from now on; whoever counts begins at the first event that is still kept.

    Raises:
        Unavailable: the database is away; nothing has changed then.
    """
    async with database.transaction() as connection:
        await open_turn(connection)
        for statement in _RESET:
            await connection.execute(statement)
        await connection.execute("INSERT INTO statistics_rules (rules) VALUES ($1)", statistics_rules.written(rules))
