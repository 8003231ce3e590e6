"""The body of every service's `migrations/env.py`."""

import asyncio
from typing import Final

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_LOCK: Final = 0x5A_48_49_59_49_4E
"""Advisory lock that lets one migration of a database run at a time: "ZHIYIN" in ASCII."""


def run_migrations() -> None:
    """Applies the migrations that the command asked for, all of them in one transaction, over asyncpg."""
    asyncio.run(_migrate(str(context.config.attributes["database_url"])))


async def _migrate(database_url: str) -> None:
    engine = _engine(database_url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_apply)
    finally:
        await engine.dispose()


def _engine(database_url: str) -> AsyncEngine:
    """An engine without named statements: behind a pooler the next transaction may meet another connection."""
    # asyncpg reads the URL itself, as the services' pools do: SQLAlchemy would refuse its options, sslmode for one.
    arguments = {
        "dsn": database_url,
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": lambda: "",
    }
    return create_async_engine("postgresql+asyncpg://", connect_args=arguments, poolclass=pool.NullPool)


def _apply(connection: Connection) -> None:
    """The version is read, and all is applied, in the transaction that holds the lock.

    A lock of the session would stay, behind a pooler, with a connection that outlives a migration that was killed.
    """
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        context.run_migrations()
