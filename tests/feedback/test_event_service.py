"""Events through the whole service, on a real database."""

import asyncio
import os
import shutil
import time
import uuid
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import grpc
import psutil
import pytest

from local.postgres import PostgresServer
from local.processes import free_port
from tests.feedback.event_messages import ACCEPTED, DUPLICATE, event, outcomes, request
from tests.refusals import refusal
from zhiyin.common.v1 import user_event_pb2

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.fixture
async def connection(feedback_url):
    connection = await asyncpg.connect(feedback_url)
    yield connection
    await connection.close()


async def test_what_was_answered_is_in_the_table_with_both_times(serve, feedback_url, connection):
    seconds = int(time.time()) - 3_600
    async with serve(feedback_url) as feedback:
        reply = await feedback.RecordEvents(request(event(event_id="late", seconds=seconds), catalog="shop"))
    assert outcomes(reply) == [ACCEPTED]
    row = await connection.fetchrow("SELECT *, extract(epoch FROM event_time)::bigint AS seconds FROM events")
    assert (row["catalog"], row["event_id"], row["seconds"]) == ("shop", "late", seconds)
    assert row["arrival_time"].timestamp() >= seconds + 3_600


async def test_many_callers_that_send_the_same_events_keep_each_once(serve, feedback_url, connection):
    shared = [event() for _ in range(40)]
    async with serve(feedback_url) as feedback:
        replies = await asyncio.gather(
            *(feedback.RecordEvents(request(*(shared if n % 2 else shared[::-1]))) for n in range(16))
        )
    assert sum(outcomes(reply).count(ACCEPTED) for reply in replies) == 40
    assert sum(outcomes(reply).count(DUPLICATE) for reply in replies) == 15 * 40
    assert await connection.fetchval("SELECT count(*) FROM events") == 40


async def test_the_largest_batch_is_kept(serve, feedback_url, connection):
    async with serve(feedback_url) as feedback:
        reply = await feedback.RecordEvents(request(*(event() for _ in range(1_000))))
    assert set(outcomes(reply)) == {ACCEPTED}
    assert await connection.fetchval("SELECT count(*) FROM events") == 1_000


async def test_no_pseudonym_is_in_the_database_and_no_comment_in_the_log(serve, feedback_url, connection, caplog):
    caplog.set_level(0)
    names = {kind: f"{kind}-{uuid.uuid4()}" for kind in ("visitor_id", "user_id", "session_id")}
    comment = f"comment-{uuid.uuid4()}"
    said = event(type=user_event_pb2.USER_EVENT_TYPE_COMMENT, comment=comment, **names)
    refused = event(comment=comment, **names)
    async with serve(feedback_url) as feedback:
        reply = await feedback.RecordEvents(request(said, refused))
    assert outcomes(reply) == [ACCEPTED, 4]
    content = ""
    for table in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        for row in await connection.fetch(f"SELECT t::text AS content FROM {table['tablename']} t"):
            content += row["content"]
    assert comment in content
    for name in names.values():
        assert name not in content
        assert name.encode().hex() not in content
        assert name not in caplog.text
    assert comment not in caplog.text
    assert comment not in str(reply)


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


@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed here (Debian: apt-get install pgbouncer)")
async def test_events_are_kept_behind_transaction_pooling(serve, feedback_url, stack_directory, connection):
    events = [event(user_id="u") for _ in range(60)]
    async with (
        pgbouncer(feedback_url, stack_directory) as url,
        serve(url, database_statement_cache=0, commit_events=2) as feedback,
    ):
        replies = await asyncio.gather(*(feedback.RecordEvents(request(one), timeout=30) for one in events))
        again = await feedback.RecordEvents(request(*events))
    assert [outcomes(reply) for reply in replies] == [[ACCEPTED]] * 60
    assert set(outcomes(again)) == {DUPLICATE}
    assert await connection.fetchval("SELECT count(*) FROM events") == 60


@pytest.fixture
async def own_server(stack_directory, migrate_feedback):
    # Commits are acknowledged early unless the service itself asks for better.
    server = PostgresServer(stack_directory / "postgres", durable=False)
    await server.start()
    await migrate_feedback(server.url())
    yield server
    await server.stop()


async def test_an_acknowledged_event_survives_the_kill_of_the_database_and_the_rest_is_told_to_come_back(
    serve, own_server
):
    kept, later = [event() for _ in range(5)], event()
    async with serve(own_server.url()) as feedback:
        assert set(outcomes(await feedback.RecordEvents(request(*kept)))) == {ACCEPTED}
        server = psutil.Process(own_server.child.pid)
        for process in [*server.children(recursive=True), server]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await feedback.RecordEvents(request(later), timeout=2)
        answer = refusal(error.value)
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        assert answer.retry_seconds > 0
        await own_server.stop()
        await own_server.start()
        again = await feedback.RecordEvents(request(*kept, later))
    assert outcomes(again) == [DUPLICATE] * 5 + [ACCEPTED]
