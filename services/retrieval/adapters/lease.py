"""Who indexes: a row that its holder renews."""

import uuid

from services.common.postgres import Database

_ACQUIRE = """
    INSERT INTO leases (name, holder, expire_time) VALUES ('indexer', $1, now() + make_interval(secs => $2))
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time
    WHERE leases.holder = excluded.holder OR leases.expire_time < now() RETURNING true
"""
_RELEASE = "DELETE FROM leases WHERE name = 'indexer' AND holder = $1"


class PostgresLease:
    """A Lease. Unlike a session lock it also holds behind a pooler such as pgbouncer."""

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
