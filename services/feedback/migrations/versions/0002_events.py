"""What shoppers did: events by the month of their arrival, the ledger of their ids, accounts of visitors."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Order in which events became visible: transactions in their own order, and within one the order of writing.
    op.execute("CREATE SEQUENCE events_seq")
    # Partitioned by arrival, not by event time: a partition made ahead always fits, late events included, and history
    # can be imported. The partitions are made by the service.
    op.execute("""
        CREATE TABLE events (
            catalog        text        NOT NULL,
            -- HMAC-SHA256 of catalogue and id, under the key of this version. The ids themselves are nowhere.
            visitor_hash   bytea       NOT NULL,
            user_hash      bytea,
            session_hash   bytea,
            key_version    smallint    NOT NULL,
            event_id       text        NOT NULL,
            -- zhiyin.common.v1.UserEventType
            type           smallint    NOT NULL,
            event_time     timestamptz NOT NULL,
            arrival_time   timestamptz NOT NULL,
            attribution_id text,
            product_ids    text[] COLLATE "C" NOT NULL,
            quantities     integer[]   NOT NULL,
            -- Of one unit, in `currency`; null = not told. An element is null where its product has none.
            prices         numeric[],
            revenue        numeric,
            currency       text,
            rating         real,
            query          text,
            comment        text,
            tx             xid8        NOT NULL DEFAULT pg_current_xact_id(),
            seq            bigint      NOT NULL DEFAULT nextval('events_seq'),
            CHECK (cardinality(quantities) = cardinality(product_ids)),
            CHECK (prices IS NULL OR cardinality(prices) = cardinality(product_ids)),
            CHECK (currency IS NOT NULL OR (prices IS NULL AND revenue IS NULL))
        ) PARTITION BY RANGE (arrival_time)
    """)
    op.execute("CREATE INDEX events_feed ON events (tx, seq)")
    op.execute("CREATE INDEX events_visitor ON events (catalog, visitor_hash, event_time DESC)")
    op.execute("CREATE INDEX events_user ON events (catalog, user_hash, event_time DESC) WHERE user_hash IS NOT NULL")
    op.execute("""
        CREATE INDEX events_attribution ON events (catalog, attribution_id) WHERE attribution_id IS NOT NULL
    """)

    # A unique constraint on `events` would have to contain the partition key, and admit an id again a month later.
    # The catalogue is in the hash.
    op.execute("""
        CREATE TABLE event_ledger (
            visitor_hash bytea       NOT NULL,
            event_id     text        NOT NULL,
            -- Keyed, of what the event says, without its arrival.
            digest       bytea       NOT NULL,
            arrival_time timestamptz NOT NULL,
            PRIMARY KEY (visitor_hash, event_id)
        ) PARTITION BY HASH (visitor_hash)
    """)
    for remainder in range(8):
        op.execute(f"""
            CREATE TABLE event_ledger_{remainder} PARTITION OF event_ledger
            FOR VALUES WITH (MODULUS 8, REMAINDER {remainder})
        """)
    op.execute("CREATE INDEX event_ledger_arrival ON event_ledger USING brin (arrival_time)")

    # Which accounts a visitor was logged in to.
    op.execute("""
        CREATE TABLE visitor_accounts (
            catalog      text        NOT NULL,
            visitor_hash bytea       NOT NULL,
            user_hash    bytea       NOT NULL,
            last_time    timestamptz NOT NULL,
            PRIMARY KEY (catalog, visitor_hash, user_hash)
        )
    """)
    op.execute("CREATE INDEX visitor_accounts_user ON visitor_accounts (catalog, user_hash)")

    # How far each reader of a feed has come; advanced in the transaction that applies what was read.
    op.execute("""
        CREATE TABLE cursors (
            name text   PRIMARY KEY,
            tx   xid8   NOT NULL,
            seq  bigint NOT NULL
        )
    """)
