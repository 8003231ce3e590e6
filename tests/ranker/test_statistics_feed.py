import asyncio

from services.common.errors import Unavailable, invalid
from services.ranker.statistics import ProductCounts, StatisticsTable
from services.ranker.statistics_feed import StatisticsFollower, StatisticsPage


class FakeFeed:
    """Gives `pages` by the offset that they follow; one may be an error. Notes what was asked."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []
        self.at_end = asyncio.Event()

    async def page_after(self, offset):
        self.asked.append(offset)
        page = self.pages.get(offset)
        if page is None:
            self.at_end.set()
            await asyncio.Event().wait()
        if isinstance(page, Exception):
            raise page
        return page


def page(offset, *product_ids, more=False):
    return StatisticsPage(
        [ProductCounts("default", product_id, 1, 1, 1, 1) for product_id in product_ids], offset, more
    )


def followed(pages):
    table, feed = StatisticsTable(100, lambda: 0.0), FakeFeed(pages)
    return table, feed, StatisticsFollower(feed, table, pause=0.25, retry_pause=2.0)


async def test_it_reads_on_at_once_while_there_is_more_and_knows_when_it_is_at_the_end():
    table, _, follower = followed({"": page("1", "a", more=True), "1": page("2", "b")})
    assert await follower.step() == 0.0
    assert (table.product_count, table.age_seconds) == (1, None)
    assert await follower.step() == 0.25
    assert (table.product_count, table.age_seconds) == (2, 0.0)


async def test_what_is_known_stays_while_feedback_is_away():
    table, feed, follower = followed({"": page("1", "a"), "1": Unavailable("away")})
    await follower.step()
    assert await follower.step() == await follower.step() == 2.0
    assert (table.product_count, table.age_seconds) == (1, 0.0)
    feed.pages["1"] = page("2", "b")
    await follower.step()
    assert table.product_count == 2
    assert feed.asked == ["", "1", "1", "1"]


async def test_an_offset_of_another_database_makes_it_begin_again():
    table, feed, follower = followed({"": page("old", "a"), "old": invalid("after_offset", "is not of this feed")})
    await follower.step()
    await follower.step()
    assert (table.product_count, table.age_seconds) == (0, None)
    feed.pages[""] = page("new", "b", "c")
    await follower.step()
    assert feed.asked == ["", "old", ""]
    assert table.product_count == 2


async def test_it_follows_in_the_background_and_ends_with_the_service():
    table, feed, follower = followed({"": page("1", "a", more=True), "1": page("2", "b", more=True)})
    async with follower.running(), asyncio.timeout(5):
        await feed.at_end.wait()
    assert table.product_count == 2
    assert feed.asked == ["", "1", "2"]
