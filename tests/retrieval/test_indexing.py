import asyncio

import pytest

from services.common.errors import FailedPrecondition, Internal, NotFound, PeerTimeout, ResourceExhausted, Unavailable
from services.retrieval.analysis import ANALYSER_VERSION
from services.retrieval.isolation import write_each
from tests.retrieval.indexing_stand_ins import Bench


async def test_a_change_leaves_the_outbox_once_the_index_has_it():
    bench = Bench()
    bench.outbox.add("a", 1)
    bench.outbox.add("b", 2, deleted=True)
    bench.index.points["c", "b"] = True
    report = await bench.one_pass()
    assert (report.indexed, report.removed, report.encoded) == (1, 1, 1)
    assert bench.index.points == {("c", "a"): True}
    assert not bench.outbox.entries


async def test_a_change_that_came_while_its_product_was_indexed_stays_in_the_outbox():
    bench = Bench()
    bench.outbox.add("a", 1)
    bench.outbox.on_settle = lambda: bench.outbox.add("a", 2)
    await bench.one_pass()
    assert [entry.change for entry in bench.outbox.entries.values()] == [2]


async def test_a_kept_vector_is_used_again():
    bench = Bench()
    for change in (1, 2):
        bench.outbox.add("a", change)
        report = await bench.one_pass()
    assert (report.encoded, report.reused) == (0, 1)
    assert bench.encoder.calls == [["a"]]


async def test_without_the_encoder_changes_are_indexed_by_words_once_and_wait_for_it():
    bench = Bench()
    bench.encoder.error = Unavailable("away")
    bench.outbox.add("a", 1)
    assert (await bench.one_pass()).words_only == 1
    assert bench.index.points == {("c", "a"): False}
    assert await bench.batches.take(10) == []
    bench.clock.now += 1
    bench.encoder.error = None
    report = await bench.one_pass()
    assert report.indexed == 1
    assert bench.index.points == {("c", "a"): True}


async def test_a_busy_encoder_is_left_alone_for_as_long_as_it_asks():
    bench = Bench()
    bench.encoder.error = ResourceExhausted("busy", retry_after=3.0)
    bench.outbox.add("a", 1)
    await bench.one_pass()
    bench.encoder.error = None
    bench.clock.now += 2.9
    assert await bench.batches.take(10) == []
    bench.clock.now += 0.2
    assert len(await bench.batches.take(10)) == 1


async def test_an_encoder_with_another_model_is_left_alone_for_seconds_at_least():
    bench = Bench()
    bench.encoder.error = FailedPrecondition("other model", reason="MODEL_NOT_LOADED")
    bench.outbox.add("a", 1)
    await bench.one_pass()
    bench.clock.now += 4.9
    assert await bench.batches.take(10) == []


async def test_an_encoder_that_is_too_slow_is_given_fewer_texts_until_it_keeps_up():
    bench = Bench()
    for n in range(8):
        bench.outbox.add(str(n), n)
    bench.encoder.error = PeerTimeout("slow")
    await bench.one_pass()
    bench.encoder.error = None
    sizes = []
    while bench.outbox.entries:
        bench.clock.now += 1
        await bench.one_pass()
        sizes = [len(call) for call in bench.encoder.calls]
    assert sizes == [4, 4]


async def test_a_text_that_the_encoder_refuses_is_found_by_words_and_the_others_wholly():
    bench = Bench()
    bench.encoder.refused = {"3"}
    for n in range(7):
        bench.outbox.add(str(n), n)
    await bench.one_pass()
    assert {i for (_, i), has_vector in bench.index.points.items() if not has_vector} == {"3"}
    assert not bench.outbox.entries
    assert bench.meter.heard == [("text_refused", "3")]


async def test_a_product_that_the_index_refuses_is_given_up_and_the_others_go_in():
    bench = Bench()
    bench.index.refused = {"3"}
    for n in range(7):
        bench.outbox.add(str(n), n)
    report = await bench.one_pass()
    assert (report.indexed, report.given_up) == (6, 1)
    assert bench.outbox.failed == {"3": "INVALID_ARGUMENT"}
    assert bench.meter.heard == [("gave_up", "3")]


