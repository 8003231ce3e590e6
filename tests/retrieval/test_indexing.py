from services.common.errors import FailedPrecondition, PeerTimeout, ResourceExhausted, Unavailable
from tests.retrieval.stand_ins import Bench


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
