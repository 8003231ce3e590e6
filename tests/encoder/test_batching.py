from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import ResourceExhausted
from services.encoder.batching import BatchLimits, BatchQueue, DropReason, Lane, check_batch_budget, cut


@dataclass(eq=False)
class Waiting:
    tokens: int
    deadline: float = float("inf")
    is_abandoned: bool = False


def limits(**changes) -> BatchLimits:
    defaults = {
        "batch_tokens": 100,
        "batch_texts": 8,
        "queue_tokens": {Lane.INTERACTIVE: 1000, Lane.BULK: 10_000},
        "queue_texts": 500,
    }
    return BatchLimits(**{**defaults, **changes})


def drain(queue: BatchQueue, now: float = 0.0) -> list:
    batches = []
    while queue:
        batches.append(queue.next_batch(now))
    return batches


lengths = st.lists(st.integers(1, 100), max_size=60)


@given(lengths)
def test_cutting_keeps_each_text_once_and_no_batch_exceeds_the_budget_with_padding(tokens):
    jobs = [Waiting(n) for n in tokens]
    batches = cut(jobs, limits())
    assert sorted(map(id, (job for batch in batches for job in batch))) == sorted(map(id, jobs))
    for batch in batches:
        assert max(job.tokens for job in batch) * len(batch) <= 100
        assert 1 <= len(batch) <= 8


@given(st.lists(st.tuples(st.sampled_from(list(Lane)), lengths), max_size=12))
def test_every_text_of_every_call_leaves_the_queue_exactly_once(calls):
    queue = BatchQueue(limits(queue_tokens=dict.fromkeys(Lane, 10**6), queue_texts=10**6))
    put = []
    for lane, tokens in calls:
        jobs = [Waiting(n) for n in tokens]
        queue.put(lane, jobs, 0.0)
        put.extend(jobs)
    served = [job for batch in drain(queue) for job in batch.jobs]
    assert sorted(map(id, served)) == sorted(map(id, put))
    assert all(queue.depth(lane).tokens == queue.depth(lane).texts == 0 for lane in Lane)


@given(lengths, st.integers(1, 100))
def test_a_text_is_overtaken_by_one_slice_at_most(before, mine):
    """However many shorter texts keep arriving: only those that fill up its own slice may go before it."""
    queue = BatchQueue(limits(slice_batches=2, queue_tokens=dict.fromkeys(Lane, 10**6), queue_texts=10**6))
    queue.put(Lane.BULK, [Waiting(n) for n in before], 0.0)
    job = Waiting(mine)
    queue.put(Lane.BULK, [job], 0.0)
    overtaking: list[Waiting] = []
    served: list[Waiting] = []
    while job not in served:
        overtaking.extend(Waiting(1) for _ in range(10))
        queue.put(Lane.BULK, overtaking[-10:], 0.0)
        served.extend(queue.next_batch(0.0).jobs)
    assert sum(one.tokens for one in served if one in overtaking) <= 2 * 100


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30), st.integers(1, 6))
def test_bulk_gets_its_turn_while_interactive_texts_never_end(tokens, run):
    queue = BatchQueue(limits(interactive_run=run))
    queue.put(Lane.BULK, [Waiting(n) for n in tokens], 0.0)
    lanes = []
    while queue.depth(Lane.BULK).texts:
        queue.put(Lane.INTERACTIVE, [Waiting(1)], 0.0)
        lanes.append(queue.next_batch(0.0).lane)
    assert "".join("i" if lane is Lane.INTERACTIVE else "b" for lane in lanes) == ("i" * run + "b") * lanes.count(
        Lane.BULK
    )


def test_interactive_goes_first():
    queue = BatchQueue(limits())
    queue.put(Lane.BULK, [Waiting(5)], 0.0)
    queue.put(Lane.INTERACTIVE, [Waiting(9)], 0.0)
    assert [batch.lane for batch in drain(queue)] == [Lane.INTERACTIVE, Lane.BULK]


