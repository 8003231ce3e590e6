"""A pgbouncer in transaction mode in front of a test's database."""

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from local.processes import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

with_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None, reason="pgbouncer is not installed here (Debian: apt-get install pgbouncer)"
)


@asynccontextmanager
async def pgbouncer(database_url, directory):
    """URL of the same database through two server connections that all clients share, transaction by transaction."""
    behind, port = urlsplit(database_url), free_port()
    name = behind.path.lstrip("/")
    (directory / "users").write_text(f'"{behind.username}" "{behind.password}"\n')
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        f"""[databases]
{name} = host={behind.hostname} port={behind.port} dbname={name} user={behind.username} password={behind.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters = extra_float_digits
{"user = nobody" if os.geteuid() == 0 else ""}
"""
    )
    process = await asyncio.create_subprocess_exec(PGBOUNCER, "-q", str(configuration))
    try:
        url = f"postgresql://{behind.username}:{behind.password}@127.0.0.1:{port}/{name}"
        async with asyncio.timeout(10):
            await _answering(url)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _answering(url):
    while True:
        try:
            connection = await asyncpg.connect(url, statement_cache_size=0)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return
