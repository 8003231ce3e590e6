import asyncio
import random
from datetime import timedelta

import asyncpg
import pytest

from services.feedback.adapters.statistics_turns import open_turn
from services.feedback.bots import BotRules
from services.feedback.counting import CountingRules, VisitorKind
from services.feedback.statistics_turn import BatchLimits, Contributions, VisitorKinds
from tests.feedback.recount import recount
from tests.feedback.statistics_shop import NOW, open_shop

TODAY = NOW.timestamp() / 86_400
RULES = CountingRules(bots=BotRules(events_a_minute=20, views_a_day=10_000, regular_events=10_000))


@pytest.fixture
async def shop(feedback_url):
    async with open_shop(feedback_url, RULES) as opened:
        yield opened


async def busy(shop, events, visitors=(b"v", b"w", b"x"), seed=3):
    """Visitors do things at random, some of it long ago, some of it late."""
    chance = random.Random(seed)
    for _ in range(events):
        product_ids = chance.sample("abcdefgh", chance.randint(1, 3))
        ago = timedelta(hours=chance.randint(0, 24 * 60))
        await shop.did(product_ids, visitor=chance.choice(visitors), action=chance.randint(1, 10), ago=ago)


async def equals(shop, events):
    expected = recount(events, TODAY)
    pairs = {key: [value] for key, value in expected[2].items()}
    for actual, wanted in zip(await shop.tables(TODAY), (*expected[:2], pairs), strict=True):
        for key in actual.keys() | wanted.keys():
            zeros = [0] * len(actual.get(key) or wanted[key])
            assert actual.get(key, zeros) == pytest.approx(wanted.get(key, zeros), rel=1e-9, abs=1e-8), key


@pytest.mark.parametrize("batch", [1, 7, 1_000])
async def test_the_tables_equal_a_naive_recount(shop, batch):
    await busy(shop, 150)
    await shop.count(batch)
    await equals(shop, shop.events)


async def test_a_transaction_that_commits_after_a_later_one_is_counted(shop, feedback_url):
    early = await asyncpg.connect(feedback_url)
    try:
        transaction = early.transaction()
        await transaction.start()
        await shop.did(["a"], connection=early)
        await shop.did(["b"])
        await shop.count()
        assert await shop.tables(TODAY) == ({}, {}, {})
        await transaction.commit()
    finally:
        await early.close()
    await shop.count()
    await equals(shop, shop.events)


async def test_replicas_count_everything_once_between_them(shop):
    await busy(shop, 60)

    async def replica():
        counter = shop.counter(batch=5)
        for _ in range(30):
            await counter.one_pass()

    await asyncio.gather(*(replica() for _ in range(4)))
    await shop.count()
    await equals(shop, shop.events)


async def test_a_batch_ends_with_the_products_that_it_may_hold(shop):
    for _ in range(4):
        await shop.did("abcde")
    counter = shop.counter(products=6)
    passes = [await counter.one_pass() for _ in range(3)]
    assert [(one.events, one.is_more) for one in passes] == [(2, True), (2, True), (0, False)]
    await equals(shop, shop.events)


async def test_a_turn_that_fails_leaves_nothing_behind(shop):
    await busy(shop, 20)
    with pytest.raises(ZeroDivisionError):
        async with shop.turns.next() as turn:
            await turn.next_events(BatchLimits(10, 100))
            raise ZeroDivisionError
    await shop.count()
    await equals(shop, shop.events)


@pytest.mark.parametrize("batch", [1, 4, 1_000])
async def test_what_a_program_did_is_taken_out_once_it_is_known(shop, batch):
    await busy(shop, 40)
    for place in range(25):
        await shop.did([f"p{place % 4}"], visitor=b"bot")
    await shop.showed(["a"], visitor=b"bot")
    await shop.count(batch)
    await equals(shop, [event for event in shop.events if event.visitor[1] != b"bot"])
    await shop.showed(["a"], visitor=b"bot")
    await shop.count(batch)
    assert ("shop", "a", 0) not in {key for key, value in (await shop.tables(TODAY))[0].items() if value[0]}


async def test_an_operator_puts_a_visitor_back_and_takes_it_out_again(shop):
    await busy(shop, 30)
    for place in range(25):
        await shop.did([f"p{place % 4}"], visitor=b"bot")
    await shop.count()
    kinds = VisitorKinds(shop.turns, RULES)
    assert await kinds.set(("shop", b"bot"), VisitorKind.PERSON) == (False, 25)
    await equals(shop, shop.events)
    assert await kinds.set(("shop", b"bot"), VisitorKind.PERSON) == (False, 0)
    assert await kinds.set(("shop", b"bot"), VisitorKind.BY_RULES) == (True, 25)
    assert await kinds.set(("shop", b"bot"), VisitorKind.BOT) == (True, 0)
    await equals(shop, [event for event in shop.events if event.visitor[1] != b"bot"])


async def test_a_visitor_can_be_named_a_program_before_it_does_anything(shop):
    assert await VisitorKinds(shop.turns, RULES).set(("shop", b"v"), VisitorKind.BOT) == (True, 0)
    await shop.did(["a"])
    await shop.count()
    assert (await shop.tables(TODAY))[0] == {}


async def test_an_erasure_takes_out_what_the_visitor_contributed_and_no_more(shop):
    await busy(shop, 60)
    await shop.count()
    await shop.did(["a"])  # not counted yet
    counted = sum(event.visitor[1] == b"v" for event in shop.events) - 1
    async with shop.database.transaction() as connection:
        turn = await open_turn(connection)
        assert await Contributions(RULES).remove(turn, ("shop", b"v")) == counted
        await connection.execute("DELETE FROM events WHERE visitor_hash = $1", b"v")
        await connection.execute("DELETE FROM visitor_states WHERE visitor_hash = $1", b"v")
    await shop.count()
    await equals(shop, [event for event in shop.events if event.visitor[1] != b"v"])


async def test_the_tables_keep_their_rules_until_a_recount(shop):
    await busy(shop, 10)
    await shop.count()
    heavier = CountingRules({2: 100.0}, RULES.pairs, RULES.bots)
    await busy(shop, 10, seed=4)
    await shop.counter(rules=heavier).one_pass()
    await equals(shop, shop.events)
