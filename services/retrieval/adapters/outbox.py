"""The indexer's side of Postgres: outbox, kept vectors, index versions, lease."""

import uuid
from collections.abc import Mapping, Sequence

import asyncpg
import numpy as np

from services.common.postgres import Database
from services.retrieval import convert
from services.retrieval.analysis import ANALYSER_VERSION
from services.retrieval.geometry import Vector
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.indexing import KeptVector, PendingChange
from zhiyin.common.v1 import product_pb2

_TAKE = """
    SELECT outbox.catalog, outbox.product_id, outbox.change, outbox.words_indexed, outbox.trace_parent, products.content
    FROM outbox LEFT JOIN products ON products.catalog = outbox.catalog AND products.id = outbox.product_id
    WHERE outbox.failure IS NULL AND (NOT outbox.words_indexed OR $2) AND outbox.catalog <> ALL($3)
    ORDER BY outbox.words_indexed, outbox.enqueue_time LIMIT $1
"""
_SETTLE = """
    DELETE FROM outbox USING unnest($1::text[], $2::text[], $3::bigint[]) AS done (catalog, product_id, change)
    WHERE outbox.catalog = done.catalog AND outbox.product_id = done.product_id AND outbox.change = done.change
    RETURNING outbox.catalog, outbox.product_id
"""
_MARK = """
    UPDATE outbox SET words_indexed = true
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS done (catalog, product_id, change)
    WHERE outbox.catalog = done.catalog AND outbox.product_id = done.product_id AND outbox.change = done.change
    RETURNING outbox.catalog, outbox.product_id
"""
_INDEX_AGAIN = """
    INSERT INTO outbox (catalog, product_id, change) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
    ON CONFLICT DO NOTHING
"""
_GIVE_UP = "UPDATE outbox SET failure = $4 WHERE catalog = $1 AND product_id = $2 AND change = $3"
_WAITING = """
    SELECT count(*) AS changes, extract(epoch FROM now() - min(enqueue_time))::float AS seconds
    FROM outbox WHERE failure IS NULL
"""
_KEPT = """
    SELECT product_id, text_digest, vector FROM product_vectors
    WHERE catalog = $1 AND model_revision = $2 AND product_id = ANY($3)
"""
# Only for products that are still there: one deleted meanwhile leaves nothing behind.
_KEEP = """
    INSERT INTO product_vectors (catalog, product_id, model_revision, text_digest, vector)
    SELECT $1, new.product_id, $2, new.text_digest, new.vector
    FROM unnest($3::text[], $4::bytea[], $5::bytea[]) AS new (product_id, text_digest, vector)
    JOIN products ON products.catalog = $1 AND products.id = new.product_id
    ON CONFLICT (catalog, product_id, model_revision)
    DO UPDATE SET text_digest = excluded.text_digest, vector = excluded.vector
"""
_VERSIONS = "SELECT * FROM index_versions WHERE active"
_VERSION = "SELECT * FROM index_versions WHERE active AND catalog = $1"
_ADD_VERSION = """
    INSERT INTO index_versions
        (catalog, number, model_name, model_revision, dims, mean_vector, analyser_version, active)
    VALUES ($1, 1, $2, $3, $4, $5, $6, true) ON CONFLICT DO NOTHING
"""
_ENQUEUE_SOME = """
    WITH portion AS (SELECT id, change FROM products WHERE catalog = $1 AND id > $2 ORDER BY id LIMIT $3),
    put AS (
        INSERT INTO outbox (catalog, product_id, change) SELECT $1, id, change FROM portion ORDER BY id
        ON CONFLICT (catalog, product_id) DO UPDATE SET words_indexed = false, failure = NULL
    )
    SELECT max(id) FROM portion
"""
_AT_ONCE = 5_000
"""Products put into the outbox by one statement: well within the time that one may take."""
_ACQUIRE = """
    INSERT INTO leases (name, holder, expire_time) VALUES ('indexer', $1, now() + make_interval(secs => $2))
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time
    WHERE leases.holder = excluded.holder OR leases.expire_time < now() RETURNING true
"""
_RELEASE = "DELETE FROM leases WHERE name = 'indexer' AND holder = $1"


