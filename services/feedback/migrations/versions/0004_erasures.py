"""Impressions by the month of their arrival, what is learned from them, and what was erased."""

from datetime import UTC, datetime

from alembic import op

revision = "0004"
down_revision = "0003"

_INDEXES = ("attribution", "visitor", "feed")


def upgrade() -> None:
    _partition_impressions()
    _keep_ids_of_impressions()
    _feed_training_examples()
    _remember_erasures()


def _partition_impressions() -> None:
    op.execute("ALTER TABLE impressions ADD COLUMN query text, ADD COLUMN model text")
    # What is there becomes the partition of this month and of all before it: no row is written anew, and all of them
    # stay for as long as the newest one has to.
    now = datetime.now(UTC)
    old = f"impressions_{now.year:04}_{now.month:02}"
    end = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    op.execute(f"ALTER TABLE impressions RENAME TO {old}")
    op.execute(f"ALTER TABLE {old} DROP CONSTRAINT impressions_pkey")
    for name in _INDEXES:
        op.execute(f"ALTER INDEX impressions_{name} RENAME TO {old}_{name}")
    op.execute(f"""
        CREATE TABLE impressions (LIKE {old} INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (arrival_time)
    """)
    bounds = f"FROM (MINVALUE) TO ('{end.isoformat()}')"
    op.execute(f"ALTER TABLE impressions ATTACH PARTITION {old} FOR VALUES {bounds}")
    op.execute("CREATE INDEX impressions_id ON impressions (catalog, impression_id)")
    op.execute("CREATE INDEX impressions_attribution ON impressions (catalog, attribution_id)")
    op.execute("""
        CREATE INDEX impressions_visitor ON impressions (catalog, visitor_hash, show_time)
        WHERE visitor_hash IS NOT NULL
    """)
    op.execute("CREATE INDEX impressions_feed ON impressions (tx, seq) WHERE tx IS NOT NULL")


def _keep_ids_of_impressions() -> None:
    # As `event_ledger`: a unique key of `impressions` would have to contain the month.
    op.execute("""
        CREATE TABLE impression_ledger (
            catalog       text        NOT NULL,
            impression_id uuid        NOT NULL,
            -- Keyed, of what was shown; null = kept before there were any.
            digest        bytea,
            arrival_time  timestamptz NOT NULL,
            PRIMARY KEY (catalog, impression_id)
        ) PARTITION BY HASH (impression_id)
    """)
    for remainder in range(8):
        op.execute(f"""
            CREATE TABLE impression_ledger_{remainder} PARTITION OF impression_ledger
            FOR VALUES WITH (MODULUS 8, REMAINDER {remainder})
        """)
    op.execute("CREATE INDEX impression_ledger_arrival ON impression_ledger USING brin (arrival_time)")
    op.execute("""
        INSERT INTO impression_ledger (catalog, impression_id, arrival_time)
        SELECT catalog, impression_id, arrival_time FROM impressions
    """)


def _feed_training_examples() -> None:
    op.execute("CREATE SEQUENCE training_seq")
    # One row per impression that is ready to be learned from; another outcome moves it to the end.
    op.execute("""
        CREATE TABLE training_feed (
            catalog       text        NOT NULL,
            impression_id uuid        NOT NULL,
            is_erased     boolean     NOT NULL DEFAULT false,
            change_time   timestamptz NOT NULL DEFAULT now(),
            tx            xid8        NOT NULL DEFAULT pg_current_xact_id(),
            seq           bigint      NOT NULL DEFAULT nextval('training_seq'),
            PRIMARY KEY (catalog, impression_id)
        ) WITH (fillfactor = 80)
    """)
    op.execute("CREATE INDEX training_feed_order ON training_feed (tx, seq)")
    op.execute("CREATE INDEX training_feed_change ON training_feed USING brin (change_time)")
    op.execute("INSERT INTO cursors (name, tx, seq) VALUES ('training_impressions', '0', 0), ('training', '0', 0)")


def _remember_erasures() -> None:
    op.execute("""
        CREATE TABLE erasures (
            erasure_id uuid        PRIMARY KEY,
            erase_time timestamptz NOT NULL,
            -- Records by store.
            counts     jsonb       NOT NULL,
            -- When dead rows were cleared away; null = not yet.
            purge_time timestamptz,
            tx         xid8        NOT NULL DEFAULT pg_current_xact_id()
        )
    """)
    op.execute("CREATE INDEX erasures_to_purge ON erasures (erase_time) WHERE purge_time IS NULL")
    # What was erased must not come back, and must not be kept to tell: a visitor is known here by the SHA-256 of its
    # hash.
    op.execute("""
        CREATE TABLE erased_visitors (
            mark       bytea       PRIMARY KEY,
            erase_time timestamptz NOT NULL
        )
    """)
    # Which visitors were erased, and no other one is until the transaction ends. In PL/pgSQL each statement sees what
    # was committed before it: what the erasure wrote that was waited for as well.
    op.execute("""
        CREATE FUNCTION erased_among(hashes bytea[]) RETURNS TABLE (visitor_hash bytea, erase_time timestamptz)
        LANGUAGE plpgsql VOLATILE AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(hashtextextended('zhiyin.feedback.erasures', 0));
            IF EXISTS (SELECT FROM erased_visitors) THEN
                RETURN QUERY SELECT wanted.hash, erased.erase_time
                FROM unnest(hashes) AS wanted (hash)
                JOIN erased_visitors AS erased ON erased.mark = sha256(wanted.hash);
            END IF;
        END $$
    """)
