"""Entries for the index: one for every live version of a catalogue's index, in the transaction of the change itself."""

from collections.abc import Mapping, Sequence

from opentelemetry import propagate

from services.common.postgres import Connection

# What makes or removes an index version, or changes the settings, takes the exclusive form of this lock.
_ANNOUNCE = "SELECT pg_advisory_xact_lock_shared(hashtextextended('zhiyin.index.' || $1, 0))"
_EXCLUDE = "SELECT pg_advisory_xact_lock(hashtextextended('zhiyin.index.' || $1, 0))"
# The first version of a catalogue is made once there is something to index: until then entries wait under its number.
_LIVE = """
    SELECT number FROM index_versions WHERE catalog = $1 AND state IN ('building', 'ready', 'active')
    UNION ALL SELECT 1 WHERE NOT EXISTS (SELECT FROM index_versions WHERE catalog = $1)
"""
_ENQUEUE_PRODUCTS = f"""
    INSERT INTO outbox (catalog, version, product_id, change, trace_parent)
    SELECT $1, live.number, new.product_id, new.change, $4
    FROM unnest($2::text[], $3::bigint[]) AS new (product_id, change) CROSS JOIN ({_LIVE}) AS live
    ORDER BY new.product_id COLLATE "C", live.number
    ON CONFLICT (catalog, version, product_id) DO UPDATE SET change = excluded.change, enqueue_time = now(),
        words_indexed = false, failure = NULL, trace_parent = excluded.trace_parent
"""  # noqa: S608 - a constant of this module
# An entry keeps its place in the queue: a price that changes all the time must not wait for ever.
_ENQUEUE_OFFERS = f"""
    INSERT INTO offer_outbox (catalog, version, product_id, trace_parent)
    SELECT $1, live.number, new.product_id, $3
    FROM unnest($2::text[]) AS new (product_id) CROSS JOIN ({_LIVE}) AS live
    ORDER BY new.product_id COLLATE "C", live.number
    ON CONFLICT (catalog, version, product_id)
    DO UPDATE SET change = excluded.change, trace_parent = excluded.trace_parent
"""  # noqa: S608 - a constant of this module


async def announce_writing(connection: Connection, catalog: str) -> None:
    """The first statement of every transaction that writes to a catalogue.

    Waits while an index version is made or settings are changed, so that the versions found afterwards are all that
    there are: what is committed before a version is made is found by its build, what comes later by `enqueue_*`.
    """
    await connection.execute(_ANNOUNCE, catalog)


async def exclude_writers(connection: Connection, catalog: str) -> None:
    """The first statement of a transaction that makes or removes an index version, or changes the settings."""
    await connection.execute(_EXCLUDE, catalog)


async def enqueue_products(connection: Connection, catalog: str, changes: Mapping[str, int]) -> None:
    """Has products, whole, carried to the index; `changes` by product id."""
    await connection.execute(_ENQUEUE_PRODUCTS, catalog, list(changes), list(changes.values()), _trace_parent())


async def enqueue_offers(connection: Connection, catalog: str, product_ids: Sequence[str]) -> None:
    """Has the offers of products, each named once, carried to the index."""
    await connection.execute(_ENQUEUE_OFFERS, catalog, product_ids, _trace_parent())


def _trace_parent() -> str | None:
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")
