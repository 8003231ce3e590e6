"""Products, the queue of the index, kept vectors, index versions, and who indexes."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE product_changes")
    op.execute("""
        CREATE TABLE products (
            catalog        text        NOT NULL,
            id             text        NOT NULL,
            -- Number of the last change; never used twice, not even after a deletion.
            change         bigint      NOT NULL DEFAULT nextval('product_changes'),
            -- zhiyin.common.v1.Product as it was sent, without its etag.
            content        bytea       NOT NULL,
            content_digest bytea       NOT NULL,
            update_time    timestamptz,
            PRIMARY KEY (catalog, id)
        )
    """)
    # A queue, not a log: a change that is applied is deleted, and no reader remembers a position that a transaction
    # committing late could fall behind. A row without a product is a deletion.
    op.execute("""
        CREATE TABLE outbox (
            catalog       text        NOT NULL,
            product_id    text        NOT NULL,
            change        bigint      NOT NULL,
            enqueue_time  timestamptz NOT NULL DEFAULT now(),
            -- The index finds this change by words; its vector waits for the encoder.
            words_indexed boolean     NOT NULL DEFAULT false,
            -- Why the change was given up; null = it was not.
            failure       text,
            trace_parent  text,
            PRIMARY KEY (catalog, product_id)
        )
    """)
    op.execute("CREATE INDEX outbox_open ON outbox (words_indexed, enqueue_time) WHERE failure IS NULL")
    op.execute("CREATE INDEX outbox_change ON outbox (change)")
    op.execute("""
        CREATE TABLE product_vectors (
            catalog        text  NOT NULL,
            product_id     text  NOT NULL,
            model_revision text  NOT NULL,
            -- SHA-256 of the text that was encoded.
            text_digest    bytea NOT NULL,
            -- Float16, little-endian, as the model gave it.
            vector         bytea NOT NULL,
            PRIMARY KEY (catalog, product_id, model_revision)
        )
    """)
    op.execute("""
        CREATE TABLE index_versions (
            catalog          text        NOT NULL,
            number           integer     NOT NULL,
            model_name       text        NOT NULL,
            model_revision   text        NOT NULL,
            dims             integer     NOT NULL,
            -- Float32, little-endian.
            mean_vector      bytea       NOT NULL,
            analyser_version integer     NOT NULL,
            active           boolean     NOT NULL,
            create_time      timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (catalog, number)
        )
    """)
    op.execute("CREATE UNIQUE INDEX index_versions_active ON index_versions (catalog) WHERE active")
    op.execute("""
        CREATE TABLE leases (
            name        text        PRIMARY KEY,
            holder      uuid        NOT NULL,
            expire_time timestamptz NOT NULL
        )
    """)
