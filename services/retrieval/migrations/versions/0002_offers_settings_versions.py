"""Offers apart from products, settings of catalogues, and a queue for each index version."""

from datetime import UTC
from hashlib import sha256

from alembic import op
from sqlalchemy import TIMESTAMP, Connection, bindparam, text

from zhiyin.common.v1 import product_pb2

revision = "0002"
down_revision = "0001"

_AT_ONCE = 1_000
_NEXT = text("""
    SELECT catalog, id, content FROM products WHERE (catalog, id) > (:catalog, :id)
    ORDER BY catalog, id LIMIT :portion
""")
_ADD_OFFER = text("""
    INSERT INTO offers (catalog, product_id, region, content, update_time)
    VALUES (:catalog, :product_id, :region, :content, :update_time) ON CONFLICT DO NOTHING
""").bindparams(bindparam("update_time", type_=TIMESTAMP(timezone=True)))
_CHANGE_PRODUCT = text("""
    UPDATE products SET content = :content, content_digest = :digest, primary_product_id = :primary_product_id
    WHERE catalog = :catalog AND id = :product_id
""")


def upgrade() -> None:
    # Ids compared as bytes, whatever the database's collation: lists are in that order, and joins can use the indexes.
    for table, column in (("products", "id"), ("outbox", "product_id"), ("product_vectors", "product_id")):
        op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C"')
    op.execute("""
        CREATE TABLE offers (
            catalog     text             NOT NULL,
            product_id  text COLLATE "C" NOT NULL,
            region      text COLLATE "C" NOT NULL,
            -- zhiyin.common.v1.Offer as it was sent; null = removed, which an older update must not undo.
            content     bytea,
            update_time timestamptz,
            PRIMARY KEY (catalog, product_id, region)
        ) WITH (fillfactor = 80)
    """)
    op.execute('ALTER TABLE products ADD COLUMN primary_product_id text COLLATE "C"')
    _move(op.get_bind())
    op.execute("""
        CREATE INDEX products_variants ON products (catalog, primary_product_id, id)
        WHERE primary_product_id IS NOT NULL
    """)

    # A product's words and vector, for each index version; and apart from it its offers, which need neither encoder nor
    # analysis and must not wait behind those that do.
    op.execute("ALTER TABLE outbox ADD COLUMN version integer NOT NULL DEFAULT 1")
    op.execute("ALTER TABLE outbox DROP CONSTRAINT outbox_pkey")
    op.execute("ALTER TABLE outbox ADD PRIMARY KEY (catalog, version, product_id)")
    # Put in by a build or a rebuild, not by a write; stays so until the index has the product.
    op.execute("ALTER TABLE outbox ADD COLUMN backfill boolean NOT NULL DEFAULT false")
    op.execute("DROP INDEX outbox_open")
    op.execute("""
        CREATE INDEX outbox_open ON outbox (catalog, version, words_indexed, backfill, enqueue_time)
        WHERE failure IS NULL
    """)
    op.execute("""
        CREATE TABLE offer_outbox (
            catalog      text             NOT NULL,
            version      integer          NOT NULL,
            product_id   text COLLATE "C" NOT NULL,
            change       bigint           NOT NULL DEFAULT nextval('product_changes'),
            enqueue_time timestamptz      NOT NULL DEFAULT now(),
            trace_parent text,
            PRIMARY KEY (catalog, version, product_id)
        )
    """)
    op.execute("CREATE INDEX offer_outbox_open ON offer_outbox (catalog, version, enqueue_time)")

    op.execute("""
        ALTER TABLE index_versions
            ADD COLUMN state            text    NOT NULL DEFAULT 'active',
            -- Id of the last product that the build has put into the outbox; null = it has put in all of them.
            ADD COLUMN built_to         text COLLATE "C",
            ADD COLUMN activate_time    timestamptz,
            -- zhiyin.common.v1.CatalogSettings that searches go by, and its version; 0 = none.
            ADD COLUMN settings_version integer NOT NULL DEFAULT 0,
            ADD COLUMN settings         bytea,
            -- Version of the settings that products are being indexed by; equal to settings_version when done.
            ADD COLUMN target_settings_version integer NOT NULL DEFAULT 0,
            -- How products become documents: JSON, fixed for the life of a version; null = the service's own settings.
            ADD COLUMN document_rules   text,
            ADD COLUMN delete_time      timestamptz,
            -- The collection, the queue and the vectors of a deleted version are gone.
            ADD COLUMN cleared          boolean NOT NULL DEFAULT false
    """)
    op.execute("UPDATE index_versions SET activate_time = create_time")
    op.execute("ALTER TABLE index_versions ADD CHECK (state IN ('building', 'ready', 'active', 'deleted'))")
    op.execute("ALTER TABLE index_versions ADD CHECK (active = (state = 'active'))")
    op.execute("ALTER TABLE index_versions ALTER COLUMN state DROP DEFAULT")

    op.execute("""
        CREATE TABLE catalog_settings (
            catalog     text        NOT NULL,
            version     integer     NOT NULL,
            -- zhiyin.common.v1.CatalogSettings without its output fields.
            content     bytea       NOT NULL,
            create_time timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (catalog, version)
        )
    """)


def _move(connection: Connection) -> None:
    """Takes offers and the primary product's id out of the messages, a portion at a time."""
    last = ("", "")
    while rows := connection.execute(_NEXT, {"catalog": last[0], "id": last[1], "portion": _AT_ONCE}).all():
        last = (rows[-1][0], rows[-1][1])
        offers, products = [], []
        for catalog, product_id, content in rows:
            message = product_pb2.Product.FromString(bytes(content))
            offers += [_offer_row(catalog, product_id, offer) for offer in message.offers]
            if message.offers or message.primary_product_id:
                message.ClearField("offers")
                products.append(_product_row(catalog, product_id, message))
        if offers:
            connection.execute(_ADD_OFFER, offers)
        if products:
            connection.execute(_CHANGE_PRODUCT, products)


def _offer_row(catalog: str, product_id: str, offer: product_pb2.Offer) -> dict[str, object]:
    return {
        "catalog": catalog,
        "product_id": product_id,
        # The first release took a NUL in a region's name, which a text column cannot hold.
        "region": offer.region.replace("\0", "\ufffd"),
        "content": offer.SerializeToString(deterministic=True),
        "update_time": offer.update_time.ToDatetime(tzinfo=UTC) if offer.HasField("update_time") else None,
    }


def _product_row(catalog: str, product_id: str, message: product_pb2.Product) -> dict[str, object]:
    content = message.SerializeToString(deterministic=True)
    return {
        "catalog": catalog,
        "product_id": product_id,
        "content": content,
        "digest": sha256(content).digest(),
        "primary_product_id": message.primary_product_id or None,
    }