async def test_products_that_the_index_fails_on_are_given_up_and_the_others_go_in():
    bench = Bench()
    bench.index.poison = {"3", "17"}
    for n in range(64):
        bench.outbox.add(str(n), n)
    report = await bench.one_pass()
    assert (report.indexed, report.given_up) == (62, 2)
    assert bench.outbox.failed == {"3": "INTERNAL", "17": "INTERNAL"}
    assert not bench.outbox.entries
    # 1 whole, the 2 x 6 halvings of each at most, and once more to see that the index still takes something.
    assert bench.index.calls <= 1 + 2 * 2 * 6 + 1


async def test_an_index_that_takes_nothing_costs_no_product_its_place_and_few_calls():
    bench = Bench()
    bench.index.error = Internal("no space left")
    for n in range(64):
        bench.outbox.add(str(n), n)
    await bench.one_pass()
    assert bench.index.calls <= 32
    assert not bench.outbox.failed
    bench.index.error = None
    bench.clock.now += 1
    assert (await bench.one_pass()).indexed == 64


async def test_an_index_that_breaks_while_products_are_written_costs_none_its_place():
    taken = []

    async def write(part):
        if taken or len(part) > 4:
            raise Internal("no space left")
        taken.append(part)

    with pytest.raises(Internal):
        await write_each(range(8), write)
    assert taken == [range(4)]


async def test_a_product_that_the_index_fails_on_waits_alone_for_a_proof_and_no_price_waits_with_it():
    bench = Bench()
    bench.outbox.add("a", 1)
    await bench.one_pass()
    bench.index.poison = {"poison"}
    bench.outbox.add("poison", 2)
    await bench.one_pass()
    assert not bench.outbox.failed
    bench.index.poison = set()
    bench.offers.change("a", b"cheaper")
    assert await bench.offers_batches.index(10) == 1
    bench.index.poison = {"poison"}
    bench.clock.now += 1
    bench.outbox.add("b", 3)
    assert (await bench.one_pass()).indexed == 1
    assert bench.outbox.failed == {"poison": "INTERNAL"}


async def test_a_catalogue_whose_collection_is_gone_does_not_hold_up_the_others():
    bench = Bench()
    bench.outbox.add("a", 1, catalog="gone")
    bench.outbox.add("b", 2, catalog="whole")
    bench.index.lost = {"gone"}
    with pytest.raises(NotFound):  # so that whoever asked checks at once
        await bench.one_pass()
    assert bench.index.points == {("whole", "b"): True}
    assert [entry.catalog for entry in bench.outbox.entries.values()] == ["gone"]


async def test_a_catalogue_whose_version_cannot_be_made_does_not_hold_up_the_others():
    bench = Bench()
    bench.versions.errors["new"] = Unavailable("no model yet")
    bench.outbox.add("a", 1, catalog="new")
    bench.outbox.add("b", 2, catalog="old")
    report = await bench.one_pass()
    assert report.indexed == 1
    assert [e.catalog for e in bench.outbox.entries.values()] == ["new"]
    assert await bench.batches.take(10) == []
    bench.clock.now += 1
    assert len(await bench.batches.take(10)) == 1


async def test_a_catalogue_whose_index_fails_does_not_keep_the_others_waiting():
    bench = Bench()
    bench.outbox.add("a", 1, catalog="broken")
    bench.outbox.add("b", 2, catalog="whole")
    bench.index.broken = {"broken"}
    await bench.one_pass()
    assert bench.index.points == {("whole", "b"): True}
    assert [entry.catalog for entry in bench.outbox.entries.values()] == ["broken"]


async def test_a_version_whose_encoder_is_away_is_indexed_by_words_and_the_other_wholly():
    bench = Bench()
    bench.encoder.away = {"r2"}
    for version in (1, 2):
        bench.outbox.add("a", 1, version=version)
    report = await bench.one_pass()
    assert (report.indexed, report.words_only) == (1, 1)
    assert [(entry.version, entry.words_indexed) for entry in bench.outbox.entries.values()] == [(2, True)]
    assert await bench.batches.take(10) == []
    bench.outbox.add("b", 2, version=1)
    assert (await bench.one_pass()).indexed == 1


