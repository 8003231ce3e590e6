"""A second, naive count of the statistics: everything at hand, no increments, one formula after another."""

from collections import defaultdict

HALF_LIVES = (1, 7, 30)
DAY = 86_400_000_000
CHOOSING = {2, 3, 4, 6, 7, 8, 9}
WEIGHTS = {2: 1, 3: 1, 4: 3, 6: 5, 7: 2, 8: 2, 9: 2}


def recount(events, day, *, window=10, tail=40, pair_half_life=90, weights=WEIGHTS):
    """(counts, popularity, pairs) of events in the order in which they became known, as of `day`."""
    counts, popularity, pairs = defaultdict(lambda: [0] * 5), defaultdict(lambda: [0.0] * 3), defaultdict(float)
    sequences = defaultdict(list)
    for visitor, action, time, product_ids, quantities in events:
        catalog = visitor[0]
        for product_id, quantity in zip(product_ids, quantities, strict=True):
            left = [0.5 ** ((day - time / DAY) / half_life) for half_life in HALF_LIVES]
            row = counts[catalog, product_id, action]
            counts[catalog, product_id, action] = [a + b for a, b in zip(row, (1, quantity, *left), strict=True)]
            popularity[catalog, product_id][0] += weights.get(action, 0) * left[0]
            popularity[catalog, product_id][1] += weights.get(action, 0) * left[2]
            if action in CHOOSING:
                arrive(sequences[visitor], time, product_id, window, tail)
    for (catalog, _), sequence in sequences.items():
        for place, (time, product_id) in enumerate(sequence):
            if place and sequence[place - 1][1] == product_id:
                continue
            left = 0.5 ** ((day - time / DAY) / pair_half_life)
            popularity[catalog, product_id][2] += left
            before = dict.fromkeys(p for _, p in reversed(sequence[max(0, place - tail) : place]) if p != product_id)
            basket = {p for moment, p in sequence[:place] if moment == time}
            for distance, other in enumerate(list(before)[:window], 1):
                pairs[catalog, other, product_id] += left / distance**0.5
                if other in basket:
                    pairs[catalog, product_id, other] += left / distance**0.5
    return counts, popularity, pairs


def arrive(sequence, time, product_id, window, tail):
    """Puts a choice into a whole sequence, unless it comes later than what is still at hand."""
    place = sum(other <= time for other, _ in sequence)
    at_hand = sequence[max(0, len(sequence) - tail) : place]
    if place < len(sequence) and len(sequence) > tail and len({p for _, p in at_hand}) <= window:
        return
    sequence.insert(place, (time, product_id))
