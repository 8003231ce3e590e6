"""What follows from events: counts and popularity of products, pairs of products, what is known of each visitor."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Decayed sums are kept as a value and the day it is the value of, in days since 1970: adding needs neither a sweep
    # nor the order of time. Beyond 250 half-lives nothing is left, and float8 would refuse the underflow.
    op.execute("""
        CREATE FUNCTION decayed(value double precision, half_lives double precision) RETURNS double precision
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN CASE WHEN half_lives > 250 OR abs(value) < 1e-150 THEN 0 ELSE value * power(0.5::float8, half_lives) END
    """)
    # Rises and falls with the value at any one time, and does not change with time. Less than a billionth is what
    # rounding leaves where as much was taken away as had been added. Each argument stands once in the body: only then
    # does the planner write it into the statement instead of calling it.
    op.execute("""
        CREATE FUNCTION order_key(value double precision, as_of double precision, half_life double precision)
        RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN ln(greatest(value, 1e-9::float8)) / ln(2::float8) + as_of / half_life
    """)

    # Most updates touch no indexed column; the room that is left keeps them on their page.
    op.execute("""
        CREATE TABLE product_counts (
            catalog    text             NOT NULL,
            product_id text COLLATE "C" NOT NULL,
            -- zhiyin.common.v1.UserEventType; 0 = was shown.
            action     smallint         NOT NULL,
            count      bigint           NOT NULL,
            quantity   bigint           NOT NULL,
            -- Of `count`, with half-lives of 1, 7 and 30 days.
            decayed_1  double precision NOT NULL,
            decayed_7  double precision NOT NULL,
            decayed_30 double precision NOT NULL,
            as_of      double precision NOT NULL,
            PRIMARY KEY (catalog, product_id, action)
        ) WITH (fillfactor = 70)
    """)
    # Of all products, for the catalogue's own rates.
    op.execute("""
        CREATE TABLE catalog_counts (
            catalog text     NOT NULL,
            action  smallint NOT NULL,
            count   bigint   NOT NULL,
            PRIMARY KEY (catalog, action)
        ) WITH (fillfactor = 50)
    """)

    op.execute("CREATE SEQUENCE popularity_seq")
    # One row per product of which anything was ever counted. It stays when all is taken away: readers of the changes
    # learn that there is nothing left.
    op.execute("""
        CREATE TABLE product_popularity (
            catalog      text             NOT NULL,
            product_id   text COLLATE "C" NOT NULL,
            -- Weighted actions with half-lives of 1 and 30 days.
            trending     double precision NOT NULL,
            popular      double precision NOT NULL,
            -- How often it was chosen in a visitor's sequence, with the half-life of the pairs.
            chosen       double precision NOT NULL,
            as_of        double precision NOT NULL,
            trending_key double precision GENERATED ALWAYS AS (order_key(trending, as_of, 1)) STORED,
            popular_key  double precision GENERATED ALWAYS AS (order_key(popular, as_of, 30)) STORED,
            -- The last change.
            tx           xid8             NOT NULL DEFAULT pg_current_xact_id(),
            seq          bigint           NOT NULL DEFAULT nextval('popularity_seq'),
            PRIMARY KEY (catalog, product_id)
        ) WITH (fillfactor = 70)
    """)
    op.execute("CREATE INDEX product_popularity_feed ON product_popularity (tx, seq)")
    for column in ("trending", "popular"):
        op.execute(f"""
            CREATE INDEX product_popularity_{column} ON product_popularity (catalog, {column}_key DESC, product_id)
            WHERE {column} > 1e-9
        """)

    op.execute("""
        CREATE TABLE product_pairs (
            catalog   text             NOT NULL,
            -- `b` was chosen after `a`.
            a         text COLLATE "C" NOT NULL,
            b         text COLLATE "C" NOT NULL,
            weight    double precision NOT NULL,
            as_of     double precision NOT NULL,
            -- By the half-life of the pairs, in steps of a factor of sqrt 2: most updates leave it as it is, and then
            -- no index is written.
            order_key integer          NOT NULL,
            PRIMARY KEY (catalog, a, b)
        ) WITH (fillfactor = 80)
    """)
    op.execute("CREATE INDEX product_pairs_after ON product_pairs (catalog, a, order_key DESC, b)")
    op.execute("CREATE INDEX product_pairs_before ON product_pairs (catalog, b, order_key DESC, a)")

    op.execute("""
        CREATE TABLE visitor_states (
            catalog         text             NOT NULL,
            visitor_hash    bytea            NOT NULL,
            -- The last products chosen, in the visitor's own time, in Unix microseconds.
            chosen_times    bigint[]         NOT NULL DEFAULT '{}',
            chosen_products text[] COLLATE "C" NOT NULL DEFAULT '{}',
            -- Earlier ones were let go.
            is_cut          boolean          NOT NULL DEFAULT false,
            -- What the rules for programs go by: events of the latest minute, views of the latest day.
            minute          bigint           NOT NULL DEFAULT 0,
            minute_events   integer          NOT NULL DEFAULT 0,
            day             integer          NOT NULL DEFAULT 0,
            day_views       integer          NOT NULL DEFAULT 0,
            has_bought      boolean          NOT NULL DEFAULT false,
            event_count     bigint           NOT NULL DEFAULT 0,
            last_time       timestamptz      NOT NULL,
            last_arrival    timestamptz      NOT NULL DEFAULT now(),
            -- The rule that the visitor broke; null = none.
            reason          text,
            -- zhiyin.feedback.v1.VisitorKind: what an operator says.
            kind            smallint         NOT NULL DEFAULT 1,
            is_bot          boolean GENERATED ALWAYS AS (kind = 3 OR (kind = 1 AND reason IS NOT NULL)) STORED,
            PRIMARY KEY (catalog, visitor_hash)
        ) WITH (fillfactor = 60)
    """)
    op.execute("CREATE INDEX visitor_states_arrival ON visitor_states USING brin (last_arrival)")

    # Impressions get the order in which they became known. Those that were there before have none, and are not counted:
    # a default for them would write the whole table anew.
    op.execute("CREATE SEQUENCE impressions_seq")
    op.execute("ALTER TABLE impressions ADD COLUMN tx xid8, ADD COLUMN seq bigint")
    op.execute("""
        ALTER TABLE impressions ALTER COLUMN tx SET DEFAULT pg_current_xact_id(),
            ALTER COLUMN seq SET DEFAULT nextval('impressions_seq')
    """)
    op.execute("CREATE INDEX impressions_feed ON impressions (tx, seq) WHERE tx IS NOT NULL")

    # The rules by which the tables were counted: other ones hold from a recount on.
    op.execute("CREATE TABLE statistics_rules (rules text NOT NULL)")
    op.execute("CREATE UNIQUE INDEX statistics_rules_one ON statistics_rules ((true))")
    op.execute("""
        INSERT INTO cursors (name, tx, seq) VALUES ('statistics', '0', 0), ('statistics_impressions', '0', 0)
    """)