async def test_entries_of_a_version_that_was_deleted_meanwhile_are_left_alone():
    bench = Bench()
    bench.versions.deleted = {("c", 2)}
    bench.outbox.add("a", 1, version=2)
    bench.outbox.add("a", 1, version=1)
    assert (await bench.one_pass()).indexed == 1
    assert set(bench.index.by_version) == {("c", 1, "a")}


async def test_a_product_is_written_with_its_offers_of_that_moment():
    bench = Bench()
    bench.outbox.add("a", 1)
    changes = await bench.batches.take(10)
    bench.offers.rows["c", "a"] = [b"now"]
    await bench.batches.index(changes)
    assert bench.index.offers == {("c", "a"): [b"now"]}


async def test_whole_products_and_offers_do_not_overwrite_one_another_with_older_offers():
    """The pass of whole products has read the old offers when they change; it is written before the new ones are."""
    bench = Bench()
    bench.outbox.add("a", 1)
    bench.offers.rows["c", "a"] = [b"old"]
    read, go_on = asyncio.Event(), asyncio.Event()

    async def held_up():
        bench.offers.on_read = None
        read.set()
        await go_on.wait()

    bench.offers.on_read = held_up
    products = asyncio.create_task(bench.one_pass())
    await read.wait()
    bench.offers.change("a", b"new")
    offers = asyncio.create_task(bench.offers_batches.index(10))
    for _ in range(20):
        await asyncio.sleep(0)
    assert bench.index.offers == {}
    go_on.set()
    await asyncio.gather(products, offers)
    assert bench.index.offers == {("c", "a"): [b"new"]}


async def test_offers_of_a_product_that_the_index_has_not_got_yet_are_left_to_its_own_pass():
    bench = Bench()
    bench.offers.change("a", b"one")
    assert await bench.offers_batches.index(10) == 1
    assert bench.index.offers == {}
    assert not bench.offers.entries


async def test_offers_that_the_index_refuses_do_not_hold_up_the_others():
    bench = Bench()
    for product_id in "abc":
        bench.outbox.add(product_id, 1)
    await bench.one_pass()
    bench.index.refused = {"b"}
    for product_id in "abc":
        bench.offers.change(product_id, b"new")
    await bench.offers_batches.index(10)
    assert bench.index.offers == {("c", "a"): [b"new"], ("c", "b"): [], ("c", "c"): [b"new"]}
    assert bench.meter.heard == [("offers_refused", "b")]
    assert not bench.offers.entries


async def test_offers_that_the_index_fails_on_do_not_hold_up_the_others():
    bench = Bench()
    for product_id in "abc":
        bench.outbox.add(product_id, 1)
    await bench.one_pass()
    bench.index.poison = {"b"}
    for product_id in "abc":
        bench.offers.change(product_id, b"new")
    await bench.offers_batches.index(10)
    assert bench.index.offers == {("c", "a"): [b"new"], ("c", "b"): [], ("c", "c"): [b"new"]}
    assert bench.meter.heard == [("offers_refused", "b")]


@pytest.mark.parametrize("trouble", ["lost", "broken", "unmade"])
async def test_prices_of_other_catalogues_do_not_wait_for_one_whose_collection_is_away(trouble):
    bench = Bench()
    for catalog in ("b1", "b2"):
        bench.outbox.add("a", 1, catalog=catalog)
    await bench.one_pass()
    if trouble == "unmade":
        bench.versions.errors["b1"] = Unavailable("cannot be made anew")
    else:
        getattr(bench.index, trouble).add("b1")
    for catalog in ("b1", "b2"):
        bench.offers.change("a", b"cheaper", catalog=catalog)
    assert await bench.offers_batches.index(10) == 1
    assert bench.index.offers["b2", "a"] == [b"cheaper"]
    assert await bench.offers_batches.index(10) == 0
    bench.index.lost, bench.index.broken, bench.versions.errors = set(), set(), {}
    bench.clock.now += 6
    assert await bench.offers_batches.index(10) == 1
    assert bench.index.offers["b1", "a"] == [b"cheaper"]


async def test_a_version_of_another_analyser_is_written_without_words():
    bench = Bench()
    bench.versions.analyser = ANALYSER_VERSION + 1
    bench.outbox.add("a", 1)
    await bench.one_pass()
    written = bench.index.by_version["c", 1, "a"]
    assert written.document.words == ((), ())
    assert written.vector is not None
