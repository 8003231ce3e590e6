"""Postgres for the services that own data: a pool that makes no caller wait for ever, one seam for its errors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.deadlines import budget, time_left
from services.common.errors import Unavailable
from services.common.settings import Count, Seconds

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_ANSWER_SHARE: Final = 0.1
"""Share of the caller's time that is kept to tell it that the database did not answer."""

_CLOSE_SECONDS: Final = 2.0

_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InternalClientError,
    # "connection was closed in the middle of operation"; the other InterfaceErrors are faults of ours, and asyncpg
    # gives this one no type of its own below it.
    asyncpg.exceptions.ConnectionDoesNotExistError,
    OSError,
    TimeoutError,
)
"""What a restart, a fail-over or a lost network looks like: the same call may well succeed a moment later."""


class DatabaseSettings(BaseSettings):
    """How a service reaches the database that it owns."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    database_url: SecretStr = Field(
        description="`postgresql://role:password@host:port/database` of this service's own data."
    )
    database_pool_size: Count = Field(8, description="Connections at most.")
    database_acquire_seconds: Seconds = Field(1.0, description="Longest wait for a free connection; then UNAVAILABLE.")
    database_statement_seconds: Seconds = Field(5.0, description="Longest time of one statement; then UNAVAILABLE.")
    database_connect_seconds: Seconds = Field(2.0, description="Longest time to open a connection.")
    database_statement_cache: int = Field(
        256,
        ge=0,
        description="Prepared statements kept per connection; 0 behind a pooler in transaction mode (pgbouncer).",
    )


class Database:
    """A pool of connections, opened when first needed: a service starts and is ready while its database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", acquire_seconds: float) -> None:
        self._pool = pool
        self._acquire_seconds = acquire_seconds
        self._acquisitions: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for one short piece of work.

        Shortly before the caller's deadline the connection is cut off, whatever it waits for: a server that has stopped
        answering (a frozen process, a lost network) would hold even the rollback for as long as a statement may take.

        Raises:
            Unavailable: none was free or could be opened in time, or it broke or was cut off while in use; whether a
                write took place is then not known.
            DeadlineExceeded: the caller's time was over before.
        """
        seconds = budget(self._acquire_seconds, (time_left() or 0.0) * _ANSWER_SHARE)
        with _translated():
            connection = await self._acquire(seconds)
            try:
                with _cut_off(connection):
                    yield connection
            finally:
                await self._pool.release(connection)

    async def _acquire(self, seconds: float) -> Connection:
        """Waits `seconds`; a connection that comes later joins the pool, where the next call finds it.

        Opening one takes longer than some callers wait. Given up each time, it would never be there.
        """
        task = asyncio.create_task(self._open())
        self._acquisitions.add(task)
        task.add_done_callback(self._acquisitions.discard)
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that arrives as the task ends (cpython 86296).
            async with asyncio.timeout(seconds):
                return await asyncio.shield(task)
        except (TimeoutError, asyncio.CancelledError):
            task.add_done_callback(self._put_back)
            raise

    async def _open(self) -> Connection:
        return await self._pool.acquire(timeout=self._acquire_seconds)

    def _put_back(self, task: "asyncio.Task[Connection]") -> None:
        if not task.cancelled() and task.exception() is None:
            release = asyncio.create_task(self._pool.release(task.result()))
            self._acquisitions.add(release)
            release.add_done_callback(self._acquisitions.discard)

    def warm_up(self) -> None:
        """Begins to open a connection, so that the first caller finds one."""
        task = asyncio.create_task(self._open())
        self._acquisitions.add(task)
        task.add_done_callback(self._acquisitions.discard)
        task.add_done_callback(self._put_back)

    async def settle(self) -> None:
        """Waits for connections that nobody waits for any more; bounded by the time that opening one may take."""
        while self._acquisitions:
            await asyncio.wait(self._acquisitions)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """As `connection`, inside one transaction that commits when left without an exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def open_database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    """The pool of a service; closed, with calls in progress given a moment, when it is left."""
    pool = asyncpg.create_pool(
        settings.database_url.get_secret_value(),
        min_size=0,
        max_size=settings.database_pool_size,
        max_inactive_connection_lifetime=600.0,
        timeout=settings.database_connect_seconds,
        command_timeout=settings.database_statement_seconds,
        statement_cache_size=settings.database_statement_cache,
        server_settings={"application_name": "zhiyin"},
    )
    await pool
    try:
        database = Database(pool, settings.database_acquire_seconds)
        database.warm_up()
        yield database
    finally:
        await database.settle()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()
        except (TimeoutError, *_AWAY):
            pool.terminate()


@contextmanager
def _cut_off(connection: Connection) -> Iterator[None]:
    left = time_left()
    if left is None:
        yield
        return
    timer = asyncio.get_running_loop().call_later(left * (1.0 - _ANSWER_SHARE), connection.terminate)
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _AWAY as exc:
        raise Unavailable("the database cannot be reached", reason="DATABASE_UNAVAILABLE", retry_after=1.0) from exc
    except asyncpg.InterfaceError as exc:
        # asyncpg has no type of its own for a connection that broke between two statements: the pool has taken it back.
        if not any(words in str(exc) for words in ("closed", "released back to the pool")):
            raise
        raise Unavailable("the database closed the connection", reason="DATABASE_UNAVAILABLE", retry_after=1.0) from exc
