"""Databases and roles on a Postgres server, ours or any other."""

from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 60.0


async def ensure_owner(admin_url: str, owner: str, password: str) -> str:
    """Makes the role `owner` with `password` and the database `owner` that only it can use, where they lack.

    Can be repeated. `admin_url` names a role that may create roles and databases. Returns the owner's URL.

    Raises:
        OSError: The server cannot be reached.
        asyncpg.PostgresError: The server refused.
    """
    connection = await asyncpg.connect(admin_url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
    try:
        await _ensure_role(connection, owner, password)
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", owner):
            await connection.execute(f"CREATE DATABASE {_name(owner)} OWNER {_name(owner)}")
        await connection.execute(f"REVOKE ALL ON DATABASE {_name(owner)} FROM PUBLIC")
    finally:
        await connection.close()
    return database_url(admin_url, owner, user=owner, password=password)


async def create_database(admin_url: str, name: str, *, template: str | None = None) -> str:
    """Makes a database, as a copy of `template` where given, and returns its URL with the same role.

    Raises:
        OSError: The server cannot be reached.
        asyncpg.PostgresError: The server refused: it exists, or somebody is connected to the template.
    """
    connection = await asyncpg.connect(admin_url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
    try:
        source = "" if template is None else f" TEMPLATE {_name(template)}"
        await connection.execute(f"CREATE DATABASE {_name(name)}{source}")
    finally:
        await connection.close()
    return database_url(admin_url, name)


def database_url(url: str, database: str, *, user: str | None = None, password: str | None = None) -> str:
    """`url` with another database, and another role where given. Its options stay."""
    parts = urlsplit(url)
    place = parts.netloc
    if user is not None:
        place = f"{quote(user, safe='')}:{quote(password or '', safe='')}@{place.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=place, path="/" + quote(database, safe="")))


async def _ensure_role(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    # Neither command takes parameters; the server quotes the password itself.
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"{'ALTER' if known else 'CREATE'} ROLE {_name(role)} LOGIN PASSWORD {literal}")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
