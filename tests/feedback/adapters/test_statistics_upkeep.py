from datetime import timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.feedback.adapters.statistics_reset import reset
from services.feedback.adapters.statistics_sweeps import PairSweep, VisitorSweep
from services.feedback.adapters.statistics_telemetry import StatisticsTelemetry
from services.feedback.co_occurrence import PairRules
from services.feedback.counting import CountingRules, VisitorKind
from services.feedback.statistics_turn import VisitorKinds
from tests.feedback.recount import recount
from tests.feedback.statistics_shop import NOW, open_shop

TODAY = NOW.timestamp() / 86_400


@pytest.fixture
async def shop(feedback_url):
    async with open_shop(feedback_url) as opened:
        yield opened


async def pairs(shop):
    return {tuple(row) for row in await shop.connection.fetch("SELECT a, b FROM product_pairs")}


async def test_pairs_that_weigh_nothing_any_more_are_let_go_of_stretch_by_stretch(shop):
    for place in range(6):
        await shop.did([f"old{place}"], visitor=b"%d" % place, ago=timedelta(days=950))
        await shop.did([f"older{place}"], visitor=b"%d" % place, ago=timedelta(days=951))
    await shop.did(["a"], visitor=b"w", ago=timedelta(minutes=2))
    await shop.did(["b"], visitor=b"w", ago=timedelta(minutes=1))
    await shop.count()
    sweep = PairSweep(shop.database, half_life=90.0, negligible=0.001, stretch=2)
    for _ in range(3):
        await sweep.one_pass()
    assert 1 < len(await pairs(shop)) < 7
    for _ in range(5):
        await sweep.one_pass()
    assert await pairs(shop) == {("a", "b")}


async def test_visitors_are_forgotten_when_their_events_are(shop):
    await shop.did(["a"], visitor=b"v")
    await shop.did(["a"], visitor=b"w")
    await shop.count()
    await shop.connection.execute(
        "UPDATE visitor_states SET last_arrival = now() - interval '400 days' WHERE visitor_hash = $1", b"v"
    )
    await VisitorSweep(shop.database, retention_days=395, stretch=100).one_pass()
    assert await shop.connection.fetchval("SELECT array_agg(visitor_hash) FROM visitor_states") == [b"w"]


async def test_a_recount_by_other_rules_equals_a_naive_one_and_leaves_out_known_programs(shop):
    for place in range(12):
        await shop.did(["abcd"[place % 4]], visitor=b"v", ago=timedelta(minutes=20 - place))
        await shop.did(["abcd"[place % 3]], visitor=b"bot")
    await shop.count()
    await VisitorKinds(shop.turns, shop.rules).set(("shop", b"bot"), VisitorKind.BOT)
    rules = CountingRules({2: 10.0}, PairRules(window=2, tail=5))
    await reset(shop.database, rules)
    assert all(not any(values) for values in (await shop.tables(TODAY))[1].values())
    await shop.count()
    persons = [event for event in shop.events if event.visitor[1] == b"v"]
    expected = recount(persons, TODAY, window=2, tail=5, weights={2: 10.0})
    counts, popularity, weights = await shop.tables(TODAY)
    assert {key: value[0] for key, value in counts.items()} == {key: value[0] for key, value in expected[0].items()}
    for key, values in popularity.items():
        assert values == pytest.approx(expected[1][key], rel=1e-6)
    assert {key: value[0] for key, value in weights.items()} == pytest.approx(expected[2], rel=1e-6)


async def test_the_gauges_tell_how_much_is_not_counted_yet_and_for_how_long(shop):
    reader = InMemoryMetricReader()
    telemetry = StatisticsTelemetry(MeterProvider([reader]).get_meter("test"))
    for _ in range(3):
        await shop.did(["a"])
    await shop.showed(["a"])
    await telemetry.look(shop.database)
    waiting, lag = gauges(reader)
    assert waiting == {"events": 3, "impressions": 1}
    assert lag["events"] > 0
    await shop.count()
    await telemetry.look(shop.database)
    assert gauges(reader) == ({"events": 0, "impressions": 0}, {"events": 0.0, "impressions": 0.0})


def gauges(reader):
    (scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
    points = {metric.name: metric.data.data_points for metric in scope.metrics}
    return tuple(
        {point.attributes["kind"]: point.value for point in points[name]}
        for name in ("zhiyin.statistics.waiting", "zhiyin.statistics.lag")
    )
