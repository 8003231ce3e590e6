"""Exports: all that is kept of a person, and of nobody else."""

import asyncio
import json
import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.feedback.event_messages import event, product, request
from tests.feedback.shown import impression
from tests.feedback.whole_service import serving_all
from zhiyin.feedback.v1 import feed_service_pb2 as feed_pb
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import user_data_service_pb2 as user_pb

COMMENT, PURCHASE = 8, 6
FAST = {"training_window_seconds": 0.001, "training_poll_seconds": 0.05}


@pytest.fixture
async def stubs(feedback_url):
    async with serving_all(feedback_url, **FAST) as opened:
        yield opened


async def pages(stubs, **fields):
    token, found = "", []
    while True:
        reply = await stubs.user_data.ExportUser(user_pb.ExportUserRequest(page_token=token, **fields))
        found.append(reply.json_lines)
        token = reply.next_page_token
        if not token:
            return found


async def exported(stubs, **fields):
    return [json.loads(line) for page in await pages(stubs, **fields) for line in page.splitlines()]


async def test_everything_of_a_visitor_is_in_the_export_and_nothing_of_others(stubs):
    seconds = int(time.time()) - 100
    bought = event(
        event_id="e1",
        type=PURCHASE,
        products=[product("p", price=(12, 500_000_000), quantity=2)],
        seconds=seconds,
        user_id="anna",
    )
    commented = event(event_id="e2", type=COMMENT, comment="too\nsmall 小", seconds=seconds + 1)
    shown = impression(2, visitor_id="visitor", query="连衣裙", model="ranker@1", feature_schema=1)
    shown.products[0].features = b"\x01"
    await stubs.feedback.RecordEvents(request(bought, commented, event(visitor_id="another", event_id="e3")))
    await stubs.feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[shown, impression(visitor_id="x")]))
    listed = feed_pb.ListTrainingExamplesRequest(wait_milliseconds=10_000)
    async with asyncio.timeout(20):
        while len((await stubs.feed.ListTrainingExamples(listed)).examples) < 2:
            await asyncio.sleep(0.05)

        lines = []
        while not any(line["kind"] == "visitor" and line["state"] for line in lines):
            lines = await exported(stubs, visitor_id="visitor")

    assert [line["kind"] for line in lines] == ["visitor", "event", "event", "impression", "training_example"]
    visitor, first, second, page, example = lines
    assert visitor["state"]["event_count"] == 2
    assert len(visitor["accounts"]) == 1
    assert (first["event_id"], first["type"], first["product_ids"], first["quantities"]) == (
        "e1",
        "PURCHASE_COMPLETE",
        ["p"],
        [2],
    )
    assert (first["prices"], first["currency"]) == ([12.5], "USD")
    assert first["event_time"].startswith(Timestamp(seconds=seconds).ToJsonString()[:19])
    assert (second["event_id"], second["type"], second["comment"]) == ("e2", "COMMENT", "too\nsmall 小")
    assert (page["surface"], page["query"], page["model"]) == ("SEARCH", "连衣裙", "ranker@1")
    assert page["features"][0] == "\\x01"
    assert bytes.fromhex(page["impression_id"].replace("-", "")) == shown.impression_id
    assert example["impression_id"] == page["impression_id"]


async def test_the_export_of_an_account_has_all_its_visitors(stubs):
    await stubs.feedback.RecordEvents(
        request(
            event(event_id="phone", visitor_id="phone", user_id="anna"),
            event(event_id="phone before", visitor_id="phone"),
            event(event_id="desk", visitor_id="desk", user_id="anna"),
            event(event_id="ben", visitor_id="tablet", user_id="ben"),
        )
    )
    lines = await exported(stubs, user_id="anna")
    assert [line["event_id"] for line in lines if line["kind"] == "event"] == ["phone", "phone before", "desk"]


async def test_pages_are_whole_lines_within_the_limit_and_together_complete(feedback_url):
    async with serving_all(feedback_url, max_export_bytes=2_000, **FAST) as stubs:
        await stubs.feedback.RecordEvents(request(*(event(event_id=f"e{number}") for number in range(30))))
        for _ in range(15):
            await stubs.feedback.RecordImpressions(
                pb.RecordImpressionsRequest(impressions=[impression(visitor_id="visitor")])
            )
        found = await pages(stubs, visitor_id="visitor")
    assert len(found) > 10
    assert all(len(page) <= 2_000 and page.endswith(b"\n") for page in found)
    lines = [json.loads(line) for page in found for line in page.splitlines()]
    assert [line["event_id"] for line in lines if line["kind"] == "event"] == [f"e{number}" for number in range(30)]
    ids = [line["impression_id"] for line in lines if line["kind"] == "impression"]
    assert len(ids) == len(set(ids)) == 15


async def test_a_line_that_is_longer_than_a_page_is_one(feedback_url):
    async with serving_all(feedback_url, max_export_bytes=1_024) as stubs:
        await stubs.feedback.RecordEvents(request(event(type=COMMENT, comment="long " * 1_000), event()))
        found = await pages(stubs, visitor_id="visitor")
    assert max(map(len, found)) > 5_000


async def test_of_somebody_not_seen_before_nothing_is_kept(stubs):
    assert await pages(stubs, visitor_id="nobody") == [b""]


async def test_another_catalogue_is_not_exported(stubs):
    await stubs.feedback.RecordEvents(request(event(), catalog="shop"))
    assert await exported(stubs, visitor_id="visitor") == []
    assert [line["kind"] for line in await exported(stubs, visitor_id="visitor", catalog="shop")][-1] == "event"