def test_a_slice_is_served_shortest_first_and_before_what_came_later():
    queue = BatchQueue(limits(batch_tokens=60, slice_batches=2))
    first = [Waiting(n) for n in (50, 10, 60)]
    queue.put(Lane.BULK, first, 0.0)
    queue.put(Lane.BULK, [Waiting(1)], 0.0)
    assert [[job.tokens for job in batch.jobs] for batch in drain(queue)] == [[10], [50], [60], [1]]


def test_a_text_that_would_add_much_padding_opens_a_new_batch():
    assert [[job.tokens for job in batch] for batch in cut([Waiting(n) for n in (40, 5, 6, 7, 6)], limits())] == [
        [5, 6, 6, 7],
        [40],
    ]


def test_texts_whose_caller_has_gone_or_whose_time_is_over_are_dropped():
    queue = BatchQueue(limits())
    gone, late, alive = Waiting(5, is_abandoned=True), Waiting(5, deadline=10.0), Waiting(5, deadline=10.1)
    queue.put(Lane.INTERACTIVE, [gone, late, alive], 0.0)
    batch = queue.next_batch(10.0)
    assert batch.jobs == [alive]
    assert set(batch.dropped) == {(gone, DropReason.CALLER_GONE), (late, DropReason.DEADLINE)}


def test_a_queue_of_dropped_texts_alone_gives_an_empty_batch():
    queue = BatchQueue(limits())
    queue.put(Lane.BULK, [Waiting(5, is_abandoned=True) for _ in range(40)], 0.0)
    batch = queue.next_batch(0.0)
    assert (batch.lane, len(batch.jobs), len(batch.dropped)) == (None, 0, 40)
    assert not queue


def test_a_full_lane_refuses_the_whole_call_and_says_when_to_come_back():
    queue = BatchQueue(limits())
    queue.record(tokens=500, seconds=1.0)
    queue.put(Lane.INTERACTIVE, [Waiting(100)] * 9, 0.0)
    with pytest.raises(ResourceExhausted) as refused:
        queue.put(Lane.INTERACTIVE, [Waiting(50), Waiting(51)], 0.0)
    assert refused.value.reason == "ENCODER_QUEUE_FULL"
    assert refused.value.retry_after == pytest.approx(900 / 500)
    assert queue.depth(Lane.INTERACTIVE).tokens == 900


def test_a_full_bulk_lane_does_not_refuse_interactive_texts():
    queue = BatchQueue(limits(queue_texts=2))
    queue.put(Lane.BULK, [Waiting(100)] * 2, 0.0)
    with pytest.raises(ResourceExhausted):
        queue.put(Lane.BULK, [Waiting(1)], 0.0)
    queue.put(Lane.INTERACTIVE, [Waiting(1)], 0.0)


def test_an_empty_lane_takes_a_call_of_any_size():
    queue = BatchQueue(limits())
    queue.put(Lane.INTERACTIVE, [Waiting(100)] * 100, 0.0)
    assert len([job for batch in drain(queue) for job in batch.jobs]) == 100


def test_callers_that_have_gone_make_room_for_others():
    queue = BatchQueue(limits())
    gone = [Waiting(100) for _ in range(10)]
    queue.put(Lane.INTERACTIVE, gone, 0.0)
    for job in gone:
        job.is_abandoned = True
    queue.put(Lane.INTERACTIVE, [Waiting(100)], 0.0)
    batch = queue.next_batch(0.0)
    assert len(batch.jobs) == 1
    assert [reason for _, reason in batch.dropped] == [DropReason.CALLER_GONE] * 10


def test_the_health_checks_text_is_never_refused():
    queue = BatchQueue(limits())
    queue.put(Lane.INTERACTIVE, [Waiting(100)] * 10, 0.0)
    queue.put_first_aid(Waiting(2))
    assert queue.depth(Lane.INTERACTIVE).texts == 11


def test_a_budget_below_the_models_longest_text_is_refused_at_start():
    with pytest.raises(ValueError, match="cannot hold the model's longest text of 512"):
        check_batch_budget(limits(batch_tokens=511), 512)
    check_batch_budget(limits(batch_tokens=512), 512)
