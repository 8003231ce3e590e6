"""What was shown to whom, where, and why."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    # One row per impression, its products as arrays: a click finds its impression by one key and unnests the one row,
    # and a page of 50 products is one insert instead of 50.
    op.execute("""
        CREATE TABLE impressions (
            catalog             text             NOT NULL,
            impression_id       uuid             NOT NULL,
            attribution_id      text             NOT NULL,
            -- HMAC-SHA256 of catalogue and visitor id, and which key made it. The id itself is nowhere.
            visitor_hash        bytea,
            visitor_key_version smallint,
            surface             smallint         NOT NULL,
            show_time           timestamptz      NOT NULL,
            arrival_time        timestamptz      NOT NULL DEFAULT now(),
            policy              text             NOT NULL,
            product_ids         text[]           NOT NULL,
            positions           integer[]        NOT NULL,
            scores              double precision[] NOT NULL,
            propensities        double precision[] NOT NULL,
            -- 0 = none; `features` is then NULL.
            feature_schema      integer          NOT NULL,
            features            bytea[],
            PRIMARY KEY (catalog, impression_id),
            CHECK ((visitor_hash IS NULL) = (visitor_key_version IS NULL)),
            CHECK ((features IS NULL) = (feature_schema = 0)),
            CHECK (cardinality(positions) = cardinality(product_ids)),
            CHECK (cardinality(scores) = cardinality(product_ids)),
            CHECK (cardinality(propensities) = cardinality(product_ids)),
            CHECK (features IS NULL OR cardinality(features) = cardinality(product_ids))
        )
    """)
    op.execute("CREATE INDEX impressions_attribution ON impressions (catalog, attribution_id)")
    op.execute("""
        CREATE INDEX impressions_visitor ON impressions (catalog, visitor_hash, show_time)
        WHERE visitor_hash IS NOT NULL
    """)