class PostgresOutbox:
    """An Outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, limit: int, *, vectors_too: bool, without: Sequence[str]) -> Sequence[PendingChange]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_TAKE, limit, vectors_too, without)
        return [_change(row) for row in rows]

    async def settle(self, done: Sequence[PendingChange], words_only: Sequence[PendingChange]) -> None:
        async with self._database.transaction() as connection:
            matched = set()
            for statement, changes in ((_SETTLE, done), (_MARK, words_only)):
                if changes:
                    rows = await connection.fetch(statement, *_keys(changes))
                    matched |= {(row["catalog"], row["product_id"]) for row in rows}
            # No such entry any more: the product has changed again, and its entry waits; or another process has written
            # and settled a later change while this one was held up, and what we wrote just now was older. Once more.
            overtaken = [c for c in (*done, *words_only) if (c.catalog, c.product_id) not in matched]
            if overtaken:
                await connection.execute(_INDEX_AGAIN, *_keys(overtaken))

    async def give_up(self, change: PendingChange, reason: str) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_GIVE_UP, change.catalog, change.product_id, change.change, reason)

    async def waiting(self) -> tuple[int, float]:
        """Changes that wait, and the age of the oldest in seconds."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_WAITING)
        return (row["changes"], row["seconds"] or 0.0) if row is not None else (0, 0.0)


class PostgresVectors:
    """A VectorStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def kept(self, catalog: str, revision: str, ids: Sequence[str]) -> Mapping[str, KeptVector]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_KEPT, catalog, revision, ids)
        return {row["product_id"]: KeptVector(row["text_digest"], row["vector"]) for row in rows}

    async def keep(self, catalog: str, revision: str, vectors: Mapping[str, KeptVector]) -> None:
        ids = sorted(vectors)
        digests = [vectors[product_id].text_digest for product_id in ids]
        data = [vectors[product_id].data for product_id in ids]
        async with self._database.connection() as connection:
            await connection.execute(_KEEP, catalog, revision, ids, digests, data)


class PostgresVersions:
    """The registry of index versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all_active(self) -> list[IndexVersion]:
        """The active version of every catalogue that has one."""
        async with self._database.connection() as connection:
            return [_version(row) for row in await connection.fetch(_VERSIONS)]

    async def find(self, catalog: str) -> IndexVersion | None:
        """The active version of a catalogue."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_VERSION, catalog)
        return None if row is None else _version(row)

    async def add_first(self, catalog: str, model: Model, mean: Vector) -> None:
        """Makes the first version of a catalogue; nothing where there is one."""
        packed = mean.astype("<f4").tobytes()
        async with self._database.connection() as connection:
            await connection.execute(
                _ADD_VERSION, catalog, model.name, model.revision, model.dims, packed, ANALYSER_VERSION
            )

    async def enqueue_all(self, catalog: str) -> None:
        """Puts every product of a catalogue into the outbox: its index was lost. Repeated, it does no harm."""
        last: str | None = ""
        while last is not None:
            async with self._database.connection() as connection:
                last = await connection.fetchval(_ENQUEUE_SOME, catalog, last, _AT_ONCE)


class PostgresLease:
    """A Lease: a row that its holder renews. Unlike a session lock it also holds behind a pooler such as pgbouncer."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._holder = uuid.uuid4()

    async def acquire(self) -> bool:
        async with self._database.connection() as connection:
            return await connection.fetchval(_ACQUIRE, self._holder, self._seconds) is not None

    async def release(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, self._holder)


def _keys(changes: Sequence[PendingChange]) -> tuple[list[str], list[str], list[int]]:
    return (
        [change.catalog for change in changes],
        [change.product_id for change in changes],
        [change.change for change in changes],
    )


def _change(row: asyncpg.Record) -> PendingChange:
    content = row["content"]
    return PendingChange(
        catalog=row["catalog"],
        product_id=row["product_id"],
        change=row["change"],
        content=content,
        product=None if content is None else convert.product(product_pb2.Product.FromString(content)),
        words_indexed=row["words_indexed"],
        trace_parent=row["trace_parent"],
    )


def _version(row: asyncpg.Record) -> IndexVersion:
    return IndexVersion(
        catalog=row["catalog"],
        number=row["number"],
        model=Model(row["model_name"], row["model_revision"], row["dims"]),
        mean=np.frombuffer(row["mean_vector"], "<f4"),
        analyser_version=row["analyser_version"],
    )
