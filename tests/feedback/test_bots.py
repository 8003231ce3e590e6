import random

from services.feedback.bots import BotReason, BotRules, Conduct, broken_rule, observe

RULES = BotRules()
SECOND = 1_000_000
START = 1_699_920_000 * SECOND  # midnight


def verdict(times, *, is_view=True, is_purchase=False, rules=RULES):
    """The rule that is broken after events at these seconds, of which the last 40 are kept."""
    conduct, kept = Conduct(), []
    reason = None
    for time in times:
        moment = START + int(time * SECOND)
        observe(conduct, moment, is_view=is_view, is_purchase=is_purchase)
        kept = sorted([*kept, moment])[-40:]
        reason = reason or broken_rule(conduct, kept, rules)
    return reason


def uneven(count, mean, seed=7):
    chance, time = random.Random(seed), 0.0
    for _ in range(count):
        time += chance.expovariate(1 / mean)
        yield time


def test_more_events_in_a_minute_than_hands_can_make():
    assert verdict(uneven(600, 0.1)) is BotReason.RATE


def test_a_keen_shopper_is_a_person():
    assert verdict(uneven(500, 20), is_view=True) is None


def test_hundreds_of_pages_a_day_without_ever_a_cart():
    assert verdict(uneven(700, 30)) is BotReason.RATIO


def test_the_same_with_a_cart_is_a_person():
    assert verdict(uneven(700, 30), is_purchase=True) is None


def test_a_clock_is_not_a_person():
    assert verdict([10.0 * place for place in range(40)]) is BotReason.REGULARITY


def test_who_comes_every_morning_is_not_a_clock():
    assert verdict([86_400.0 * place for place in range(60)]) is None


def test_products_of_one_purchase_are_no_gaps():
    assert verdict([float(place // 20) * 3_600 for place in range(60)]) is None


def test_what_comes_late_does_not_count_in_the_minute_that_runs():
    minutes = [60.0] * 100 + [0.0] * 100
    assert verdict(minutes) is None
