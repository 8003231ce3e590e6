"""The body of every service's `migrations/env.py`."""

import asyncio
from typing import Final

import asyncpg
from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

_LOCK: Final = 0x5A_48_49_59_49_4E
"""Advisory lock that lets one migration of a database run at a time: "ZHIYIN" in ASCII."""


def run_migrations() -> None:
    """Applies the migrations that the command asked for, in one transaction each, over asyncpg."""
    asyncio.run(_migrate(str(context.config.attributes["database_url"])))


async def _migrate(database_url: str) -> None:
    # asyncpg reads the URL itself, as the services' pools do: SQLAlchemy would refuse its options, sslmode for one.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(database_url), poolclass=pool.NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(_apply)
    await engine.dispose()


def _apply(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
    connection.commit()
