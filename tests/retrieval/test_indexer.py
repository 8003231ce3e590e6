import asyncio
from contextlib import asynccontextmanager, suppress

from services.common.errors import Unavailable
from services.retrieval.indexer import Indexer, IndexerRules
from services.retrieval.lanes import OfferLane, ProductLane
from services.retrieval.pauses import Pause
from services.retrieval.signals import IndexingSignals
from tests.retrieval.indexing_stand_ins import Bench, Clock
from tests.retrieval.shops import eventually

RULES = IndexerRules(poll=0.01, lease=0.15)
BATCH = 10


class SharedLease:
    """A lease as the database keeps it, for several holders."""

    def __init__(self):
        self.holder = None
        self.error = None

    def of(self, name):
        return _Holder(self, name)


class _Holder:
    def __init__(self, shared, name):
        self.shared, self.name = shared, name

    async def acquire(self):
        if self.shared.error is not None:
            raise self.shared.error
        self.shared.holder = self.shared.holder or self.name
        return self.shared.holder == self.name

    async def release(self):
        if self.shared.holder == self.name:
            self.shared.holder = None


@asynccontextmanager
async def running(bench, lease, signals=None):
    signals, pause, meter = signals or IndexingSignals(), Pause(0.02), bench.meter
    products = ProductLane(bench.batches, bench.versions, meter, meter, signals, bench.pause, BATCH, 60.0)
    offers = OfferLane(bench.offers_batches, meter, signals, BATCH)
    indexer = Indexer([products, offers], lease, pause, RULES)
    task = asyncio.create_task(indexer.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def emptied(bench):
    async def empty():
        return not bench.outbox.entries

    await eventually(empty, seconds=2)


async def test_what_is_in_the_outbox_is_indexed_in_batches():
    bench = Bench()
    for n in range(25):
        bench.outbox.add(str(n), n)
    async with running(bench, SharedLease().of("one")):
        await emptied(bench)
    assert len(bench.index.points) == 25


async def test_only_one_of_two_indexers_works_and_the_other_takes_over():
    one, two, lease = Bench(), Bench(), SharedLease()
    two.outbox, two.batches._outbox = one.outbox, one.outbox
    async with running(one, lease.of("one")):
        one.outbox.add("a", 1)
        await emptied(one)
        async with running(two, lease.of("two")):
            one.outbox.add("b", 2)
            await emptied(one)
            assert not two.index.points
            lease.holder = "two"
            await asyncio.sleep(2 * RULES.lease)
            one.outbox.add("c", 3)
            await emptied(one)
            assert set(two.index.points) == {("c", "c")}


async def test_whoever_cannot_renew_the_lease_has_stopped_before_its_end():
    bench, lease = Bench(), SharedLease()
    async with running(bench, lease.of("one")):
        bench.outbox.add("a", 1)
        await emptied(bench)
        lease.error = Unavailable("database away")
        await asyncio.sleep(RULES.lease)
        bench.outbox.add("b", 2)
        await asyncio.sleep(0.1)
        assert len(bench.outbox.entries) == 1
        lease.error = None
        await emptied(bench)


async def test_no_failure_ends_the_indexer():
    bench, lease = Bench(), SharedLease()
    async with running(bench, lease.of("one")) as task:
        for error in (Unavailable("away"), RuntimeError("unforeseen")):
            bench.index.error = error
            bench.outbox.add("a", 1)
            await asyncio.sleep(0.05)
            assert not task.done()
            assert bench.outbox.entries
            bench.index.error = None
            await emptied(bench)


async def test_the_lease_is_given_back_at_the_end():
    lease = SharedLease()
    async with running(Bench(), lease.of("one")):
        await asyncio.sleep(0.03)
        assert lease.holder == "one"
    assert lease.holder is None


async def test_a_wait_for_progress_ends_when_something_was_indexed():
    bench, signals = Bench(), IndexingSignals()
    bench.outbox.add("a", 1)
    async with running(bench, SharedLease().of("one"), signals), asyncio.timeout(2):
        await signals.progress(at_most=5)
    assert not bench.outbox.entries


async def test_offers_are_indexed_while_the_encoder_hangs():
    bench = Bench()
    bench.outbox.add("a", 1)
    async with running(bench, SharedLease().of("one")):
        await emptied(bench)
        bench.encoder.hang = True
        bench.outbox.add("b", 2)
        bench.offers.change("a", b"cheaper")

        async def is_cheaper():
            return bench.index.offers["c", "a"] == [b"cheaper"]

        await eventually(is_cheaper, seconds=2)
        assert bench.outbox.entries


async def test_a_build_that_fails_does_not_keep_changes_waiting():
    bench = Bench()
    bench.versions.advances = [Unavailable("no collection"), True]
    bench.outbox.add("a", 1)
    async with running(bench, SharedLease().of("one")):
        await emptied(bench)
    assert ("part_away", "builds") in bench.meter.heard


def test_pauses_double_up_to_the_longest_and_begin_anew_after_success():
    clock = Clock()
    pause = Pause(1.0, clock)
    assert [pause.begin("x") for _ in range(4)] == [0.25, 0.5, 1.0, 1.0]
    assert pause.begin("x", at_least=3.0) == 3.0
    clock.now = 2.9
    assert pause.holds("x")
    clock.now = 3.1
    assert not pause.holds("x")
    pause.end("x")
    assert pause.begin("x") == 0.25


async def test_a_collection_that_a_price_finds_gone_is_looked_for_at_once():
    bench = Bench()
    bench.outbox.add("a", 1)
    async with running(bench, SharedLease().of("one")):
        await emptied(bench)
        bench.versions.restores = bench.index.lost
        bench.index.lost.add("c")
        bench.offers.change("a", b"cheaper")

        async def is_cheaper():
            return bench.index.offers["c", "a"] == [b"cheaper"]

        await eventually(is_cheaper, seconds=2)
    assert bench.versions.checks == 2
