"""Feedback while its database is killed, silent or not yet there. Each test has a server of its own."""

import time
from pathlib import Path

import asyncpg
import grpc
import psutil
import pytest

from local.postgres import PostgresServer
from tests.feedback.shown import impression
from tests.refusals import refusal
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

DEADLINE = 1.0


@pytest.fixture
async def server(stack_directory, migrate_feedback):
    # Commits are acknowledged early unless the service itself asks for better.
    server = PostgresServer(stack_directory / "postgres", durable=False)
    await server.start()
    await migrate_feedback(server.url())
    yield server
    await server.stop()


@pytest.fixture
def processes(stack_directory):
    """The server's own processes, by the directory that they work in."""
    data = (stack_directory / "postgres" / "data").resolve()

    def running():
        found = []
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres":
                try:
                    if Path(process.cwd()) == data:
                        found.append(process)
                except psutil.Error:
                    continue
        return found

    return running


async def refused_in_time(call):
    started = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert time.monotonic() - started < DEADLINE
    answer = refusal(error.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert answer.retry_seconds > 0


async def assert_away(feedback):
    request = pb.RecordImpressionsRequest(impressions=[impression()])
    await refused_in_time(feedback.RecordImpressions(request, timeout=DEADLINE))
    await refused_in_time(feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id="v"), timeout=DEADLINE))


def signal_all(processes, action):
    for process in processes:
        try:
            getattr(process, action)()
        except psutil.NoSuchProcess:
            continue


async def test_the_service_serves_before_its_database_is_there(serve, server):
    await server.stop()
    async with serve(server.url()) as feedback:
        await assert_away(feedback)
        await server.start()
        assert (await feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id="v"))) is not None


async def test_an_acknowledged_impression_survives_the_kill_of_the_database(serve, server, processes):
    async with serve(server.url()) as feedback:
        kept = [impression() for _ in range(5)]
        for shown in kept:
            assert (
                await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[shown]))
            ).stored_count == 1
        signal_all(processes(), "kill")
        await assert_away(feedback)
        await server.stop()
        await server.start()
        again = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=kept))
        assert (again.stored_count, again.duplicate_count) == (0, 5)


async def test_a_silent_database_is_answered_for_within_the_callers_time(serve, server, processes):
    async with serve(server.url()) as feedback:
        await feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id="v"))
        stopped = processes()
        signal_all(stopped, "suspend")
        try:
            await assert_away(feedback)
        finally:
            signal_all(stopped, "resume")
        reply = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[impression()]))
        assert reply.stored_count == 1


async def test_commits_are_on_disk_although_the_server_would_acknowledge_early(server):
    connection = await asyncpg.connect(server.url())
    assert await connection.fetchval("SHOW synchronous_commit") == "off"
    await connection.close()
