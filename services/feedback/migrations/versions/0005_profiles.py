"""What a person did, read in one statement that stops early."""

from alembic import op

revision = "0005"
down_revision = "0004"

_COLUMNS = """
    type, extract(epoch FROM least(event_time, arrival_time))::float8 AS time, product_ids, quantities, rating, query,
    comment, seq, visitor_hash, user_hash
"""


def upgrade() -> None:
    # A visitor's purchases and dismissals without its thousands of views.
    op.execute("""
        CREATE INDEX events_visitor_choices ON events (catalog, visitor_hash, type, event_time DESC)
        WHERE type IN (6, 10)
    """)
    op.execute("""
        CREATE INDEX events_user_choices ON events (catalog, user_hash, type, event_time DESC)
        WHERE type IN (6, 10) AND user_hash IS NOT NULL
    """)
    # A function, because planning for all partitions takes longer than reading: its plan is kept by the connection, and
    # behind a pooler too. Whose: if an account is named, that one, or else the one that the visitor last logged in to;
    # with it the visitors that last logged in to it.
    op.execute(f"""
        CREATE FUNCTION person_history(
            in_catalog text, in_visitors bytea[], in_users bytea[], in_events integer, in_choices integer,
            in_accounts integer
        ) RETURNS TABLE (
            is_bot boolean, part integer, type smallint, "time" double precision, product_ids text[],
            quantities integer[], rating real, query text, comment text
        )
        LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
        #variable_conflict use_column
        BEGIN
            RETURN QUERY
            WITH users AS MATERIALIZED (
                SELECT unnest(in_users) AS hash
                UNION ALL
                (SELECT user_hash FROM visitor_accounts
                 WHERE cardinality(in_users) = 0 AND catalog = in_catalog AND visitor_hash = ANY(in_visitors)
                 ORDER BY last_time DESC, user_hash LIMIT 1)
            ), visitors AS MATERIALIZED (
                SELECT unnest(in_visitors) AS hash
                UNION
                (SELECT visitor_hash FROM visitor_accounts AS own
                 WHERE catalog = in_catalog AND user_hash IN (SELECT hash FROM users) AND NOT EXISTS (
                    SELECT FROM visitor_accounts AS other
                    WHERE other.catalog = in_catalog AND other.visitor_hash = own.visitor_hash
                    AND other.last_time > own.last_time AND other.user_hash NOT IN (SELECT hash FROM users)
                 )
                 ORDER BY last_time DESC, visitor_hash LIMIT in_accounts)
            ), programs AS (
                SELECT coalesce(bool_or(states.is_bot), false) AS is_bot FROM visitor_states AS states
                WHERE catalog = in_catalog AND visitor_hash IN (SELECT hash FROM visitors)
                AND (cardinality(in_visitors) = 0 OR visitor_hash = ANY(in_visitors))
            )
            SELECT programs.is_bot, found.part, found.type, found.time, found.product_ids, found.quantities,
                found.rating, found.query, found.comment
            FROM programs LEFT JOIN (
                {_newest(0, "in_events")} UNION ALL
                {_newest(6, "in_choices")} UNION ALL
                {_newest(10, "in_choices")}
            ) AS found ON true
            ORDER BY found.part, found.time DESC, found.seq DESC;
        END $$
    """)


def _newest(part: int, limit: str) -> str:
    """The newest events, all of them or those of one type, of every visitor and of the account as other visitors.

    Each look-up walks an index from its newest end, on every partition, and stops. What belongs to another account, or
    was found by its visitor already, is left out only afterwards: sought within the look-up, it would go on to the end
    of a history in which there is nothing else.
    """
    kind = f"AND type = {part}" if part else ""
    newest = f"""
        SELECT {_COLUMNS} FROM events WHERE catalog = in_catalog AND {{}} = {{}} {kind}
        ORDER BY event_time DESC LIMIT {limit}
    """
    of_visitor = newest.format("visitor_hash", "visitors.hash")
    of_user = newest.format("user_hash", "users.hash")
    return f"""
        (SELECT {part} AS part, own.* FROM visitors CROSS JOIN LATERAL ({of_visitor}) AS own
         WHERE own.user_hash IS NULL OR own.user_hash IN (SELECT hash FROM users)
         UNION ALL
         SELECT {part} AS part, own.* FROM users CROSS JOIN LATERAL ({of_user}) AS own
         WHERE own.visitor_hash NOT IN (SELECT hash FROM visitors)
         ORDER BY time DESC LIMIT {limit})
    """
